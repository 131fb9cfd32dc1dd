"""Wait for what another process does, by looking again and again instead of sleeping for a guessed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], *, seconds: float = 30) -> T:
    """Give the first true value of ``condition``. Raises: TimeoutError when none came within the time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{condition} stayed {value!r} for {seconds} s")
        time.sleep(0.01)
    return value
