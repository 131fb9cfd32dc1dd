"""How much is taken in at the same time."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Protocol

from ingest.errors import Overloaded


class Client(Protocol):
    """Who sends a submission; `ingest.client.ClientSocket` is one."""

    def pace(self) -> float:
        """Give the bytes per second that have come, infinity when that says nothing or no more is waited for."""

    def give_up(self) -> None:
        """Wait for it no longer."""


class Gate:
    """Bounds the submissions in hand, the bytes they announce or have sent, and the memory they take, in one process.

    Args: beyond ``requests``, ``wire_bytes`` or ``memory_bytes`` a further submission takes the room of the one whose
    client is the slowest, if that sends less than ``pace`` bytes a second, and is turned away if none does. So a few
    clients that send as little as they may do not keep out all others. A single submission always passes the last two
    limits, so that the limits of one submission, not these, decide how large it may be.
    """

    def __init__(self, *, requests: int, wire_bytes: int, memory_bytes: int, pace: int) -> None:
        self._max_requests = requests
        self._max_bytes = wire_bytes
        self._max_memory = memory_bytes
        self._pace = pace
        self._lock = threading.Lock()
        self._inside: dict[Ticket, None] = {}
        self.wire_bytes = 0
        self.memory_bytes = 0

    @property
    def requests(self) -> int:
        return len(self._inside)

    def enter(self, announced_bytes: int, client: Client) -> Ticket:
        """Take a submission in; leave by closing the ticket. Raises: Overloaded."""
        ticket = Ticket(self, client)
        with self._lock:
            while len(self._inside) >= self._max_requests:
                self._give_up_the_slowest("too many submissions at the same time")
            while self._inside and self.wire_bytes + announced_bytes > self._max_bytes:
                self._give_up_the_slowest("too many bytes at the same time")
            self._inside[ticket] = None
            self._add(ticket, announced_bytes, 0)
        return ticket

    def grow(self, ticket: Ticket, wire_bytes: int) -> None:
        with self._lock:
            while len(self._inside) > 1 and self.wire_bytes + wire_bytes > self._max_bytes:
                self._give_up_the_slowest("too many bytes at the same time")
            self._add(ticket, wire_bytes, 0)

    def hold(self, ticket: Ticket, memory_bytes: int) -> None:
        with self._lock:
            while len(self._inside) > 1 and self.memory_bytes + memory_bytes > self._max_memory:
                self._give_up_the_slowest("too many large annotations at the same time")
            self._add(ticket, 0, memory_bytes)

    def leave(self, ticket: Ticket) -> None:
        with self._lock:
            self._release(ticket)

    def _give_up_the_slowest(self, reason: str) -> None:
        """Free the room of a submission. Its own thread has not left yet, and keeps its connection open until then."""
        slowest = min(self._inside, key=lambda ticket: ticket.client.pace())
        if slowest.client.pace() >= self._pace:
            raise Overloaded(reason)
        slowest.client.give_up()
        self._release(slowest)

    def _add(self, ticket: Ticket, wire_bytes: int, memory_bytes: int) -> None:
        ticket.wire_bytes += wire_bytes
        ticket.memory_bytes += memory_bytes
        self.wire_bytes += wire_bytes
        self.memory_bytes += memory_bytes

    def _release(self, ticket: Ticket) -> None:
        self._inside.pop(ticket, None)
        self._add(ticket, -ticket.wire_bytes, -ticket.memory_bytes)


class Ticket:
    """A submission in hand; a context manager. What it holds is counted by its gate."""

    def __init__(self, gate: Gate, client: Client) -> None:
        self._gate = gate
        self.client = client
        self.wire_bytes = 0
        self.memory_bytes = 0

    def grow_to(self, received_bytes: int) -> None:
        """Account for a body whose length was not announced. Raises: Overloaded."""
        if received_bytes > self.wire_bytes:
            self._gate.grow(self, received_bytes - self.wire_bytes)

    def hold(self, memory_bytes: int) -> None:
        """Account for unusually much memory that this submission takes until its end. Raises: Overloaded."""
        self._gate.hold(self, memory_bytes)

    def __enter__(self) -> Ticket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._gate.leave(self)
