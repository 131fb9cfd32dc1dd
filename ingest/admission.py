"""How much is taken in at the same time."""

from __future__ import annotations

import threading
from types import TracebackType

from ingest.errors import Overloaded


class Gate:
    """Bounds the submissions in hand, the bytes they announce or have sent, and the memory they take, in one process.

    Args: beyond ``requests``, ``wire_bytes`` or ``memory_bytes`` a further submission is turned away. A single one
    always passes the last two, so that the limits of one submission, not these, decide how large it may be.
    """

    def __init__(self, *, requests: int, wire_bytes: int, memory_bytes: int) -> None:
        self._max_requests = requests
        self._max_bytes = wire_bytes
        self._max_memory = memory_bytes
        self._lock = threading.Lock()
        self.requests = 0
        self.wire_bytes = 0
        self.memory_bytes = 0

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

    def grow(self, wire_bytes: int) -> None:
        with self._lock:
            if self.requests > 1 and self.wire_bytes + wire_bytes > self._max_bytes:
                raise Overloaded("too many bytes at the same time")
            self.wire_bytes += wire_bytes

    def hold(self, memory_bytes: int) -> None:
        with self._lock:
            if self.requests > 1 and self.memory_bytes + memory_bytes > self._max_memory:
                raise Overloaded("too many large annotations at the same time")
            self.memory_bytes += memory_bytes

    def leave(self, wire_bytes: int, memory_bytes: int) -> None:
        with self._lock:
            self.requests -= 1
            self.wire_bytes -= wire_bytes
            self.memory_bytes -= memory_bytes


class Ticket:
    """A submission in hand; a context manager."""

    def __init__(self, gate: Gate, announced_bytes: int) -> None:
        self._gate = gate
        self._wire_bytes = announced_bytes
        self._memory_bytes = 0

    def grow_to(self, received_bytes: int) -> None:
        """Account for a body whose length was not announced. Raises: Overloaded."""
        if received_bytes > self._wire_bytes:
            self._gate.grow(received_bytes - self._wire_bytes)
            self._wire_bytes = received_bytes

    def hold(self, memory_bytes: int) -> None:
        """Account for unusually much memory that this submission takes until its end. Raises: Overloaded."""
        self._gate.hold(memory_bytes)
        self._memory_bytes += memory_bytes

    def __enter__(self) -> Ticket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._gate.leave(self._wire_bytes, self._memory_bytes)
