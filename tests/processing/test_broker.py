from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.db import connection as django_connection
from django_q.brokers import get_broker
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from processing import leases, queue
from processing.broker import CrashBroker
from processing.errors import QueueError
from tests.waiting import wait_until


@pytest.fixture
def broker(transactional_db: None) -> Iterator[CrashBroker]:
    made = get_broker()
    yield made
    made.close()


def test_the_settings_name_this_broker(broker):
    assert type(broker) is CrashBroker
    assert broker.ping()


def test_a_due_message_makes_a_ticket_that_calls_the_next_crash_and_takes_nothing(broker, accept):
    accept()
    [(ack_id, ticket)] = broker.dequeue()
    assert ack_id is None
    task = SignedPackage.loads(ticket)
    assert (task["func"], task["args"], task["kwargs"]) == ("processing.tasks.process_next", (), {})
    assert (broker.queue_size(), broker.lock_size()) == (1, 0)


def test_no_message_is_no_ticket(broker, accept):
    assert broker.dequeue() is None
    accept()
    leases.take(queue.QUEUES)
    assert broker.dequeue() is None
    assert (broker.queue_size(), broker.lock_size()) == (0, 1)


def test_a_waiting_broker_is_woken_by_a_new_message(broker, accept, monkeypatch):
    monkeypatch.setattr("processing.broker.LOOK_SECONDS", 600)
    broker.dequeue()  # connects, and looks again at once
    woken: list[object] = []

    def wait() -> None:
        woken.append(broker.dequeue())
        django_connection.close()

    waiting = threading.Thread(target=wait)
    waiting.start()
    accept()
    wait_until(lambda: woken)
    waiting.join()
    assert broker.dequeue() is not None


def test_a_broker_whose_connections_broke_waits_and_connects_again(broker, accept, connection, monkeypatch):
    monkeypatch.setattr("processing.broker.REST_SECONDS", 0.01)
    broker.dequeue()
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert broker.dequeue() is None
    accept()
    assert broker.dequeue() is not None


def test_tasks_of_other_kinds_are_refused_with_the_way_out(broker):
    with pytest.raises(QueueError, match=r"queue\.publish"):
        async_task("math.sqrt", 4)
