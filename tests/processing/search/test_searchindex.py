"""The command that looks after the index."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from processing import crashid
from processing.models import Crash, CrashState
from processing.search import SearchBackend, get_search
from processing.search.query import Operator
from processing.storage import CrashStorage, get_storage
from tests.contracts.search import crash_id, fill, found, make_crash, where

pytestmark = pytest.mark.django_db


@pytest.fixture
def storage(settings: Any) -> Iterator[CrashStorage]:
    settings.CRASH_STORAGE = {"BACKEND": "processing.storage.memory.MemoryCrashStorage"}
    get_storage.cache_clear()
    yield get_storage()
    get_storage.cache_clear()


@pytest.fixture
def search(settings: Any, tmp_path: Path) -> Iterator[SearchBackend]:
    options = {"folder": tmp_path / "search"}
    settings.SEARCH = {"BACKEND": "processing.search.tantivy.TantivySearch", "OPTIONS": options}
    get_search.cache_clear()
    yield get_search()
    get_search.cache_clear()


def remember(storage: CrashStorage, number: int, state: CrashState = CrashState.PROCESSED) -> None:
    """A crash in the ledger, and its processed crash in storage."""
    key = crash_id(number)
    day = crashid.day_of(key)
    Crash.objects.create(day=day, crash_id=key, product="P", received_at=datetime.now(UTC), state=state)
    storage.save_processed_crash(key, make_crash(uuid=key, signature=f"s{number}"))


def run(*arguments: str) -> str:
    output = StringIO()
    call_command("searchindex", *arguments, stdout=output, stderr=output)
    return output.getvalue()


def test_rebuild_takes_every_crash_that_has_a_processed_crash(
    search: SearchBackend, storage: CrashStorage
) -> None:
    """Also one that is being processed again, or failed when it was."""
    for number in range(3):
        remember(storage, number)
    remember(storage, 3, CrashState.DELETED)
    for number, state in enumerate((CrashState.QUEUED, CrashState.PROCESSING, CrashState.FAILED), start=4):
        remember(storage, number, state)
    storage.delete(crash_id(1))
    assert "holds 5 crashes" in run("--rebuild")
    assert found(search) == [0, 2, 4, 5, 6]
    assert found(search, where("signature", Operator.IS, "s2")) == [2]


def test_without_arguments_it_only_tells_how_the_index_stands(search: SearchBackend) -> None:
    assert "no search index" in run()
    assert not search.state().exists
    fill(search, make_crash())
    assert "holds 1 crashes" in run()


def test_rebuild_if_needed_leaves_a_good_index_alone(search: SearchBackend, storage: CrashStorage) -> None:
    remember(storage, 1)
    assert "holds 1 crashes" in run("--rebuild", "--if-needed")
    remember(storage, 2)
    assert run("--rebuild", "--if-needed") == ""
    assert found(search) == [1]


def test_rebuild_if_needed_replaces_a_damaged_index(
    search: SearchBackend, storage: CrashStorage, tmp_path: Path
) -> None:
    fill(search, make_crash())
    (index,) = (tmp_path / "search").glob("index-*")
    (index / "meta.json").unlink()
    remember(storage, 1)
    assert "damaged" in run("--rebuild", "--if-needed")
    assert found(search) == [1]


def test_if_needed_alone_is_refused(search: SearchBackend) -> None:
    with pytest.raises(CommandError, match="--rebuild"):
        run("--if-needed")


def test_trouble_with_the_folder_is_an_error_in_one_line(search: SearchBackend, tmp_path: Path) -> None:
    (tmp_path / "search").write_text("in the way")
    with pytest.raises(CommandError, match="the index in use was left as it was"):
        run("--rebuild")
