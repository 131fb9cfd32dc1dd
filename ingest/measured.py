"""Numbers that take long to find out."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_KNOWN_SECONDS = 2.0
#: How much of its time a process may spend on one measuring: one part of so many.
_MEASURING_PART = 20


class Measured(Generic[T]):
    """What was measured a moment ago: whoever finds it due measures it while the others go on with what is known.

    Args: ``at_first`` is what the others get while it is measured for the first time; ``waits_at_first`` has them wait
    instead.
    """

    def __init__(self, measure: Callable[[], T], *, at_first: T, waits_at_first: bool = False) -> None:
        self._measure = measure
        self._known = at_first
        self._waits = waits_at_first
        self._due_at = -math.inf
        self._measuring = threading.Lock()

    def get(self) -> T:
        """Raises: what measuring raises, for who measures."""
        if time.monotonic() >= self._due_at and self._measuring.acquire(blocking=self._waits):
            try:
                if time.monotonic() >= self._due_at:
                    self._measure_now()
            finally:
                self._measuring.release()
        return self._known

    def _measure_now(self) -> None:
        started = time.monotonic()
        self._known = self._measure()
        self._waits = False
        ended = time.monotonic()
        self._due_at = ended + max(_KNOWN_SECONDS, (ended - started) * _MEASURING_PART)
