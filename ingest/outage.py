"""Leaving something alone that has failed, until it is time to try again."""

from __future__ import annotations

import threading
import time

#: A trial that takes longer does not keep others from trying.
_LONGEST_TRIAL_SECONDS = 60.0


class Outage:
    """Whether something works, by what those say who have used it; for any number of threads.

    After a failure nobody may use it for ``pause_seconds``; then one may try, and after each failure there is another
    pause, until one has succeeded. So what hangs costs those who came before its first failure their time, and then
    one client now and then. With a pause of 0 everybody may always try.
    """

    def __init__(self, *, pause_seconds: float) -> None:
        self._pause_seconds = pause_seconds
        self._lock = threading.Lock()
        #: By the monotonic clock; 0 while all is well.
        self._next_trial_at = 0.0

    @property
    def lasts(self) -> bool:
        """Whether the last word was a failure."""
        return self._next_trial_at > 0

    def may_try(self) -> bool:
        """Tell whether it is the caller's turn; then `failed` or `succeeded` is to be called."""
        if not self.lasts:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._next_trial_at:
                return False
            self._next_trial_at = now + _LONGEST_TRIAL_SECONDS
            return True

    def failed(self) -> None:
        if self._pause_seconds:
            self._next_trial_at = time.monotonic() + self._pause_seconds

    def succeeded(self) -> None:
        self._next_trial_at = 0.0
