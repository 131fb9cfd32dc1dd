"""A storage in memory and an empty index of its own for every test of pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from crashstats.accounts.models import User
from processing.search import SearchBackend, get_search
from processing.storage import CrashStorage, get_storage
from tests.crashstats.crashes import make_processed_crash, make_raw_crash, new_crash_id


@pytest.fixture
def storage(settings: Any) -> Iterator[CrashStorage]:
    settings.CRASH_STORAGE = {"BACKEND": "processing.storage.memory.MemoryCrashStorage"}
    get_storage.cache_clear()
    yield get_storage()
    get_storage.cache_clear()


@pytest.fixture
def search(settings: Any, tmp_path: Path) -> Iterator[SearchBackend]:
    settings.SEARCH = {
        "BACKEND": "processing.search.tantivy.TantivySearch",
        "OPTIONS": {"folder": tmp_path / "search"},
    }
    get_search.cache_clear()
    get_search().rebuild([], load=lambda _: None)
    yield get_search()
    get_search.cache_clear()


@pytest.fixture
def broken_search(settings: Any, tmp_path: Path) -> Iterator[SearchBackend]:
    """An index whose folder cannot be made, because a file is in its way."""
    (tmp_path / "file").write_text("in the way")
    settings.SEARCH = {
        "BACKEND": "processing.search.tantivy.TantivySearch",
        "OPTIONS": {"folder": tmp_path / "file" / "search"},
    }
    get_search.cache_clear()
    yield get_search()
    get_search.cache_clear()


@pytest.fixture
def keep(storage: CrashStorage) -> Callable[..., str]:
    """Put a processed crash, with its raw crash, into storage; gives its id."""

    def keep(raw_crash: dict[str, Any] | None = None, **values: Any) -> str:
        crash_id = new_crash_id()
        storage.save_raw_crash(
            crash_id, make_raw_crash(crash_id, **(raw_crash or {})), {"upload_file_minidump": b"MDMP"}
        )
        storage.save_processed_crash(crash_id, make_processed_crash(crash_id, **values))
        return crash_id

    return keep


@pytest.fixture
def hacker(db: None) -> User:
    """An account that may see protected data and load dumps."""
    user = User.objects.create_user("grace")
    user.groups.add(Group.objects.get(name="Hackers"))
    return user


@pytest.fixture
def hacker_client(hacker: User) -> Client:
    client = Client()
    client.force_login(hacker)
    return client
