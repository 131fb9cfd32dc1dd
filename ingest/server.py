"""gunicorn's threaded worker, made safe for clients that come directly: slow, silent, or with more than they may send.

Threads, because a worker process that serves one client at a time is stopped by a few slow ones, and because saving and
queueing a crash is mostly waiting, in which other threads run.
"""

from __future__ import annotations

import errno
import select
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from gunicorn.http import errors  # type: ignore[import-untyped]
from gunicorn.http.body import LengthReader  # type: ignore[import-untyped]
from gunicorn.http.wsgi import Response  # type: ignore[import-untyped]
from gunicorn.workers import gthread  # type: ignore[import-untyped]

#: How requests are refused that are no HTTP to gunicorn; all others by 400.
_REFUSALS = {
    errors.ExpectationFailed: "417 Expectation Failed",
    errors.LimitRequestHeaders: "431 Request Header Fields Too Large",
    errors.LimitRequestLine: "414 URI Too Long",
}
_REFUSAL_BODY = b"Discarded=malformed_request"
_SENDING_SECONDS = 3.0
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 4 * 1024 * 1024
_END_OF_HEAD = b"\r\n\r\n"
_HEAD_PIECE = 8192
_LONGEST_HEAD = 128 * 1024  # above what gunicorn allows, so that it says what is wrong

R = TypeVar("R")


class ClientSocket(socket.socket):
    """A connection that only waits as long as its client keeps to a minimum rate.

    A request may take ``grace_seconds`` and a second more for every ``minimum_rate`` bytes that have come, and may
    never be silent for longer than ``grace_seconds``; that bounds headers as well as bodies. When the time is up,
    reading ends as if the client had closed; ``timed_out`` tells why.
    """

    grace_seconds = 20.0
    minimum_rate = 4096

    timed_out = False
    _head = b""
    _head_deadline: float | None = None
    #: Whether the client may still be sending a body that nobody will read.
    unread = True
    _deadline: float | None = None

    def start_request(self) -> None:
        self.timed_out = False
        self.unread = True
        self._deadline = time.monotonic() + self.grace_seconds

    def head_has_come(self) -> bool:
        """Take what has come of a request's head, without waiting; give whether a thread can go on with the request.

        It can when the head is whole, too long, or cut off by the client. Raises: TimeoutError when its time is up.
        """
        now = time.monotonic()
        if self._head_deadline is None:
            self._head_deadline = now + self.grace_seconds
        try:
            while _END_OF_HEAD not in self._head and len(self._head) < _LONGEST_HEAD:
                data = super().recv(_HEAD_PIECE, socket.MSG_DONTWAIT)
                if not data:
                    break
                self._head += data
        except BlockingIOError:
            if now >= self._head_deadline:
                raise TimeoutError from None
            return False
        except OSError:
            pass  # the client is gone, as the thread will find
        self._head_deadline = None
        return True

    @property
    def head_deadline(self) -> float:
        """When the head has to be whole, in seconds of the monotonic clock."""
        return self._head_deadline or 0.0

    def give_back(self, data: bytes) -> None:
        """Have what was read too much received again."""
        self._head = data + self._head

    def take_rest_of_head(self) -> bytes:
        """Give what was received with the head and read by nobody."""
        rest, self._head = self._head, b""
        return rest

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        if self._deadline is None:
            return super().recv(size, flags)
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
        try:
            self.settimeout(max(0.001, (self._deadline or 0) - time.monotonic()))
            return receive(0)
        except TimeoutError:
            self.timed_out = True
            return None
        finally:
            self.setblocking(True)

    def _allow_more_time_for(self, received_bytes: int) -> None:
        """Put the deadline off; but who was fast has no right to be silent for long."""
        self._deadline = min(
            (self._deadline or 0) + received_bytes / self.minimum_rate, time.monotonic() + self.grace_seconds
        )

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send an answer; who does not read even a short one for some seconds has closed the connection for us."""
        sent = 0
        with suppress(BlockingIOError):
            sent = super().send(data, flags | socket.MSG_DONTWAIT)
        if sent == len(data):
            return
        self.settimeout(_SENDING_SECONDS)
        try:
            super().sendall(memoryview(data)[sent:], flags)
        except TimeoutError:
            raise BrokenPipeError(errno.EPIPE, "the client does not read its answer") from None
        finally:
            self.setblocking(True)

    def setblocking(self, flag: bool, /) -> None:
        """Do nothing once closed: gunicorn sets this while closing, and takes a failure for a second closing."""
        if self.fileno() >= 0:
            super().setblocking(flag)

    def end_requests(self) -> None:
        """Let `recv` wait as long as the socket's own timeout says."""
        self._deadline = None


def end_connection(start_response: Any) -> None:
    """Have gunicorn close the connection after the answer, instead of reading the rest of a body that nobody wants.

    It does not listen to a Connection header of the application's, so its response object is asked.
    """
    response = getattr(start_response, "__self__", None)
    if isinstance(response, Response):
        response.force_close()


class LengthBody:
    """Reads a body whose length is known straight from the socket.

    gunicorn's own `wsgi.input` copies every byte several times on its way; for large dumps that costs more than hashing
    them. It is left as if it had been read, so that the connection can be used again.
    """

    def __init__(self, sock: ClientSocket, body: Any) -> None:
        self._sock = sock
        self._reader = body.reader
        received: bytes = self._reader.unreader.take_buffered()
        self._buffered = received[: self._reader.length]
        if len(received) > len(self._buffered):  # the start of the connection's next request
            self._reader.unreader.unread(received[len(self._buffered) :])

    @classmethod
    def of(cls, environ: dict[str, Any]) -> LengthBody | None:
        """Give one when gunicorn's request is served by `CollectorWorker` and has a Content-Length."""
        sock, body = environ.get("gunicorn.socket"), environ["wsgi.input"]
        if isinstance(sock, ClientSocket) and isinstance(getattr(body, "reader", None), LengthReader):
            return cls(sock, body)
        return None

    def read(self, size: int) -> bytes | bytearray:
        """Give ``size`` bytes, fewer at the end; waits for them as `ClientSocket` does.

        They are received straight into one buffer, for each piece that is handed on for itself costs as much as
        copying 50 KB.
        """
        size = min(size, self._reader.length)
        data, self._buffered = self._buffered[:size], self._buffered[size:]
        filled = len(data)
        if filled == size:
            self._reader.length -= size
            return data
        buffer = bytearray(size)
        buffer[:filled] = data
        with memoryview(buffer) as view:
            filled += self._sock.fill(view[filled:])
        del buffer[filled:]
        self._reader.length -= filled
        return buffer


class CollectorWorker(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's `gthread` worker over `ClientSocket`, which lets the last answer arrive before it closes."""

    def accept(self, listener: socket.socket) -> None:
        super().accept(_Listener(listener))

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take no more connections, or take them again; at the end, first take those that the kernel has taken.

        gunicorn would keep the listening socket open until the last submission is finished: clients that come meanwhile
        would wait, and then be cut off.
        """
        super().set_accept_enabled(enabled)
        if self.alive or enabled:
            return
        for listener in self.sockets:
            for _ in range(self.worker_connections - self.nr_conns):
                if not select.select([listener], [], [], 0)[0]:
                    break
                self.accept(listener)
            listener.close()

    def enqueue_req(self, conn: Any) -> None:
        """Give the connection a thread once the head of its request has come; until then it waits in the poller.

        So clients that are silent, or slow to say what they want, take nothing from those who are not.
        """
        if conn.initialized:
            conn.sock.give_back(conn.parser.unreader.take_buffered())
        try:
            ready = conn.sock.head_has_come()
        except TimeoutError:
            self.nr_conns -= 1
            conn.close()
            return
        if ready:
            conn.data_ready = True
            super().enqueue_req(conn)
            return
        conn.timeout = conn.sock.head_deadline
        self.pending_conns.append(conn)
        on_readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, on_readable)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Refuse what is no HTTP in one line, as crash reporters need it.

        gunicorn would log the client's address and what it sent; and it answers an unknown Transfer-Encoding with 501,
        which asks for trying again.
        """
        if not isinstance(exc, errors.ParseException):
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("refused a request that is no HTTP: %s", type(exc).__name__)
        status = _REFUSALS.get(type(exc), "400 Bad Request")
        head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain\r\n"
        length = f"Content-Length: {len(_REFUSAL_BODY)}\r\n\r\n"
        with suppress(OSError):  # the client is gone
            client.sendall((head + length).encode("ascii") + _REFUSAL_BODY)

    def handle(self, conn: Any) -> Any:
        conn.sock.start_request()
        keep = super().handle(conn)
        if keep is True:
            # What has been read of the connection's next request. gunicorn looks for it in the parser.
            unreader = conn.parser.unreader
            unreader.unread(unreader.take_buffered() + conn.sock.take_rest_of_head())
        if keep is False:
            # Here, in the request's own thread: gunicorn would linger in the one that accepts.
            _close(conn.sock)
        return keep


class _Listener:
    """A listening socket whose `accept` gives `ClientSocket`."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener

    def accept(self) -> tuple[socket.socket, Any]:
        client, address = self._listener.accept()
        sock = ClientSocket(client.family, client.type, client.proto, fileno=client.detach())
        return sock, address

    def getsockname(self) -> Any:
        return self._listener.getsockname()


def _close(sock: ClientSocket) -> None:
    """Close so that a client that is still sending can read its answer: say the end, then swallow some more.

    Closing with unread data would reset the connection, and the answer with it.
    """
    if not sock.unread:
        sock.close()
        return
    sock.end_requests()
    deadline = time.monotonic() + _LINGER_SECONDS
    swallowed = 0
    try:
        sock.shutdown(socket.SHUT_WR)
        while swallowed < _LINGER_BYTES and (remaining := deadline - time.monotonic()) > 0:
            sock.settimeout(remaining)
            data = sock.recv(65536)
            if not data:
                break
            swallowed += len(data)
    except OSError:
        pass  # the client is gone
    finally:
        sock.close()


def bind_address(host: str, port: int) -> str:
    """Give gunicorn's spelling of an address; IPv6 needs brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
