from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from processing import crashid, leases, ledger, queue
from processing.errors import CrashNotFound
from processing.ledger import Equation
from processing.models import Crash, ProcessedCount, QueuedCrash, SearchOutbox
from tests.processing.conftest import RECEIVED


def take():
    return leases.take(queue.QUEUES)


def record_processed(lease):
    return ledger.record_processed(lease, product="WaterWolf", received_at=RECEIVED)


def test_processed_crash_is_recorded_handed_to_search_and_out_of_the_queue(accept):
    crash_id = accept()
    assert record_processed(take())
    found = ledger.find(crash_id)
    assert (found.entry.state, found.entry.last_error, found.message) == ("processed", "", None)
    assert found.entry.processed_at > RECEIVED
    assert list(SearchOutbox.objects.values_list("crash_id", "forget")) == [(crash_id, False)]


def test_failed_crash_is_recorded_with_the_reason_and_out_of_the_queue(accept):
    crash_id = accept()
    assert ledger.record_failed(take(), "CrashNotFound")
    found = ledger.find(crash_id)
    assert (found.entry.state, found.entry.last_error, found.message) == ("failed", "CrashNotFound", None)
    assert not SearchOutbox.objects.exists()


def test_crash_that_came_while_the_database_was_away_is_entered_when_processed(transactional_db):
    crash_id = crashid.create(date(2026, 8, 1))
    queue.publish(crash_id)
    assert record_processed(take())
    entry = ledger.find(crash_id).entry
    assert (entry.state, entry.product, entry.received_at) == ("processed", "WaterWolf", RECEIVED)


def test_unknown_id_that_fails_leaves_no_entry(transactional_db):
    queue.publish(crashid.create())
    assert ledger.record_failed(take(), "CrashNotFound")
    assert not Crash.objects.exists()
    assert not QueuedCrash.objects.exists()


def test_worker_whose_lease_another_has_records_nothing(accept, settings):
    settings.QUEUE = {**settings.QUEUE, "lease_seconds": 0}
    accept()
    slow, quick = take(), take()
    assert not record_processed(slow)
    assert not ledger.record_failed(slow, "ValueError")
    assert Crash.objects.get().state == "processing"
    assert record_processed(quick)
    assert SearchOutbox.objects.count() == 1


def test_crash_that_is_asked_for_while_it_is_processed_is_processed_once_more(accept):
    crash_id = accept()
    lease = take()
    queue.publish(crash_id, ruleset="default")
    assert record_processed(lease)
    assert Crash.objects.get().state == "processed"
    again = take()
    assert (again.crash_id, again.attempts) == (crash_id, 1)
    assert record_processed(again)
    assert take() is None


def test_deleted_crash_is_not_brought_back_by_a_worker_that_was_at_it(accept):
    accept()
    lease = take()
    Crash.objects.update(state="deleted")
    record_processed(lease)
    assert Crash.objects.get().state == "deleted"
    assert not SearchOutbox.objects.exists()


def test_deleted_crash_that_still_has_a_message_stays_deleted_whatever_happens_to_it(accept):
    accept()
    Crash.objects.update(state="deleted")
    lease = take()
    assert Crash.objects.get().state == "deleted"
    leases.put_off(lease, "StorageError", seconds=0, counted=False)
    assert Crash.objects.get().state == "deleted"
    ledger.record_failed(take(), "CrashNotFound")
    assert Crash.objects.get().state == "deleted"


def test_a_crash_nobody_accepted_is_not_found(transactional_db):
    with pytest.raises(CrashNotFound):
        ledger.find(crashid.create())


def test_every_accepted_crash_is_on_one_side_of_the_equation(accept):
    for _ in range(7):
        accept()
    record_processed(take())
    record_processed(take())
    ledger.record_failed(take(), "WorkerDied")
    take()  # being processed, like any that waits, is in flight
    lost, deleted = Crash.objects.filter(state="queued")[:2]
    QueuedCrash.objects.filter(crash_id__in=[lost.crash_id, deleted.crash_id]).delete()
    Crash.objects.filter(day=deleted.day, crash_id=deleted.crash_id).update(state="deleted")
    assert ledger.equation() == Equation(accepted=6, processed=2, failed=1, in_flight=2, unexplained=1)


def test_the_equation_of_an_empty_ledger_is_all_noughts(transactional_db):
    assert ledger.equation() == Equation(0, 0, 0, 0, 0)


def test_folding_the_counts_leaves_their_sums(accept):
    days = [date(2026, 8, 1), date(2026, 8, 2)]
    ProcessedCount.objects.bulk_create(
        ProcessedCount(day=days[number % 2], crashes=1 if number % 10 else -1) for number in range(3000)
    )
    before = ledger.equation().processed
    ledger.fold_counts()
    assert ledger.equation().processed == before == 2400
    assert ProcessedCount.objects.count() == 2


def test_processing_a_crash_again_counts_it_once(accept):
    crash_id = accept()
    record_processed(take())
    queue.publish(crash_id)
    record_processed(take())
    assert ledger.equation() == Equation(accepted=1, processed=1, failed=0, in_flight=0, unexplained=0)


def test_received_time_and_product_of_an_accepted_crash_stay_those_of_the_collector(accept):
    crash_id = accept()
    ledger.record_processed(take(), product="Other", received_at=datetime(2020, 1, 1, tzinfo=UTC))
    entry = ledger.find(crash_id).entry
    assert (entry.product, entry.received_at) == ("WaterWolf", RECEIVED)
