"""The index made anew by the indexer while everything goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as settings_of_django
from django.core.management import call_command

from processing import crashid, outbox, reindexing
from processing.errors import SearchError, StorageError
from processing.models import Crash, SearchOutbox
from processing.reindexing import BackgroundRebuild
from processing.schema.field import SearchKind
from processing.search import SearchBackend, get_search
from processing.search.query import Query
from processing.search.tantivy_folder import IndexFolder
from processing.search.tantivy_layout import Layout
from tests.processing.conftest import make_indexer
from tests.waiting import wait_until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "search"


@pytest.fixture
def search(settings: Any, folder: Path) -> Iterator[SearchBackend]:
    settings.SEARCH = {
        "BACKEND": "processing.search.tantivy.TantivySearch",
        "OPTIONS": {"folder": folder},
    }
    get_search.cache_clear()
    yield get_search()
    get_search.cache_clear()


@pytest.fixture
def processed(storage, transactional_db):
    """Have some processed crashes, in ledger and storage; gives their ids."""

    def processed(count: int) -> set[str]:
        ids = {crashid.create() for _ in range(count)}
        for crash_id in ids:
            day = crashid.day_of(crash_id)
            Crash.objects.create(
                day=day, crash_id=crash_id, product="P", received_at=datetime.now(UTC), state="processed"
            )
            storage.save_processed_crash(crash_id, {"uuid": crash_id, "signature": "f"})
        return ids

    return processed


@pytest.fixture
def indexer(search: SearchBackend) -> Iterator[threading.Thread]:
    """An indexer, to be started; ended afterwards."""
    stopping = threading.Event()
    thread = make_indexer(stopping)
    yield thread
    stopping.set()
    if thread.ident is not None:
        thread.join()


def make_outdated(folder: Path, crash_ids: set[str]) -> None:
    """An index that was made when ``reason`` did not exist; it holds these crashes."""
    current = Layout.current()
    kinds: dict[str, SearchKind] = {name: kind for name, kind in current.kinds.items() if name != "reason"}
    folder.mkdir()
    IndexFolder(folder, lock_timeout_seconds=1).create("current", Layout(kinds, current.paths))
    get_search().index({crash_id: {"uuid": crash_id, "signature": "f"} for crash_id in crash_ids})


def is_in_order() -> bool:
    state = get_search().state()
    return state.exists and not state.outdated and state.rebuilt is None


def test_an_outdated_index_answers_until_the_indexer_has_made_it_anew(search, processed, folder, indexer):
    ids = processed(3)
    make_outdated(folder, ids)
    assert search.search(Query()).total == 3
    indexer.start()
    wait_until(is_in_order)
    assert search.search(Query()).total == 3


def test_crashes_that_come_during_a_rebuild_are_in_both_indices(search, processed, folder, monkeypatch):
    make_outdated(folder, processed(2))
    go = threading.Event()
    load = reindexing._load

    def load_when_told(crash_id: str) -> Any:
        go.wait(30)
        return load(crash_id)

    monkeypatch.setattr(reindexing, "_load", load_when_told)
    monkeypatch.setattr(reindexing, "BATCH", 1)
    rebuild = BackgroundRebuild(threading.Event())
    rebuild.begin_if_needed()
    (late,) = processed(1)
    SearchOutbox.objects.create(crash_id=late)
    go.set()
    assert outbox.drain() == 1
    rebuild.join()
    assert is_in_order()
    assert search.search(Query()).total == 3


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_lost_index_is_made_from_all_crashes_before_it_takes_new_ones(
    search, processed, folder, indexer, damage
):
    ids = processed(3)
    if damage == "damaged":
        search.index({})
        (meta,) = folder.glob("index-*/meta.json")
        meta.unlink()
        get_search.cache_clear()
    (late,) = processed(1)
    SearchOutbox.objects.create(crash_id=late)
    indexer.start()
    wait_until(lambda: not SearchOutbox.objects.exists())
    wait_until(is_in_order)
    assert get_search().search(Query()).total == len(ids) + 1


def test_an_index_that_cannot_be_begun_takes_no_new_crashes_either(search, processed, folder, monkeypatch):
    """Else it would hold them and none of those before."""
    processed(2)
    (late,) = processed(1)
    SearchOutbox.objects.create(crash_id=late)
    stopping = threading.Event()
    rebuild = BackgroundRebuild(stopping)

    def away(*_: object) -> None:
        raise SearchError("away")

    with monkeypatch.context() as outage:
        outage.setattr(type(search), "rebuild", away)
        for _ in range(2):
            with pytest.raises(SearchError):
                rebuild.begin_if_needed()
    rebuild.begin_if_needed()
    outbox.drain()
    rebuild.join()
    assert search.search(Query()).total == 3


def test_a_rebuild_that_breaks_off_begins_again_later(search, processed, folder, storage, monkeypatch):
    make_outdated(folder, processed(1))
    monkeypatch.setattr(reindexing, "REST_SECONDS", 0.0)
    rebuild = BackgroundRebuild(threading.Event())

    def away(*_: object) -> None:
        raise StorageError("away")

    with monkeypatch.context() as outage:
        outage.setattr(storage, "get_processed_crash", away)
        outage.setattr(storage, "check", away)
        rebuild.begin_if_needed()
        rebuild.join()
    assert search.state().outdated
    rebuild.begin_if_needed()
    rebuild.join()
    assert is_in_order()


def test_a_rebuild_ends_soon_after_it_is_told_to(search, processed, folder):
    make_outdated(folder, processed(2))
    stopping = threading.Event()
    stopping.set()
    rebuild = BackgroundRebuild(stopping)
    rebuild.begin_if_needed()
    rebuild.join()
    assert search.state().outdated
    assert search.state().rebuilt is None


def test_a_crash_that_cannot_be_read_does_not_stop_a_rebuild(search, processed, storage):
    (stuck,) = processed(1)
    fine = processed(2)
    (path,) = Path(settings_of_django.CRASH_STORAGE["OPTIONS"]["root"]).rglob(f"{stuck}.processed*")
    path.unlink()
    path.mkdir()
    assert reindexing.rebuild(search, lambda _: None) == len(fine)
    assert list(SearchOutbox.objects.values_list("crash_id", flat=True)) == [stuck]


def test_killing_the_indexer_in_a_rebuild_loses_nothing(start, processed, settings):
    settings.SEARCH = {**settings.SEARCH, "OPTIONS": {"folder": settings.VAR_DIR / "search"}}
    get_search.cache_clear()
    try:
        ids = processed(3 * reindexing.BATCH)
        (settings.VAR_DIR / "search" / "current").unlink(missing_ok=True)
        indexer = start("manage.py", "runindexer")
        wait_until(lambda: get_search().state().rebuilt)
        indexer.kill()
        indexer.wait()
        (late,) = processed(1)
        SearchOutbox.objects.create(crash_id=late)
        start("manage.py", "runindexer")
        wait_until(is_in_order)
        wait_until(lambda: not SearchOutbox.objects.exists())
        assert get_search().search(Query()).total == len(ids) + 1
    finally:
        get_search.cache_clear()


def test_starting_does_not_wait_for_an_index_of_many_crashes(search, processed, capsys):
    processed(1)
    call_command("prepare")
    assert not search.state().exists


def test_the_first_start_makes_an_empty_index(search, transactional_db, capsys):
    call_command("prepare")
    assert is_in_order()
