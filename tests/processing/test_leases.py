from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection as django_connection
from django.utils import timezone

from processing import crashid, leases, queue
from processing.leases import Turns
from processing.models import Crash, QueuedCrash
from tests.waiting import wait_until

ANY_ORDER = queue.QUEUES


def test_taken_crash_is_shown_as_being_processed(accept):
    crash_id = accept()
    lease = leases.take(ANY_ORDER)
    assert (lease.crash_id, lease.ruleset, lease.attempts) == (crash_id, "default", 1)
    entry = Crash.objects.get()
    assert (entry.state, entry.attempts) == ("processing", 1)
    assert leases.count() == 1
    assert queue.waiting()["standard"] == 0


def test_crash_that_is_processed_again_stays_processed_for_its_readers(accept):
    accept()
    Crash.objects.update(state="processed")
    leases.take(ANY_ORDER)
    assert Crash.objects.get().state == "processed"


def test_a_taken_crash_is_not_given_to_anybody_else(accept):
    accept()
    leases.take(ANY_ORDER)
    assert leases.take(ANY_ORDER) is None
    assert not leases.is_due()


def test_messages_of_one_queue_are_taken_in_the_order_in_which_they_came(accept):
    ids = [accept() for _ in range(5)]
    assert [leases.take(ANY_ORDER).crash_id for _ in ids] == ids


def test_a_lease_that_ran_out_lets_the_crash_be_taken_again_and_is_worth_nothing_then(accept, settings):
    settings.QUEUE = {**settings.QUEUE, "lease_seconds": 0}
    crash_id = accept()
    first = leases.take(ANY_ORDER)
    settings.QUEUE = {**settings.QUEUE, "lease_seconds": 45}
    second = leases.take(ANY_ORDER)
    assert (second.crash_id, second.attempts) == (crash_id, 2)
    assert not leases.renew(first)
    assert not leases.put_off(first, "StorageError", seconds=0, counted=False)
    assert leases.renew(second)


def test_an_older_message_whose_lease_ran_out_goes_before_a_backlog(accept, settings):
    settings.QUEUE = {**settings.QUEUE, "lease_seconds": 0}
    dead = accept()
    leases.take(ANY_ORDER)
    accept()
    assert leases.take(ANY_ORDER).crash_id == dead


def test_a_working_worker_keeps_its_lease_for_longer_than_it_was_given(accept, settings):
    settings.QUEUE = {**settings.QUEUE, "lease_seconds": 0.3}
    accept()
    lease = leases.take(ANY_ORDER)
    given_until = QueuedCrash.objects.get().due_at
    with leases.kept(lease):
        wait_until(lambda: timezone.now() > given_until + timedelta(seconds=0.3))
        assert leases.take(ANY_ORDER) is None


def test_a_crash_put_off_without_fault_comes_due_later_with_all_its_attempts_left(accept):
    accept()
    lease = leases.take(ANY_ORDER)
    assert leases.put_off(lease, "StorageError", seconds=3600, counted=False)
    assert leases.take(ANY_ORDER) is None
    message = QueuedCrash.objects.get()
    assert (message.attempts, message.deferrals, message.lease) == (0, 1, None)
    entry = Crash.objects.get()
    assert (entry.state, entry.last_error) == ("queued", "StorageError")


def test_a_crash_put_off_by_a_fault_keeps_count(accept):
    accept()
    leases.put_off(leases.take(ANY_ORDER), "ValueError", seconds=0, counted=True)
    assert leases.take(ANY_ORDER).attempts == 2


def test_one_crash_can_be_claimed_unless_a_worker_has_it(accept):
    waiting, taken, new = accept(), accept(), crashid.create()
    assert leases.claim(taken, "default").crash_id == taken
    assert leases.claim(taken, "default") is None
    assert leases.claim(new, "regenerate_signature").ruleset == "regenerate_signature"
    assert leases.claim(waiting, "regenerate_signature").ruleset == "default"  # which it waited for
    assert not leases.is_due()


def test_full_queues_share_the_turns_and_none_starves(accept):
    for name in queue.QUEUES:
        for _ in range(20):
            accept(queue=name)
    turns = Turns()
    taken = [leases.take(turns.next()).message_id for _ in range(20)]
    assert Counter(QueuedCrash.objects.filter(id__in=taken).values_list("queue", flat=True)) == {
        "priority": 14,
        "standard": 4,
        "reprocessing": 2,
    }


def test_new_crashes_hardly_notice_that_all_old_ones_are_processed_again(accept):
    queue.publish([f"{number:08x}-7a11-4f00-8a5e-1c3f50260801" for number in range(2000)])
    new = {accept() for _ in range(9)}
    turns = Turns()
    taken = {leases.take(turns.next()).crash_id for _ in range(10)}
    assert new <= taken


def test_an_empty_queue_leaves_its_turns_to_the_others(accept):
    ids = {accept(queue="reprocessing") for _ in range(10)}
    turns = Turns()
    assert {leases.take(turns.next()).crash_id for _ in range(10)} == ids


@pytest.mark.parametrize("workers", [4])
def test_workers_at_the_same_time_take_each_crash_once(accept, workers):
    ids = [accept(queue=queue.QUEUES[number % 3]) for number in range(60)]
    taken: list[str] = []

    def work() -> None:
        turns = Turns()
        while leases.is_due():
            lease = leases.take(turns.next())
            if lease is not None:
                taken.append(lease.crash_id)
        django_connection.close()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(ids)
