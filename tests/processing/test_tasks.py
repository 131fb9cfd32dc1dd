from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest
from django.db.models import F

from processing import crashid, leases, ledger, queue, rulesets, tasks
from processing.errors import CrashNotFound, StorageError
from processing.models import Crash, QueuedCrash, SearchOutbox
from processing.rules.base import Context, Rule
from processing.stackwalker.runner import StackwalkerMissing
from processing.storage import get_storage


class BadRule(Rule):
    def action(self, ctx: Context) -> None:
        ctx.processed_crash["cyclic"] = ctx.processed_crash  # no JSON


class NoRule(Rule):
    def action(self, ctx: Context) -> None:
        pass


class DeletedMeanwhileRule(Rule):
    """Somebody deletes the crash while it is processed: first in the ledger, then from storage."""

    def action(self, ctx: Context) -> None:
        Crash.objects.filter(crash_id=ctx.crash_id).update(state="deleted")
        get_storage().delete(ctx.crash_id)


class TakenOverRule(Rule):
    """This worker is thought dead, and another one does the whole crash meanwhile."""

    def action(self, ctx: Context) -> None:
        QueuedCrash.objects.update(due_at=F("queued_at"))
        newer = leases.take(queue.QUEUES)
        get_storage().save_processed_crash(ctx.crash_id, {"signature": "newer"})
        ledger.record_processed(newer, product="WaterWolf", received_at=newer.queued_at)


class DeviceFullRule(Rule):
    """Write to a disk without room."""

    def action(self, ctx: Context) -> None:
        Path("/dev/full").write_bytes(b"x")


class MissingRule(Rule):
    @classmethod
    def from_settings(cls, settings):
        raise StackwalkerMissing("none here")

    def action(self, ctx: Context) -> None:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def quick(settings) -> None:
    settings.QUEUE = {**settings.QUEUE, "rest_seconds": 0, "retry_seconds": 0}


@pytest.fixture
def rule(monkeypatch):
    """Choose the one rule of the default ruleset."""

    def choose(name: str) -> None:
        monkeypatch.setitem(rulesets.RULESETS, "default", (f"tests.processing.test_tasks.{name}",))
        rulesets.build_ruleset.cache_clear()

    choose("NoRule")
    yield choose
    rulesets.build_ruleset.cache_clear()


def state() -> tuple[str, str]:
    entry = Crash.objects.get()
    return entry.state, entry.last_error


def test_nothing_due_is_nothing_to_do(transactional_db):
    tasks.process_next()


def test_crash_is_processed_recorded_and_handed_to_search(collect, rule, storage):
    crash_id = collect()
    tasks.process_next()
    assert state() == ("processed", "")
    assert storage.get_processed_crash(crash_id)["ruleset"] == "default"
    assert SearchOutbox.objects.get().crash_id == crash_id


def test_crash_deleted_while_it_is_processed_stays_deleted_and_leaves_nothing_behind(collect, rule, storage):
    crash_id = collect()
    rule("DeletedMeanwhileRule")
    tasks.process_next()
    assert state() == ("deleted", "")
    with pytest.raises(CrashNotFound):
        storage.get_processed_crash(crash_id)
    assert not QueuedCrash.objects.exists()
    assert not SearchOutbox.objects.exists()


def test_accepted_crash_that_is_not_in_storage_fails_with_the_reason(accept, storage):
    accept()
    tasks.process_next()
    assert state() == ("failed", "CrashNotFound")
    assert not QueuedCrash.objects.exists()


def test_crash_waits_while_storage_is_away_however_often_it_is_tried(collect, rule, storage, monkeypatch):
    crash_id = collect()

    def away(crash_id: str) -> None:
        raise StorageError("away")

    with monkeypatch.context() as outage:
        outage.setattr(storage, "get_raw_crash", away)
        for _ in range(10):
            tasks.process_next()
            assert state() == ("queued", "StorageError")
            QueuedCrash.objects.update(due_at=QueuedCrash.objects.get().queued_at)
    assert QueuedCrash.objects.get().deferrals == 10
    tasks.process_next()
    assert state() == ("processed", "")
    assert storage.get_processed_crash(crash_id)


def test_longer_outages_are_tried_more_seldom(collect, rule, storage, monkeypatch):
    collect()

    def away(crash_id: str) -> None:
        raise StorageError("away")

    monkeypatch.setattr(storage, "get_raw_crash", away)
    pauses = []
    for _ in range(8):
        with_lease = leases.take(queue.QUEUES)
        before = QueuedCrash.objects.get().due_at
        tasks.attempt(with_lease)
        message = QueuedCrash.objects.get()
        pauses.append(round((message.due_at - before).total_seconds() + 45))
        QueuedCrash.objects.update(due_at=message.queued_at)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300]


def test_worker_thought_dead_does_not_save_over_what_another_one_found_later(collect, rule, storage):
    crash_id = collect()
    rule("TakenOverRule")
    tasks.process_next()
    assert storage.get_processed_crash(crash_id) == {"signature": "newer"}
    assert state() == ("processed", "")
    assert SearchOutbox.objects.count() == 1


def test_full_disk_is_not_the_crashs_fault(collect, rule, storage):
    crash_id = collect()
    rule("DeviceFullRule")
    tasks.process_next()
    assert state() == ("queued", "DiskFull")
    message = QueuedCrash.objects.get()
    assert (message.attempts, message.deferrals) == (0, 1)
    with pytest.raises(CrashNotFound):
        storage.get_processed_crash(crash_id)


def test_disk_that_is_full_when_dumps_are_fetched_is_not_the_crashs_fault(
    collect, rule, storage, monkeypatch
):
    class Full(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(errno.ENOSPC, "No space left on device")

    collect()
    monkeypatch.setattr(storage, "get_dump_names", lambda crash_id: ["upload_file_minidump"])
    monkeypatch.setattr(storage, "open_dump", lambda crash_id, name: Full())
    monkeypatch.setattr(storage, "get_raw_crash", lambda crash_id: {})
    tasks.process_next()
    assert state() == ("queued", "DiskFull")


def test_missing_stackwalker_is_not_the_crashs_fault(collect, rule):
    rule("MissingRule")
    collect()
    tasks.process_next()
    assert state() == ("queued", "StackwalkerMissing")


def test_defect_met_by_a_crash_fails_it_after_the_set_attempts_and_it_can_be_retried(collect, rule):
    rule("BadRule")
    crash_id = collect()
    for attempts in (1, 2):
        tasks.process_next()
        assert QueuedCrash.objects.get().attempts == attempts
    tasks.process_next()
    assert state()[0] == "failed"
    assert not QueuedCrash.objects.exists()
    rule("NoRule")
    queue.publish(crash_id)
    tasks.process_next()
    assert state() == ("processed", "")


def test_unknown_ruleset_fails_the_crash_by_name(collect, rule):
    queue.publish(collect(), ruleset="guess")
    QueuedCrash.objects.update(ruleset="guess")
    tasks.process_next()
    assert state() == ("failed", "UnknownRuleset")


def test_crash_whose_workers_died_too_often_fails_without_another_try(collect, rule, settings):
    collect()
    QueuedCrash.objects.update(attempts=settings.QUEUE["max_attempts"])
    tasks.process_next()
    assert state() == ("failed", "WorkerDied")


def test_id_that_nobody_knows_is_dropped(transactional_db, storage):
    queue.publish(crashid.create())
    tasks.process_next()
    assert not Crash.objects.exists()
    assert not QueuedCrash.objects.exists()
