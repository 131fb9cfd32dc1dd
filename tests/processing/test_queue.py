from __future__ import annotations

import subprocess
import sys
import uuid
from datetime import date

import pytest

from processing import crashid, queue
from processing.errors import QueueError
from processing.models import Crash, QueuedCrash
from tests.processing.conftest import RECEIVED


def test_accepted_crash_is_in_the_ledger_and_in_the_queue(accept):
    crash_id = crashid.create(date(2026, 8, 1))
    accept(crash_id)
    entry = Crash.objects.get(day=date(2026, 8, 1), crash_id=crash_id)
    assert (entry.product, entry.received_at, entry.state, entry.attempts) == (
        "WaterWolf",
        RECEIVED,
        "queued",
        0,
    )
    message = QueuedCrash.objects.get()
    assert (message.crash_id, message.queue, message.ruleset) == (crash_id, "standard", "default")


def test_accepting_a_crash_twice_leaves_one_entry_and_one_message(accept):
    crash_id = crashid.create()
    accept(crash_id)
    accept(crash_id, product="Other")
    assert Crash.objects.get().product == "WaterWolf"
    assert QueuedCrash.objects.count() == 1


def test_accepting_a_crash_that_is_processed_already_queues_nothing(accept):
    crash_id = crashid.create()
    accept(crash_id)
    QueuedCrash.objects.all().delete()
    Crash.objects.update(state="processed")
    accept(crash_id)
    assert Crash.objects.get().state == "processed"
    assert not QueuedCrash.objects.exists()


def test_a_crash_of_a_far_day_is_accepted_like_any_other(accept):
    crash_id = crashid.create(date(2099, 12, 31))
    accept(crash_id)
    assert Crash.objects.get(day=date(2099, 12, 31)).crash_id == crash_id


def test_listeners_hear_of_an_accepted_crash(connection, accept):
    connection.execute(f"LISTEN {queue.CHANNEL}")
    accept()
    assert [heard.channel for heard in connection.notifies(timeout=10, stop_after=1)] == [queue.CHANNEL]


def test_only_the_first_of_those_that_wait_is_announced(connection, accept):
    connection.execute(f"LISTEN {queue.CHANNEL}")
    for _ in range(3):
        accept()
    assert len(list(connection.notifies(timeout=0))) == 1
    QueuedCrash.objects.update(lease=uuid.uuid4())
    accept()
    assert len(list(connection.notifies(timeout=0))) == 1


def test_hostile_product_names_are_stored_without_what_cannot_be_printed(accept):
    accept(product="Water\0Wolf\ud800\n" + "x" * 1000)
    assert Crash.objects.get().product == "WaterWolf" + "x" * 88


def test_unreachable_database_is_a_queue_error(connection, accept):
    connection.close()
    with pytest.raises(QueueError):
        accept()


def test_nothing_is_accepted_on_a_connection_that_would_not_commit(connection, accept):
    connection.autocommit = False
    with pytest.raises(ValueError, match="autocommit"):
        accept()


def test_unknown_queue_is_refused_by_name(accept):
    with pytest.raises(ValueError, match="'urgent' is no queue"):
        accept(queue="urgent")
    with pytest.raises(ValueError, match="'urgent' is no queue"):
        queue.publish(crashid.create(), queue="urgent")


def test_published_crashes_wait_in_their_queue(transactional_db):
    ids = [crashid.create(date(2026, 8, day)) for day in range(1, 4)]
    assert queue.publish(ids, queue="reprocessing", ruleset="regenerate_signature") == 3
    assert set(QueuedCrash.objects.values_list("crash_id", "queue", "ruleset")) == {
        (crash_id, "reprocessing", "regenerate_signature") for crash_id in ids
    }
    assert queue.waiting() == {"priority": 0, "standard": 0, "reprocessing": 3}


def test_listeners_hear_of_published_crashes_once_a_batch(connection, accept):
    connection.execute(f"LISTEN {queue.CHANNEL}")
    queue.publish([crashid.create() for _ in range(5)])
    connection.execute("SELECT 1")
    assert len(list(connection.notifies(timeout=0))) == 1


def test_publishing_a_waiting_crash_moves_it_to_the_more_urgent_queue_only(accept):
    crash_id = crashid.create()
    accept(crash_id)
    queue.publish(crash_id, queue="priority")
    queue.publish(crash_id, queue="reprocessing")
    assert QueuedCrash.objects.get().queue == "priority"


def test_two_rulesets_for_one_crash_become_the_full_one(transactional_db):
    crash_id = crashid.create()
    queue.publish(crash_id, ruleset="regenerate_signature")
    queue.publish(crash_id, ruleset="default")
    queue.publish(crash_id, ruleset="regenerate_signature")
    assert QueuedCrash.objects.get().ruleset == "default"


def test_publishing_a_failed_crash_shows_it_as_queued_again(accept):
    crash_id = crashid.create()
    accept(crash_id)
    QueuedCrash.objects.all().delete()
    Crash.objects.update(state="failed", last_error="WorkerDied")
    queue.publish(crash_id)
    entry = Crash.objects.get()
    assert (entry.state, entry.last_error) == ("queued", "")


def test_publishing_a_processed_crash_leaves_it_processed(accept):
    crash_id = crashid.create()
    accept(crash_id)
    Crash.objects.update(state="processed")
    queue.publish(crash_id)
    assert Crash.objects.get().state == "processed"


def test_the_queue_is_importable_without_django():
    script = "import sys, processing.queue; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
