"""Prove that everything the site stands on answers: each part with a time limit, and never asked twice at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from threading import Lock, Thread

from django.db import connection

from processing import queue
from processing.search import get_search
from processing.storage import get_storage

logger = logging.getLogger(__name__)

#: How long one part may take before it counts as failed.
TIME_LIMIT_SECONDS = 5.0

#: For so long an answer serves everybody who asks, so that probes cannot hammer the parts.
CACHE_SECONDS = 1.0


def check_database() -> None:
    """Raises: django.db.Error when the database does not answer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def check_storage() -> None:
    """Raises: StorageError."""
    get_storage().check()


def check_queue() -> None:
    """Raises: QueueError."""
    queue.waiting()


def check_search() -> None:
    """Raises: SearchError."""
    get_search().check()


CHECKS: Mapping[str, Callable[[], None]] = {
    "database": check_database,
    "storage": check_storage,
    "queue": check_queue,
    "search": check_search,
}


class Heartbeat:
    """Runs checks side by side, each in a thread of its own, and remembers the answer for a moment.

    A check that hangs counts as failed, and is not started again before it has come back: a part that does not answer
    costs one thread, however often probes ask.
    """

    def __init__(
        self,
        checks: Mapping[str, Callable[[], None]],
        time_limit_seconds: float = TIME_LIMIT_SECONDS,
        cache_seconds: float = CACHE_SECONDS,
    ) -> None:
        self._checks = checks
        self._time_limit_seconds = time_limit_seconds
        self._cache_seconds = cache_seconds
        self._lock = Lock()
        self._running: dict[str, Future[bool]] = {}
        self._answer: dict[str, bool] = {}
        self._answered_at = float("-inf")

    def beat(self) -> dict[str, bool]:
        """Give for each part whether it answered in time."""
        with self._lock:  # whoever comes meanwhile waits for this answer, and gets it
            if time.monotonic() - self._answered_at >= self._cache_seconds:
                self._answer = self._ask()
                self._answered_at = time.monotonic()
            return dict(self._answer)

    def _ask(self) -> dict[str, bool]:
        for name, check in self._checks.items():
            if name not in self._running or self._running[name].done():
                self._running[name] = _start(name, check)
        done, late = wait(self._running.values(), timeout=self._time_limit_seconds)
        for name, future in self._running.items():
            if future in late:
                logger.error("heartbeat: %s does not answer within %s s", name, self._time_limit_seconds)
        return {name: future in done and future.result() for name, future in self._running.items()}


def _start(name: str, check: Callable[[], None]) -> Future[bool]:
    """Run a check in a daemon thread: one that hangs must not keep the process from ending."""
    answer: Future[bool] = Future()
    Thread(
        target=lambda: answer.set_result(_succeeds(name, check)), name=f"heartbeat {name}", daemon=True
    ).start()
    return answer


def _succeeds(name: str, check: Callable[[], None]) -> bool:
    try:
        check()
    except Exception:
        # whatever goes wrong in a part, the answer is that it does not work; the log has the cause
        logger.exception("heartbeat: %s failed", name)
        return False
    finally:
        connection.close()  # of this thread: a connection kept here would outlive a restart of the database
    return True
