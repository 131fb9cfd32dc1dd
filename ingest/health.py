"""Whether the collector can do its work now."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from logging import getLogger

from ingest.publisher import Publisher
from ingest.spool import Spool
from processing.errors import CrashStatsError
from processing.storage.base import CrashStorage

log = getLogger(__name__)


class Health:
    """Really asks storage, queue and spool, all at once and within a time.

    Probes that come often, or while others are being answered, get the last answer: so a part that hangs holds up one
    thread of the process, however many ask.

    Args: an answer counts for ``fresh_seconds``; what takes longer than ``timeout_seconds`` counts as failed.
    """

    def __init__(
        self,
        storage: CrashStorage,
        publisher: Publisher,
        spool: Spool,
        *,
        timeout_seconds: float = 5,
        fresh_seconds: float = 2,
    ) -> None:
        self._checks: Mapping[str, Callable[[], None]] = {
            "storage": storage.check,
            "queue": publisher.check,
            "spool": spool.check,
        }
        self._timeout_seconds = timeout_seconds
        self._fresh_seconds = fresh_seconds
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._running: dict[str, Future[None]] = {}
        self._checked_at = 0.0
        self._errors: list[dict[str, str]] | None = None

    def errors(self) -> list[dict[str, str]]:
        """Give ``{"name", "msg"}`` for each part that does not work; the texts may be shown to anyone."""
        if not self._lock.acquire(blocking=self._errors is None):
            return self._errors or []
        try:
            if self._errors is None or time.monotonic() - self._checked_at >= self._fresh_seconds:
                self._errors = self._check()
                self._checked_at = time.monotonic()
            return self._errors
        finally:
            self._lock.release()

    def _check(self) -> list[dict[str, str]]:
        if self._executor is None:  # made here: threads do not survive the fork of a worker
            self._executor = ThreadPoolExecutor(len(self._checks), thread_name_prefix="health")
        for name, check in self._checks.items():
            if name not in self._running or self._running[name].done():
                self._running[name] = self._executor.submit(check)
        wait(self._running.values(), self._timeout_seconds)
        return [
            {"name": name, "msg": problem}
            for name, future in self._running.items()
            if (problem := self._problem(name, future))
        ]

    def _problem(self, name: str, future: Future[None]) -> str:
        if not future.done():
            return f"no answer within {self._timeout_seconds:g} s"
        exc = future.exception()
        if exc is None:
            return ""
        unforeseen = None if isinstance(exc, CrashStatsError) else exc
        log.warning("health: %s: %s", name, exc, exc_info=unforeseen)
        return "cannot be used now; the collector's log says why"
