"""Answers that cost something: worked out by one caller at a time, and good for everybody who asks soon after."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")

#: An answer serves for this many times as long as it took, so that at most one in so many seconds goes into it.
SHARE = 10
#: But never for longer than this.
MOST_SECONDS = 10.0


class Shared(Generic[T]):
    """Keeps the answer of one function for a while: the longer it took, the longer it serves.

    While the answer is quick it is always fresh, when it is slow it is up to `MOST_SECONDS` old; callers cannot make it
    take more than a tenth of one thread's time. Whoever comes while it is worked out waits for it and gets it.
    """

    def __init__(self, work_out: Callable[[], T], clock: Callable[[], float] = time.monotonic) -> None:
        """Args: ``clock`` gives seconds from any start on."""
        self._work_out = work_out
        self._clock = clock
        self._lock = Lock()
        self._answers: list[T] = []
        self._good_until = float("-inf")

    def get(self) -> T:
        """Give the answer. Raises: what the function raises; the next caller tries again then."""
        with self._lock:
            started = self._clock()
            if not self._answers or started >= self._good_until:
                self._answers = [self._work_out()]
                finished = self._clock()
                self._good_until = finished + min(SHARE * (finished - started), MOST_SECONDS)
            return self._answers[0]
