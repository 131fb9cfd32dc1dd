"""One connection of a client that comes directly: slow, silent, or with more than it may send."""

from __future__ import annotations

import math
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

_END_OF_HEAD = b"\r\n\r\n"
_HEAD_PIECE = 8192
_LONGEST_HEAD = 32 * 1024  # a request line and three headers as long as gunicorn lets them be
_START_SECONDS = 2.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LINGER_BYTES = 4 * 1024 * 1024
_LINGER_PIECE = 64 * 1024

R = TypeVar("R")


class ClientSocket(socket.socket):
    """A connection that only waits as long as its client keeps to a minimum rate, and never for it to read.

    A request may take ``grace_seconds`` and a second more for every ``minimum_rate`` bytes that have come, and may
    never be silent for longer than ``grace_seconds``. When the time is up, reading ends as if the client had closed;
    ``timed_out`` tells why. `head_has_come` and `take_leave` never wait; they are for the thread that serves all.
    """

    grace_seconds = 20.0
    minimum_rate = 4096

    timed_out = False
    #: Whether the client waits for leave to send its body (``Expect: 100-continue``).
    awaits_continue = False
    #: Whether the connection is kept for another request.
    stays = False
    #: Whether the client may still be sending what nobody will read.
    unread = True
    _head = b""
    _deadline = 0.0
    _begun_at = 0.0
    _received_bytes = 0
    _waits = False
    _unsent = b""
    _swallowed_bytes = 0

    def start_request(self) -> None:
        self.timed_out = self.stays = False
        self.unread = True
        self._begun_at = time.monotonic()
        self._received_bytes = len(self._head)
        self._deadline = self._begun_at + self.grace_seconds

    def head_has_come(self) -> bool:
        """Take what has come of a request's head; give whether it is whole, too long, or cut off by the client."""
        try:
            while _END_OF_HEAD not in self._head and len(self._head) <= _LONGEST_HEAD:
                data = super().recv(_HEAD_PIECE, socket.MSG_DONTWAIT)
                if not data:
                    break
                self._head += data
        except BlockingIOError:
            return False
        except OSError:
            pass  # the client is gone, as a thread will find
        return True

    @property
    def head_is_too_long(self) -> bool:
        return len(self._head) > _LONGEST_HEAD and _END_OF_HEAD not in self._head

    def give_back(self, data: bytes) -> None:
        """Have what was read too much received again."""
        self._head = data + self._head

    def take_back(self) -> bytes:
        """Give what was received and read by nobody."""
        rest, self._head = self._head, b""
        return rest

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        data = self._in_time(partial(super().recv, size)) or b""
        self._allow_more_time_for(len(data))
        return data

    def fill(self, buffer: memoryview) -> int:
        """Receive until the buffer is full, the client has ended, or its time is up. Give how many bytes came."""
        filled = min(len(self._head), len(buffer))
        buffer[:filled] = self._head[:filled]
        self._head = self._head[filled:]
        while filled < len(buffer):
            try:
                received = self._in_time(partial(super().recv_into, buffer[filled:], 0))
            except OSError:
                break  # the client has closed; what came before may be whole
            if not received:
                break
            filled += received
            self._allow_more_time_for(received)
        return filled

    def _in_time(self, receive: Callable[[int], R]) -> R | None:
        """Call a receiving function with its flags; wait when nothing has come. Give None when the time is up."""
        if self.timed_out:
            return None
        try:
            return receive(socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
        if self.awaits_continue:
            self.sendall(_CONTINUE)
        seconds = self._deadline - time.monotonic()
        if seconds > 0:
            try:
                self._waits = True
                self.settimeout(seconds)
                return receive(0)
            except TimeoutError:
                pass
            finally:
                self._waits = False
                self.setblocking(True)
        self.timed_out = True
        return None

    def pace(self) -> float:
        """Give how many bytes a second the request has come with; infinity for the first seconds and when it has come.

        Any thread may ask.
        """
        seconds = time.monotonic() - self._begun_at
        return self._received_bytes / seconds if self._waits and seconds > _START_SECONDS else math.inf

    def give_up(self) -> None:
        """Have the thread that waits for this client end as if the time were up. For other threads."""
        self.timed_out = True
        with suppress(OSError):  # the client is gone
            self.shutdown(socket.SHUT_RD)

    def _allow_more_time_for(self, received_bytes: int) -> None:
        """Put the deadline off; but who was fast has no right to be silent for long."""
        self._received_bytes += received_bytes
        self._deadline = min(
            self._deadline + received_bytes / self.minimum_rate, time.monotonic() + self.grace_seconds
        )

    @property
    def owes(self) -> bool:
        """Whether the client does not take its answer as fast as it came."""
        return bool(self._unsent)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send what the connection takes at once, and keep the rest for `take_leave`.

        An answer that does not fit beside those before it is for a client that reads none of them.
        """
        self.awaits_continue = False
        sent = 0
        if not self._unsent:
            with suppress(BlockingIOError):
                sent = super().send(data, flags | socket.MSG_DONTWAIT)
        if sent < len(data):
            self._unsent += bytes(data[sent:])

    def take_leave(self) -> int:
        """Go on so that the client can read its answer before the connection is closed.

        That is: send what is left of it, say the end, and swallow what the client still sends, up to 4 MB, or what has
        come behind a whole request; closing with unread data would reset the connection, and the answer with it.
        Returns: the event of `selectors` after which to call again, 0 when the connection can be closed.
        """
        try:
            if self._unsent:
                self._unsent = self._unsent[super().send(self._unsent, socket.MSG_DONTWAIT) :]
            if self._unsent:
                return selectors.EVENT_WRITE
            if self.unread:
                self.shutdown(socket.SHUT_WR)
            data = super().recv(_LINGER_PIECE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            if self._unsent:
                return selectors.EVENT_WRITE
            return selectors.EVENT_READ if self.unread else 0
        except OSError:
            return 0  # the client is gone
        self._swallowed_bytes += len(data)
        is_over = not data or not self.unread or self._swallowed_bytes >= _LINGER_BYTES
        return 0 if is_over else selectors.EVENT_READ

    def setblocking(self, flag: bool, /) -> None:
        """Do nothing once closed: gunicorn sets this while closing, and takes a failure for a second closing."""
        if self.fileno() >= 0:
            super().setblocking(flag)
