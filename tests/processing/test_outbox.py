from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as settings_of_django
from django.db import connection as django_connection
from django.utils import timezone

from processing import crashid, leases, ledger, outbox, queue, verification
from processing.errors import SearchError, StorageError
from processing.models import Crash, QueuedCrash, SearchOutbox
from processing.search import get_search
from processing.search.base import IndexState, SearchBackend, SearchResult
from processing.search.query import Query
from tests.processing.conftest import damage, make_indexer
from tests.waiting import wait_until


class ListSearch(SearchBackend):
    """A search engine that remembers what it took; it can be down, refuse a crash, and fail over one."""

    def __init__(self) -> None:
        self.taken: dict[str, Mapping[str, Any]] = {}
        self.down = False
        self.commits = 0

    def index(self, processed_crashes: Mapping[str, Mapping[str, Any]]) -> None:
        self.check()
        signatures = {crash["signature"] for crash in processed_crashes.values()}
        if "refuse me" in signatures:
            raise ValueError("no such signature")
        if "fail me" in signatures:
            raise SearchError("this one brings the engine down")
        self.taken |= processed_crashes
        self.commits += 1

    def delete(self, crash_ids: Iterable[str]) -> None:
        self.check()
        for crash_id in crash_ids:
            self.taken.pop(crash_id, None)

    def check(self) -> None:
        if self.down:
            raise SearchError("down")

    def delete_before(self, day: date) -> int:
        raise NotImplementedError

    def search(self, query: Query) -> SearchResult:
        raise NotImplementedError

    def rebuild(self, *arguments: Any) -> int:
        raise NotImplementedError

    def state(self) -> IndexState:
        return IndexState(exists=True, outdated=False, documents=len(self.taken))


@contextlib.contextmanager
def indexing() -> Iterator[None]:
    """Run the indexer in a thread of its own meanwhile."""
    stopping = threading.Event()
    indexer = make_indexer(stopping)
    indexer.start()
    try:
        yield
    finally:
        stopping.set()
        indexer.join()


@pytest.fixture
def search(settings) -> Iterable[SearchBackend]:
    settings.SEARCH = {"BACKEND": "tests.processing.test_outbox.ListSearch"}
    get_search.cache_clear()
    yield get_search()
    get_search.cache_clear()


@pytest.fixture
def processed(storage, transactional_db):
    """Save a processed crash and put it into the outbox; gives its id."""

    def processed(signature: str = "f", crash_id: str | None = None) -> str:
        chosen = crash_id or crashid.create()
        storage.save_processed_crash(chosen, {"uuid": chosen, "signature": signature})
        SearchOutbox.objects.create(crash_id=chosen)
        return chosen

    return processed


def test_what_is_in_the_outbox_goes_to_search_in_batches_and_out(search, processed):
    ids = {processed() for _ in range(outbox.BATCH + 1)}
    assert outbox.drain() == outbox.BATCH + 1
    assert search.taken.keys() == ids
    assert search.commits == 2
    assert not SearchOutbox.objects.exists()


def test_while_search_is_down_everything_stays_in_the_outbox(search, processed):
    processed()
    search.down = True
    with pytest.raises(SearchError):
        outbox.drain()
    assert SearchOutbox.objects.count() == 1
    search.down = False
    assert outbox.drain() == 1


def test_a_crash_that_search_refuses_stops_no_other_and_is_marked(search, processed, accept):
    before, refused, after = processed(), processed("refuse me"), processed()
    accept(refused)
    Crash.objects.update(state="processed")
    assert outbox.drain() == 3
    assert search.taken.keys() == {before, after}
    assert not SearchOutbox.objects.exists()
    assert ledger.find(refused).entry.last_error == "SearchRefused"


def test_a_crash_that_search_fails_over_stops_no_other_and_is_tried_again(search, processed):
    failing = {processed("fail me") for _ in range(4)}
    fine = {processed() for _ in range(6)}
    for _ in range(100):
        with contextlib.suppress(SearchError):  # when it failed over the first ones, as if it were down
            outbox.drain()
    assert search.taken.keys() == fine
    assert set(SearchOutbox.objects.values_list("crash_id", "last_error")) == {
        (crash_id, "SearchError") for crash_id in failing
    }


def test_crashes_to_forget_and_crashes_deleted_meanwhile_are_removed_from_search(search, processed, storage):
    forgotten, deleted = processed(), processed()
    outbox.drain()
    SearchOutbox.objects.create(crash_id=forgotten, forget=True)
    SearchOutbox.objects.create(crash_id=deleted)
    storage.delete(deleted)
    outbox.drain()
    assert search.taken == {}


def test_a_processed_crash_that_is_damaged_stops_no_other_and_leaves_search(search, processed):
    damaged, fine = processed(), processed()
    outbox.drain()
    damage(f"{damaged}.processed_crash.json")
    for crash_id in (damaged, fine):
        SearchOutbox.objects.create(crash_id=crash_id)
    assert outbox.drain() == 2
    assert search.taken.keys() == {fine}
    assert not SearchOutbox.objects.exists()


@pytest.fixture
def unreadable(storage):
    """Choose a crash whose processed crash cannot be read now: something else is in its place."""

    def unreadable(crash_id: str) -> None:
        (path,) = Path(settings_of_django.CRASH_STORAGE["OPTIONS"]["root"]).rglob(f"{crash_id}.processed*")
        path.unlink()
        path.mkdir()

    return unreadable


@pytest.mark.parametrize("others", [0, 1])
def test_a_processed_crash_that_cannot_be_read_now_stops_no_other_and_is_tried_again(
    search, processed, storage, unreadable, others
):
    stuck = processed()
    fine = {processed() for _ in range(others)}
    unreadable(stuck)
    assert outbox.drain() == 1 + others
    assert search.taken.keys() == fine
    row = SearchOutbox.objects.get()
    assert (row.crash_id, row.last_error) == (stuck, "StorageError")
    assert outbox.drain() == 0
    (path,) = Path(settings_of_django.CRASH_STORAGE["OPTIONS"]["root"]).rglob(f"{stuck}.processed*")
    path.rmdir()
    storage.save_processed_crash(stuck, {"uuid": stuck, "signature": "f"})
    SearchOutbox.objects.update(due_at=row.created_at)
    assert outbox.drain() == 1
    assert search.taken.keys() == {stuck, *fine}
    assert not SearchOutbox.objects.exists()


def test_what_is_put_off_again_and_again_is_tried_more_seldom(search, processed, unreadable):
    unreadable(processed())
    pauses = []
    for waited in (0, 60, 7200):
        before = timezone.now()
        SearchOutbox.objects.update(created_at=before - timedelta(seconds=waited), due_at=before)
        outbox.drain()
        pauses.append((SearchOutbox.objects.get().due_at - before).total_seconds() // 5 * 5)
    assert pauses == [5, 60, 3600]


def test_storage_that_is_away_leaves_everything_due(search, processed, storage, monkeypatch):
    for _ in range(2):
        processed()
    monkeypatch.setattr(storage, "get_processed_crash", _away)
    monkeypatch.setattr(storage, "check", _away)
    with pytest.raises(StorageError):
        outbox.drain()
    assert set(SearchOutbox.objects.values_list("last_error", flat=True)) == {""}


def test_of_several_rows_for_one_crash_the_last_counts(search, processed):
    crash_id = processed()
    SearchOutbox.objects.create(crash_id=crash_id, forget=True)
    processed("again", crash_id)
    assert outbox.drain() == 3
    assert search.taken[crash_id]["signature"] == "again"


def test_only_one_process_drains_at_a_time(search, processed):
    processed()
    results: list[int] = []

    def drain() -> None:
        results.append(outbox.drain())
        django_connection.close()

    with django_connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [outbox._LOCK])
        other = threading.Thread(target=drain)
        other.start()
        other.join()
        cursor.execute("SELECT pg_advisory_unlock(%s)", [outbox._LOCK])
    assert results == [0]
    assert outbox.drain() == 1


def test_a_running_indexer_takes_what_comes_through_an_outage_and_tends_the_ledger(
    search, processed, monkeypatch
):
    monkeypatch.setattr(outbox, "REST_SECONDS", 0.05)
    with indexing():
        first = processed()
        wait_until(lambda: first in search.taken)
        search.down = True
        second = processed()
        search.down = False
        wait_until(lambda: second in search.taken)
    assert outbox.drain() == 0


def test_the_indexer_ends_on_sigterm(start, processed):
    crash_id = processed()
    indexer = start("manage.py", "runindexer")
    wait_until(lambda: not SearchOutbox.objects.exists())
    indexer.send_signal(signal.SIGTERM)
    assert indexer.wait(timeout=10) == 0
    assert crash_id


def test_an_indexer_killed_at_any_point_leaves_no_crash_out_of_search(start, processed, settings):
    settings.SEARCH = {**settings.SEARCH, "OPTIONS": {"folder": settings.VAR_DIR / "search"}}
    get_search.cache_clear()
    before = get_search().state().documents
    count = 6 * outbox.BATCH
    for _ in range(count):
        processed()
    for share in (5, 3, 1):
        indexer = start("manage.py", "runindexer")
        wait_until(lambda share=share: SearchOutbox.objects.count() <= share * outbox.BATCH)
        indexer.kill()
        indexer.wait()
    start("manage.py", "runindexer")
    wait_until(lambda: not SearchOutbox.objects.exists())
    assert get_search().state().documents == before + count
    get_search.cache_clear()


def test_recording_a_processed_crash_wakes_the_indexer_unless_it_is_at_work(search, collect, connection):
    connection.execute(f"LISTEN {ledger.OUTBOX_CHANNEL}")
    ids = [collect() for _ in range(3)]
    for _ in ids:
        lease = leases.take(queue.QUEUES)
        ledger.record_processed(lease, product="", received_at=lease.queued_at)
    connection.execute("SELECT 1")
    assert len(list(connection.notifies(timeout=0))) == 1
    assert list(SearchOutbox.objects.order_by("id").values_list("crash_id", flat=True)) == ids


def test_a_running_indexer_queues_again_and_again_what_is_on_nobodys_list(
    search, collect, storage, connection, monkeypatch
):
    monkeypatch.setattr(verification, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(verification, "PAUSE_SHARE", 0)
    lost, unknown = collect(), crashid.create()
    connection.execute("DELETE FROM processing_queuedcrash")
    with indexing():
        wait_until(lambda: set(QueuedCrash.objects.values_list("crash_id", flat=True)) == {lost})
        with monkeypatch.context() as outage:
            outage.setattr(storage, "list_crash_ids", _away)
            storage.save_raw_crash(unknown, {"ProductName": "WaterWolf"}, {})
        wait_until(lambda: set(QueuedCrash.objects.values_list("crash_id", flat=True)) == {lost, unknown})
    assert ledger.equation().unexplained == 0


def test_an_indexer_that_meets_a_defect_of_ours_ends_with_all_its_threads(
    search, storage, transactional_db, monkeypatch
):
    def broken(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(outbox, "drain", broken)
    before = set(threading.enumerate())
    with pytest.raises(ZeroDivisionError):
        outbox.run(threading.Event())
    assert set(threading.enumerate()) == before


def _away(*_: object) -> None:
    raise StorageError("away")
