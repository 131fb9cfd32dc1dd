"""How much is taken in at the same time."""

from __future__ import annotations

import threading
from types import TracebackType

from ingest.errors import Overloaded


class Gate:
    """Bounds the submissions in hand, and the bytes they announce, have sent or make us hold, in one process.

    Args: beyond ``requests`` or ``wire_bytes`` a further submission is turned away. A single one always passes the
    second bound, so that the limits of one submission, not this one, decide how large it may be.
    """

    def __init__(self, *, requests: int, wire_bytes: int) -> None:
        self._max_requests = requests
        self._max_bytes = wire_bytes
        self._lock = threading.Lock()
        self.requests = 0
        self.wire_bytes = 0

    def enter(self, announced_bytes: int) -> Ticket:
        """Take a submission in; leave by closing the ticket. Raises: Overloaded."""
        with self._lock:
            if self.requests >= self._max_requests:
                raise Overloaded("too many submissions at the same time")
            if self.requests and self.wire_bytes + announced_bytes > self._max_bytes:
                raise Overloaded("too many bytes at the same time")
            self.requests += 1
            self.wire_bytes += announced_bytes
        return Ticket(self, announced_bytes)

    def grow(self, size: int) -> None:
        with self._lock:
            if self.requests > 1 and self.wire_bytes + size > self._max_bytes:
                raise Overloaded("too many bytes at the same time")
            self.wire_bytes += size

    def leave(self, size: int) -> None:
        with self._lock:
            self.requests -= 1
            self.wire_bytes -= size


class Ticket:
    """A submission in hand; a context manager."""

    def __init__(self, gate: Gate, announced_bytes: int) -> None:
        self._gate = gate
        self._received = announced_bytes
        self._size = announced_bytes

    def grow_to(self, received_bytes: int) -> None:
        """Account for a body whose length was not announced. Raises: Overloaded."""
        if received_bytes > self._received:
            self.add(received_bytes - self._received)
            self._received = received_bytes

    def add(self, size: int) -> None:
        """Account for bytes that decompression has added to what is held in memory. Raises: Overloaded."""
        self._gate.grow(size)
        self._size += size

    def __enter__(self) -> Ticket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._gate.leave(self._size)
