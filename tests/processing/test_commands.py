from __future__ import annotations

import io
import sys
from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command

from processing import crashid, leases, ledger, queue, rulesets
from processing.models import Crash, QueuedCrash
from tests.processing.conftest import damage

TODAY = crashid.day_of(crashid.create())


def run(name: str, *arguments: str) -> str:
    output = io.StringIO()
    call_command(name, *arguments, stdout=output)
    return output.getvalue().strip()


@pytest.fixture
def no_rules(monkeypatch):
    monkeypatch.setitem(rulesets.RULESETS, "default", ("tests.processing.workerrules.NothingRule",))
    rulesets.build_ruleset.cache_clear()
    yield
    rulesets.build_ruleset.cache_clear()


def test_reprocess_queues_ids_from_arguments_with_a_ruleset(collect):
    crash_id = crashid.create()
    assert run("reprocess", f"bp-{crash_id}", "--ruleset", "regenerate_signature") == (
        "queued 1 crashes for regenerate_signature"
    )
    message = QueuedCrash.objects.get()
    assert (message.crash_id, message.queue, message.ruleset) == (
        crash_id,
        "reprocessing",
        "regenerate_signature",
    )


def test_reprocess_reads_ids_from_stdin_and_passes_over_empty_lines(transactional_db, monkeypatch):
    ids = [crashid.create(), crashid.create()]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join([*ids, "", ""])))
    assert run("reprocess") == "queued 2 crashes for default"
    assert set(QueuedCrash.objects.values_list("crash_id", flat=True)) == set(ids)


def test_reprocess_queues_nothing_when_one_id_is_wrong(transactional_db):
    with pytest.raises(CommandError, match=r"'soon' is not a crash id.*nothing was queued"):
        run("reprocess", crashid.create(), "soon")
    assert not QueuedCrash.objects.exists()


def test_reprocess_retries_all_that_failed(accept):
    failed, fine = accept(), accept()
    QueuedCrash.objects.all().delete()
    Crash.objects.filter(crash_id=failed, day=TODAY).update(state="failed", last_error="WorkerDied")
    Crash.objects.filter(crash_id=fine, day=TODAY).update(state="processed")
    assert run("reprocess", "--failed", "--queue", "standard") == "queued 1 crashes for default"
    assert QueuedCrash.objects.get().crash_id == failed
    assert ledger.find(failed).entry.state == "queued"
    with pytest.raises(CommandError, match="not both"):
        run("reprocess", "--failed", fine)


def test_processcrash_processes_here_and_says_how_it_ended(collect, no_rules, storage):
    queued, done, unknown = collect(), collect(), crashid.create()
    run("processcrash", done)
    assert run("processcrash", queued, done, unknown).splitlines() == [
        f"{queued}: processed",
        f"{done}: processed",
        f"{unknown}: unknown: neither ledger nor storage have it",
    ]
    assert storage.get_processed_crash(queued)
    assert not QueuedCrash.objects.exists()


def test_processcrash_leaves_a_crash_alone_that_a_worker_has(collect):
    crash_id = collect()
    leases.take(queue.QUEUES)
    assert "a worker is processing it" in run("processcrash", crash_id)


def test_processcrash_shows_what_failed(accept, no_rules, storage):
    assert run("processcrash", accept()).endswith(": failed CrashNotFound")


def test_saved_crash_that_the_ledger_never_saw_is_accepted_and_queued(collect, storage):
    known, unknown = collect(), crashid.create()
    storage.save_raw_crash(
        unknown, {"ProductName": "WaterWolf", "submitted_timestamp": "2026-08-01T12:00:00+00:00"}, {}
    )
    assert run("verifyprocessed").startswith("queued 1 crashes that the ledger did not know, 0 ")
    entry = ledger.find(unknown).entry
    assert (entry.product, entry.received_at.isoformat(), entry.state) == (
        "WaterWolf",
        "2026-08-01T12:00:00+00:00",
        "queued",
    )
    assert set(QueuedCrash.objects.values_list("crash_id", flat=True)) == {known, unknown}
    assert run("verifyprocessed").startswith("queued 0 crashes")


def test_a_saved_crash_that_is_damaged_is_queued_too_and_fails_where_it_can_be_seen(
    transactional_db, storage
):
    damaged, fine = sorted(crashid.create() for _ in range(2))
    for crash_id in (damaged, fine):
        storage.save_raw_crash(crash_id, {"ProductName": "WaterWolf"}, {})
    damage(f"{damaged}.tar")
    assert run("verifyprocessed").startswith("queued 2 crashes that the ledger did not know, 0 ")
    assert run("processcrash", damaged).endswith(": failed CrashDamaged")


def test_a_day_can_be_named(transactional_db, storage):
    crash_id = crashid.create(date(2026, 3, 4))
    storage.save_raw_crash(crash_id, {}, {})
    assert run("verifyprocessed").startswith("queued 0 ")
    assert run("verifyprocessed", "--day", "2026-03-04").startswith("queued 1 ")
    with pytest.raises(CommandError, match="'March' is no day"):
        run("verifyprocessed", "--day", "March")


def test_unfinished_crashes_without_a_message_are_queued_again(accept, storage):
    lost = [accept(crashid.create(TODAY - timedelta(days=40))) for _ in range(2)]
    Crash.objects.filter(crash_id=lost[0]).update(state="processing")
    QueuedCrash.objects.all().delete()
    assert ledger.equation().unexplained == 2
    assert run("verifyprocessed").endswith(", 2 that had no message")
    assert ledger.equation().unexplained == 0
    assert set(QueuedCrash.objects.values_list("crash_id", flat=True)) == set(lost)


def test_indexer_drains_once_and_says_how_much(transactional_db):
    assert run("runindexer", "--once") == "handed 0 crashes to search"
