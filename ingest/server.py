"""gunicorn's threaded worker, made safe for clients that come directly: slow, silent, or with more than they may send.

Threads, because a worker process that serves one client at a time is stopped by a few slow ones, and because saving and
queueing a crash is mostly waiting, in which other threads run. A thread is for a request whose head has come, until its
answer is given. For all else the connections wait together, in the poller of the thread that accepts them: clients that
are silent, slow to say what they want, or slow to read what they are told take nothing from those who are not.
"""

from __future__ import annotations

import resource
import select
import selectors
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from logging import getLogger
from typing import Any

from gunicorn.http import errors  # type: ignore[import-untyped]
from gunicorn.http.body import ChunkedReader  # type: ignore[import-untyped]
from gunicorn.http.wsgi import Response  # type: ignore[import-untyped]
from gunicorn.workers import gthread  # type: ignore[import-untyped]

from ingest.client import ClientSocket

log = getLogger(__name__)

#: How requests are refused that are no HTTP to gunicorn; all others by 400.
_REFUSALS = {
    errors.ExpectationFailed: "417 Expectation Failed",
    errors.LimitRequestHeaders: "431 Request Header Fields Too Large",
    errors.LimitRequestLine: "414 URI Too Long",
}
_REFUSAL_BODY = b"Discarded=malformed_request"
_LEAVING_SECONDS = 5.0
_WARNING_SECONDS = 60.0
#: What a process opens beside its connections: files of the submissions in hand, and its own.
_FILES_PER_THREAD = 16
_FILES_BESIDES = 100


def end_connection(start_response: Any) -> None:
    """Have gunicorn close the connection after the answer, instead of reading the rest of a body that nobody wants.

    It does not listen to a Connection header of the application's, so its response object is asked.
    """
    response = getattr(start_response, "__self__", None)
    if isinstance(response, Response):
        response.force_close()


class MethodQueue(gthread.PollableMethodQueue):  # type: ignore[misc]  # gunicorn has no types
    """By which threads have something done by the thread that accepts connections."""

    def close(self) -> None:
        """Leave the pipe open until the process ends: threads that are still at work write to it.

        Closed, its number would soon be that of another file, and they would write to that.
        """


class Threads(ThreadPoolExecutor):
    """Threads that are started as they are needed: each keeps memory from what it has done.

    When the system has no room for one more, those that there are do the work, one request after the other.
    """

    def start_one(self) -> None:
        """See that there is a thread. Raises: ValueError when the system does not even allow one."""
        self.submit(int)

    def _adjust_thread_count(self) -> None:  # the library's name
        try:
            super()._adjust_thread_count()
        except RuntimeError as exc:
            if not self._threads:
                raise ValueError(
                    "the system allows this process no thread: have it allow more (ulimit -u, TasksMax=, the "
                    "container's limit of pids or of memory)"
                ) from exc
            log.warning("no room for another thread: %d do the work", len(self._threads))


class CollectorWorker(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's `gthread` worker over `ClientSocket`.

    Connections with a thread, or in line for one, are in `_served`. The others are in one of three places, each in the
    order in which their time is up: `_waiting` for the head of a request, gunicorn's ``keepalived_conns`` between two
    requests, or `_leaving` until the client has read its last answer.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: OrderedDict[Any, None] = OrderedDict()
        self._leaving: OrderedDict[Any, None] = OrderedDict()
        self._served: set[Any] = set()
        self.method_queue = MethodQueue()
        self._warned_at = -_WARNING_SECONDS

    def get_thread_pool(self) -> ThreadPoolExecutor:
        return Threads(self.cfg.threads)

    def run(self) -> None:
        """Serve until told to end, and then finish what is in hand; give up what has not come when time is up."""
        super().run()
        for conn in self._served:
            conn.sock.give_up()

    def is_parent_alive(self) -> bool:
        """Without the arbiter, end as if it had said so: its successor needs the address."""
        if not super().is_parent_alive():
            self.alive = False
        return self.alive

    def accept(self, listener: socket.socket) -> None:
        """Take a connection. What keeps the system from giving it keeps nobody else from being served."""
        try:
            super().accept(_Listener(listener))
        except OSError as exc:
            self._warn("a connection could not be taken: %s", exc)

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
        """Give the connection a thread once the head of its request has come; until then it waits in the poller."""
        if conn.initialized:
            conn.sock.give_back(conn.parser.unreader.take_buffered())
        if conn.sock.head_has_come():
            self._serve(conn)
            return
        conn.timeout = time.monotonic() + conn.sock.grace_seconds
        self._put_in(self._waiting, conn, selectors.EVENT_READ, partial(self._hear, conn))

    def _hear(self, conn: Any, sock: ClientSocket) -> None:
        if sock.head_has_come():
            self._take_out(conn, self._waiting)
            self._serve(conn)

    def _serve(self, conn: Any) -> None:
        conn.data_ready = True
        self._served.add(conn)
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Serve one request, in a thread of its own. Give whether another one may follow."""
        conn.sock.start_request()
        if conn.sock.head_is_too_long:
            self.handle_error(None, conn.sock, conn.client, errors.LimitRequestHeaders("no end of the head"))
            return False
        keep = super().handle(conn)
        if keep is True:
            # What has been read of the connection's next request. gunicorn looks for it in the parser.
            unreader = conn.parser.unreader
            unreader.unread(unreader.take_buffered() + conn.sock.take_back())
            conn.sock.stays = not conn.sock.owes
        return keep

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer one request, whose body the application reads from the socket itself.

        gunicorn would give leave to send a body before anybody has looked whether it is wanted, and would take
        ``gzip, chunked`` without undoing the gzip. Raises: UnsupportedTransferCoding.
        """
        if isinstance(req.body.reader, ChunkedReader):
            _check_transfer_coding(req.headers)
        conn.sock.awaits_continue, req._expected_100_continue = req._expected_100_continue, False
        conn.sock.give_back(req.unreader.take_buffered())
        return super().handle_request(req, conn)

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

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Keep the connection for another request, or take leave of its client, here and without a thread."""
        self._served.discard(conn)
        if not conn.sock.stays:
            self._leave(conn)
            return
        super().finish_request(conn, fs)
        if conn.sock.fileno() < 0:  # the poller did not take it, and gunicorn has closed it where it lies
            with suppress(ValueError):
                self.keepalived_conns.remove(conn)

    def _leave(self, conn: Any) -> None:
        event = conn.sock.take_leave()
        if not event:
            self._close(conn)
            return
        conn.timeout = time.monotonic() + _LEAVING_SECONDS
        self._put_in(self._leaving, conn, event, partial(self._go_on_leaving, conn))

    def _go_on_leaving(self, conn: Any, sock: ClientSocket) -> None:
        event = sock.take_leave()
        if event:
            self.poller.modify(sock, event, partial(self._go_on_leaving, conn))
        else:
            self._drop(conn, self._leaving)

    def murder_pending(self) -> None:
        """Close the connections whose time is up; and when all places are taken, make room for one more."""
        now = time.monotonic()
        for place in (self._waiting, self._leaving):
            while place and (first := next(iter(place))).timeout <= now:
                self._drop(first, place)
        if self.alive and self.nr_conns >= self.worker_connections:
            self._make_room()

    def _cap_keepalive(self, deadline: float) -> None:
        """At the end, do not wait for silent clients as long as for those whose submissions have begun."""
        super()._cap_keepalive(deadline)
        for conn in self._waiting:
            conn.timeout = min(conn.timeout, deadline)

    def _make_room(self) -> None:
        """Close the connection that is missed least.

        That is one whose client has all its answers, or else the one that has waited longest for the head of a request:
        a client that is in earnest sends that at once, so nobody can keep others out by opening connections.
        """
        self._warn(
            "all %d places for connections are taken: closing those that wait", self.worker_connections
        )
        if self.keepalived_conns:
            conn = self.keepalived_conns.popleft()
            self.poller.unregister(conn.sock)
            self._close(conn)
        elif place := self._leaving or self._waiting:
            self._drop(next(iter(place)), place)

    def _put_in(
        self, place: OrderedDict[Any, None], conn: Any, event: int, callback: Callable[[ClientSocket], None]
    ) -> None:
        """Have a connection wait for an event; close it when the system has no room for that."""
        try:
            self.poller.register(conn.sock, event, callback)
        except OSError as exc:
            self._warn("a connection could not be waited for: %s", exc)
            self._close(conn)
        else:
            place[conn] = None

    def _drop(self, conn: Any, place: OrderedDict[Any, None]) -> None:
        self._take_out(conn, place)
        self._close(conn)

    def _take_out(self, conn: Any, place: OrderedDict[Any, None]) -> None:
        del place[conn]
        self.poller.unregister(conn.sock)

    def _close(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()

    def _warn(self, text: str, *values: object) -> None:
        """Log what may happen very often, once a minute."""
        now = time.monotonic()
        if now >= self._warned_at + _WARNING_SECONDS:
            self._warned_at = now
            self.log.warning(text, *values)


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


def _check_transfer_coding(headers: list[tuple[str, str]]) -> None:
    for name, value in headers:
        if name == "TRANSFER-ENCODING" and value.lower() != "chunked":
            raise errors.UnsupportedTransferCoding(value)


def bind_address(host: str, port: int) -> str:
    """Give gunicorn's spelling of an address; IPv6 needs brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_places(*, connections: int, threads: int, requests: int) -> None:
    """Raises: ValueError when submissions could take all threads, or threads all connections."""
    if requests >= threads:
        raise ValueError(
            f"COLLECTOR_REQUESTS={requests} is not below COLLECTOR_THREADS={threads}: a thread has to be left that "
            "turns away further submissions and answers health checks"
        )
    if threads >= connections:
        raise ValueError(
            f"COLLECTOR_THREADS={threads} is not below COLLECTOR_CLIENT_CONNECTIONS={connections}: a connection has to "
            "be left that waits for its turn"
        )


def allow_open_files(connections: int, threads: int) -> None:
    """Let this process open as many files as so many connections and threads need.

    Raises: ValueError when the system does not allow it.
    """
    needed = connections + threads * _FILES_PER_THREAD + _FILES_BESIDES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (OSError, ValueError) as exc:
        raise ValueError(
            f"COLLECTOR_CLIENT_CONNECTIONS={connections} with COLLECTOR_THREADS={threads} takes {needed} open files, "
            f"and the system allows {hard}: set lower numbers, or have it allow more (ulimit -n, LimitNOFILE=)"
        ) from exc
