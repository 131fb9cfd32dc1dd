"""What a spool holds, for /metrics."""

from __future__ import annotations

from collections.abc import Mapping

from ingest.measured import Measured
from ingest.spool import Spool
from processing.errors import StorageError


class SpoolGauges:
    """Counts what a spool holds when somebody asks: not too often, for a second at most, and never twice at once.

    Who asks while another counts, or shortly after, gets what was known before. So a disk that hangs holds one thread.
    """

    def __init__(self, spool: Spool, *, counting_seconds: float = 1.0) -> None:
        self._spool = spool
        self._counting_seconds = counting_seconds
        self._counted: Measured[Mapping[str, float]] = Measured(self._count, at_first={})

    def __call__(self) -> Mapping[str, float]:
        """Give numbers by the names of `ingest.metrics.METRICS`; none while the spool cannot be read."""
        return self._counted.get()

    def _count(self) -> Mapping[str, float]:
        try:
            waiting = self._spool.waiting(self._counting_seconds)
        except StorageError:  # /__heartbeat__ says so
            return {}
        return {
            "spool_bytes": waiting.crash_bytes,
            "spool_crashes": waiting.crashes,
            "spool_notes": waiting.notes,
            "spool_refused": waiting.refused,
            "spool_damaged": waiting.damaged,
        }
