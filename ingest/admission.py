"""How much is taken in at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol

from ingest.errors import GaveWay, Overloaded


class Client(Protocol):
    """Who sends a submission; `ingest.client.ClientSocket` is one."""

    def pace(self) -> float:
        """Give the bytes per second that have come, infinity when that says nothing or no more is waited for."""

    def give_up(self) -> None:
        """Wait for it no longer."""


#: How many times the least rate of clients a submission has to come with to keep its room when others need it.
_TIMES_THE_LEAST_RATE = 8


class Gate:
    """Bounds the submissions in hand, the bytes they announce or have sent, and the memory they take, in one process.

    Args: beyond ``requests``, ``wire_bytes`` or ``memory_bytes`` a further submission takes the room of those whose
    clients are the slowest, if these send less than eight times ``client_rate`` bytes a second, and is turned away if
    that would not do. So a few clients that send as little as they may do not keep out all others. A single submission
    always passes the last two limits, so that the limits of one submission, not these, decide how large it may be; and
    those of up to ``small_bytes`` pass the second one, so that a few large ones that come for hours leave them room.
    """

    def __init__(
        self, *, requests: int, wire_bytes: int, memory_bytes: int, client_rate: int, small_bytes: int = 0
    ) -> None:
        self._max_requests = requests
        self._max_bytes = wire_bytes
        self._max_memory = memory_bytes
        self._small_bytes = small_bytes
        self._pace = client_rate * _TIMES_THE_LEAST_RATE
        self._lock = threading.Lock()
        self._inside: dict[Ticket, None] = {}
        self.wire_bytes = 0
        self.memory_bytes = 0

    @property
    def requests(self) -> int:
        return len(self._inside)

    def enter(self, announced_bytes: int, client: Client) -> Ticket:
        """Take a submission in; leave by closing the ticket.

        Bytes take nobody's room by being announced: unless there is room for them, they are counted as they come.
        Raises: Overloaded.
        """
        ticket = Ticket(self, client)
        with self._lock:
            if self._in_the_way(ticket, announced_bytes):
                announced_bytes = 0
            self._give_up(self._in_the_way(ticket))
            self._inside[ticket] = None
            self._add(ticket, announced_bytes, 0)
        return ticket

    def grow(self, ticket: Ticket, *, wire_bytes: int = 0, memory_bytes: int = 0) -> None:
        """Let a submission hold so much more. Raises: Overloaded; GaveWay when it holds nothing any more."""
        with self._lock:
            if ticket.given_up:
                raise GaveWay
            self._give_up(self._in_the_way(ticket, wire_bytes, memory_bytes))
            self._add(ticket, wire_bytes, memory_bytes)

    def leave(self, ticket: Ticket) -> None:
        with self._lock:
            self._release(ticket)

    def _in_the_way(self, ticket: Ticket, wire_bytes: int = 0, memory_bytes: int = 0) -> list[Ticket]:
        """Choose the submissions to give up so that a certain one may hold so much more.

        Raises: Overloaded when giving up all that are slow would not suffice.
        """
        others = len(self._inside) - (ticket in self._inside)
        is_small = ticket.wire_bytes + wire_bytes <= self._small_bytes
        wire_bytes = 0 if is_small else wire_bytes + self.wire_bytes
        memory_bytes += self.memory_bytes
        slow = self._slowest_first(ticket)
        chosen: list[Ticket] = []
        while full := self._full(others, wire_bytes, memory_bytes):
            slowest = next(slow, None)
            if slowest is None:
                raise Overloaded(full)
            chosen.append(slowest)
            others -= 1
            wire_bytes -= slowest.wire_bytes
            memory_bytes -= slowest.memory_bytes
        return chosen

    def _full(self, others: int, wire_bytes: int, memory_bytes: int) -> str:
        """Say what would be full with one submission beside so many others; nothing when all has room."""
        if others >= self._max_requests:
            return "too many submissions at the same time"
        if others and wire_bytes > self._max_bytes:
            return "too many bytes at the same time"
        if others and memory_bytes > self._max_memory:
            return "too many large annotations at the same time"
        return ""

    def _slowest_first(self, besides: Ticket) -> Iterator[Ticket]:
        paces = {ticket: ticket.client.pace() for ticket in self._inside if ticket is not besides}
        slow = [ticket for ticket, pace in paces.items() if pace < self._pace]
        yield from sorted(slow, key=paces.__getitem__)

    def _give_up(self, tickets: list[Ticket]) -> None:
        """Free the room of submissions. Their own threads leave later, and keep their connections open until then."""
        for ticket in tickets:
            ticket.given_up = True
            ticket.client.give_up()
            self._release(ticket)

    def _add(self, ticket: Ticket, wire_bytes: int, memory_bytes: int) -> None:
        ticket.wire_bytes += wire_bytes
        ticket.memory_bytes += memory_bytes
        self.wire_bytes += wire_bytes
        self.memory_bytes += memory_bytes

    def _release(self, ticket: Ticket) -> None:
        self._inside.pop(ticket, None)
        self._add(ticket, -ticket.wire_bytes, -ticket.memory_bytes)


class Ticket:
    """A submission in hand; a context manager. What it holds is counted by its gate until ``given_up`` for another."""

    def __init__(self, gate: Gate, client: Client) -> None:
        self._gate = gate
        self.client = client
        self.given_up = False
        self.wire_bytes = 0
        self.memory_bytes = 0

    def grow_to(self, received_bytes: int) -> None:
        """Account for bytes that were not announced, or not counted then. Raises: Overloaded, GaveWay."""
        if received_bytes > self.wire_bytes:
            self._gate.grow(self, wire_bytes=received_bytes - self.wire_bytes)

    def hold(self, memory_bytes: int) -> None:
        """Account for unusually much memory that this submission takes until its end. Raises: Overloaded, GaveWay."""
        self._gate.grow(self, memory_bytes=memory_bytes)

    def __enter__(self) -> Ticket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._gate.leave(self)
