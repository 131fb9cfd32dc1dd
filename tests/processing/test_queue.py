from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from django.db import connection as django_connection

from processing import crashid, queue
from processing.errors import QueueError
from processing.models import Crash, QueuedCrash

RECEIVED = datetime(2026, 8, 1, 12, tzinfo=UTC)


@pytest.fixture
def connection(transactional_db: None) -> Iterator[psycopg.Connection[Any]]:
    """A connection such as the collector's: plain psycopg, without Django."""
    parameters = django_connection.get_connection_params()
    with psycopg.connect(
        **{name: parameters[name] for name in ("host", "user", "password", "dbname")}, autocommit=True
    ) as opened:
        yield opened


def accept(connection: psycopg.Connection[Any], crash_id: str, **changes: Any) -> None:
    queue.accept(
        connection,
        **{"crash_id": crash_id, "product": "WaterWolf", "received_at": RECEIVED, **changes},
    )


def test_accepted_crash_is_in_the_ledger_and_in_the_queue(connection):
    crash_id = crashid.create(date(2026, 8, 1))
    accept(connection, crash_id)
    entry = Crash.objects.get(day=date(2026, 8, 1), crash_id=crash_id)
    assert (entry.product, entry.received_at, entry.state, entry.attempts) == (
        "WaterWolf",
        RECEIVED,
        "queued",
        0,
    )
    message = QueuedCrash.objects.get()
    assert (message.crash_id, message.queue, message.ruleset) == (crash_id, "standard", "default")


def test_accepting_a_crash_twice_leaves_one_entry_and_one_message(connection):
    crash_id = crashid.create()
    accept(connection, crash_id)
    accept(connection, crash_id, product="Other")
    assert Crash.objects.get().product == "WaterWolf"
    assert QueuedCrash.objects.count() == 1


def test_accepting_a_crash_that_is_processed_already_queues_nothing(connection):
    crash_id = crashid.create()
    accept(connection, crash_id)
    QueuedCrash.objects.all().delete()
    Crash.objects.update(state="processed")
    accept(connection, crash_id)
    assert Crash.objects.get().state == "processed"
    assert not QueuedCrash.objects.exists()


def test_a_crash_of_a_far_day_is_accepted_like_any_other(connection):
    crash_id = crashid.create(date(2099, 12, 31))
    accept(connection, crash_id)
    assert Crash.objects.get(day=date(2099, 12, 31)).crash_id == crash_id


def test_listeners_hear_of_an_accepted_crash(connection):
    connection.execute(f"LISTEN {queue.CHANNEL}")
    accept(connection, crashid.create())
    assert [heard.channel for heard in connection.notifies(timeout=10, stop_after=1)] == [queue.CHANNEL]


def test_hostile_product_names_are_stored_without_what_cannot_be_printed(connection):
    accept(connection, crashid.create(), product="Water\0Wolf\ud800\n" + "x" * 1000)
    assert Crash.objects.get().product == "WaterWolf" + "x" * 88


def test_unreachable_database_is_a_queue_error(connection):
    connection.close()
    with pytest.raises(QueueError):
        accept(connection, crashid.create())


def test_nothing_is_accepted_on_a_connection_that_would_not_commit(connection):
    connection.autocommit = False
    with pytest.raises(ValueError, match="autocommit"):
        accept(connection, crashid.create())


def test_unknown_queue_is_refused_by_name(connection):
    with pytest.raises(ValueError, match="'urgent' is no queue"):
        accept(connection, crashid.create(), queue="urgent")
    with pytest.raises(ValueError, match="'urgent' is no queue"):
        queue.publish(crashid.create(), queue="urgent")


def test_published_crashes_wait_in_their_queue(connection):
    ids = [crashid.create(date(2026, 8, day)) for day in range(1, 4)]
    assert queue.publish(ids, queue="reprocessing", ruleset="regenerate_signature") == 3
    assert set(QueuedCrash.objects.values_list("crash_id", "queue", "ruleset")) == {
        (crash_id, "reprocessing", "regenerate_signature") for crash_id in ids
    }
    assert queue.waiting() == {"priority": 0, "standard": 0, "reprocessing": 3}


def test_listeners_hear_of_published_crashes_once_a_batch(connection):
    connection.execute(f"LISTEN {queue.CHANNEL}")
    queue.publish([crashid.create() for _ in range(5)])
    connection.execute("SELECT 1")
    assert len(list(connection.notifies(timeout=0))) == 1


def test_publishing_a_waiting_crash_moves_it_to_the_more_urgent_queue_only(connection):
    crash_id = crashid.create()
    accept(connection, crash_id)
    queue.publish(crash_id, queue="priority")
    queue.publish(crash_id, queue="reprocessing")
    assert QueuedCrash.objects.get().queue == "priority"


def test_two_rulesets_for_one_crash_become_the_full_one(connection):
    crash_id = crashid.create()
    queue.publish(crash_id, ruleset="regenerate_signature")
    queue.publish(crash_id, ruleset="default")
    queue.publish(crash_id, ruleset="regenerate_signature")
    assert QueuedCrash.objects.get().ruleset == "default"


def test_publishing_a_failed_crash_shows_it_as_queued_again(connection):
    crash_id = crashid.create()
    accept(connection, crash_id)
    QueuedCrash.objects.all().delete()
    Crash.objects.update(state="failed", last_error="WorkerDied")
    queue.publish(crash_id)
    entry = Crash.objects.get()
    assert (entry.state, entry.last_error) == ("queued", "")


def test_publishing_a_processed_crash_leaves_it_processed(connection):
    crash_id = crashid.create()
    accept(connection, crash_id)
    Crash.objects.update(state="processed")
    queue.publish(crash_id)
    assert Crash.objects.get().state == "processed"


def test_the_queue_is_importable_without_django():
    script = "import sys, processing.queue; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
