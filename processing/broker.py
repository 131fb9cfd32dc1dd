"""The broker between the work queue and django-q2's workers."""

from __future__ import annotations

import logging
import time
from typing import NoReturn

import psycopg
from django.db import Error as DatabaseFailure
from django.db import connection
from django.utils import timezone
from django_q.brokers import Broker
from django_q.signing import SignedPackage

from processing import leases, queue
from processing.errors import QueueError
from processing.listening import Listener

logger = logging.getLogger(__name__)

#: A lease that ran out and a message whose time has come make no noise, nor does one that came in the very moment in
#: which the queue ran empty: somebody has to look.
LOOK_SECONDS = 0.25
#: How long to wait before trying again when the database is away.
REST_SECONDS = 1.0


class CrashBroker(Broker):  # type: ignore[misc]  # django-q2 has no type hints
    """Tells django-q2's workers that there is work; they take it from the three queues themselves.

    What it hands out is a ticket, the same each time: `processing.tasks.process_next`. So nothing is fetched ahead. A
    crash that somebody waits for overtakes any backlog as soon as any worker is free, a cluster that stops has nothing
    to give back, and the lease of a crash begins with the work on it. A ticket too many finds no work, and is cheap.

    Tasks of other kinds have no place here: `enqueue` refuses them.
    """

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        self._listener = Listener(queue.CHANNEL)
        self._ticket = SignedPackage.dumps(
            {
                "id": "process_next",
                "name": "process_next",
                "func": "processing.tasks.process_next",
                "args": (),
                "kwargs": {},
                "started": timezone.now(),
            }
        )

    def dequeue(self) -> list[tuple[None, str]] | None:
        """Give a ticket when a message is due; else wait until one comes, at most `LOOK_SECONDS`, and give None."""
        try:
            if leases.is_due():
                return [(None, self._ticket)]
            self._listener.wait(LOOK_SECONDS)
        except (DatabaseFailure, psycopg.Error) as exc:
            logger.warning("the work queue cannot be read now: %s", type(exc).__name__)
            connection.close()
            self.close()
            time.sleep(REST_SECONDS)
        return None

    def close(self) -> None:
        """Give up the connection that listens."""
        self._listener.close()

    def enqueue(self, task: str) -> NoReturn:
        raise QueueError(
            "these workers process crashes only: queue.publish() asks for one; other work is a management command "
            "that cronrun calls"
        )

    def queue_size(self) -> int:
        return sum(queue.waiting().values())

    def lock_size(self) -> int:
        return leases.count()

    def ping(self) -> bool:
        try:
            leases.is_due()
        except DatabaseFailure:
            return False
        return True

    def info(self) -> str:
        return "PostgreSQL: priority, standard, reprocessing"
