"""What a spool holds, for /metrics."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

from ingest.spool import Spool
from processing.errors import StorageError

_KNOWN_SECONDS = 2.0
#: How much of its time a process may spend on counting: one part of so many.
_COUNTING_PART = 20


class SpoolGauges:
    """Counts what a spool holds when somebody asks: not too often, for a second at most, and never twice at once.

    Who asks while another counts, or shortly after, gets what was known before. So a disk that hangs holds one thread.
    """

    def __init__(self, spool: Spool, *, counting_seconds: float = 1.0) -> None:
        self._spool = spool
        self._counting_seconds = counting_seconds
        self._counting = threading.Lock()
        self._counted: Mapping[str, float] = {}
        self._due_at = -math.inf

    def __call__(self) -> Mapping[str, float]:
        """Give numbers by the names of `ingest.metrics.METRICS`; none while the spool cannot be read."""
        if time.monotonic() >= self._due_at and self._counting.acquire(blocking=False):
            try:
                self._count()
            finally:
                self._counting.release()
        return self._counted

    def _count(self) -> None:
        started = time.monotonic()
        counted: Mapping[str, float] = {}
        with suppress(StorageError):  # /__heartbeat__ says so
            waiting = self._spool.waiting(self._counting_seconds)
            counted = {
                "spool_bytes": self._spool.size_bytes(),
                "spool_crashes": waiting.crashes,
                "spool_notes": waiting.notes,
                "spool_refused": waiting.refused,
                "spool_damaged": waiting.damaged,
            }
        self._counted = counted
        ended = time.monotonic()
        self._due_at = ended + max(_KNOWN_SECONDS, (ended - started) * _COUNTING_PART)
