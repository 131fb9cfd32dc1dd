"""Tell the ledger and the queue of saved crashes, over a few open connections that never make a client wait long."""

from __future__ import annotations

import queue as queues
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import psycopg
import psycopg.conninfo
from psycopg.abc import PQGen

from ingest.outage import Outage
from processing import crashid, queue
from processing.errors import QueueError

RV = TypeVar("RV")


class _Connection(psycopg.Connection[Any]):
    """A connection whose every statement ends within a time, even when the server hangs."""

    statement_seconds = 2.0
    acceptor: queue.Acceptor

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        return super().wait(gen, interval, self.statement_seconds if timeout is None else timeout)


class _Place:
    """Room for one connection, which is made when it is needed."""

    def __init__(self, conninfo: str, timeout_seconds: float) -> None:
        self._conninfo = conninfo
        self._timeout_seconds = timeout_seconds
        self._connection: _Connection | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether there is a connection; the server may have ended it nevertheless."""
        return self._connection is not None and not self._connection.closed

    def connection(self) -> _Connection:
        """Raises: QueueError when the database cannot be reached."""
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> _Connection:
        try:
            connection = _Connection.connect(self._conninfo, autocommit=True)
        except psycopg.Error as exc:
            raise QueueError("the database cannot be reached") from exc
        connection.statement_seconds = self._timeout_seconds
        connection.acceptor = queue.Acceptor(connection)
        return connection


class Publisher:
    """Publishes from any number of threads of one process, over at most ``connections`` connections.

    Args: ``database`` are libpq's parameters (host, dbname, …); ``timeout_seconds`` bounds connecting, waiting for a
    free connection, and a statement, each (libpq takes no less than 2 for connecting); ``pause_seconds`` is that of
    `Outage`; ``before_retry`` is called before a crash is entered once more.
    """

    def __init__(
        self,
        database: Mapping[str, str],
        *,
        connections: int,
        timeout_seconds: float,
        pause_seconds: float,
        before_retry: Callable[[], None] = lambda: None,
    ) -> None:
        conninfo = psycopg.conninfo.make_conninfo(
            "",
            **{
                **database,
                "connect_timeout": str(max(2, round(timeout_seconds))),
                "application_name": "crashstats collector",
                "client_encoding": "UTF8",
            },
        )
        self._timeout_seconds = timeout_seconds
        self._before_retry = before_retry
        self._outage = Outage(pause_seconds=pause_seconds)
        self._idle: queues.SimpleQueue[_Place] = queues.SimpleQueue()
        for _ in range(connections):
            self._idle.put(_Place(conninfo, timeout_seconds))

    def publish(self, crash_id: str, *, product: str, received_at: datetime) -> None:
        """Enter a saved crash into the ledger and queue it; calling again for the same crash changes nothing.

        Raises: QueueError when that cannot be done now.
        """
        if not self._outage.may_try():
            raise QueueError(f"{crash_id}: the database did not answer a moment ago")
        try:
            self._enter(crash_id, product, received_at)
        except QueueError:
            self._forget_connections()
            self._outage.failed()
            raise
        self._outage.succeeded()

    def check(self) -> None:
        """Prove that a crash could be entered now, by entering one of today's and taking it back.

        Only the statement itself meets all that may be in its way: no permission, a server that only reads, no room for
        the partition of the day, tables of another version. Nobody ever sees the crash; a row that was taken back
        waits for the next vacuum, and a number of the queue is left out.

        Raises: QueueError.
        """
        try:
            with self._place() as place:
                connection = place.connection()
                # Not `transaction()`: after a time-out it would ask once more, while a failure here closes
                # the connection, by which the server takes everything back, too.
                connection.execute("BEGIN")
                connection.acceptor.accept(
                    crash_id=crashid.create(), product="check", received_at=datetime.now(UTC)
                )
                connection.execute("ROLLBACK")
        except (psycopg.Error, QueueError) as exc:
            self._forget_connections()
            cause = exc.__cause__ or exc
            raise QueueError(f"no crash can be entered into ledger and queue: {cause}") from cause

    def close(self) -> None:
        self._forget_connections()

    def _enter(self, crash_id: str, product: str, received_at: datetime) -> None:
        with self._place() as place:
            was_open = place.is_open
            try:
                place.connection().acceptor.accept(
                    crash_id=crash_id, product=product, received_at=received_at
                )
            except QueueError as exc:
                if not was_open or isinstance(exc.__cause__, psycopg.errors._WaitTimeout):
                    raise
                # A restarted server leaves connections that only look open: once more, with a new one.
                self._before_retry()
                self._forget_connections()
                place.close()
                place.connection().acceptor.accept(
                    crash_id=crash_id, product=product, received_at=received_at
                )

    @contextmanager
    def _place(self) -> Iterator[_Place]:
        """Give a place for oneself; what fails closes its connection. Raises: QueueError when none becomes free."""
        began_in_outage = self._outage.lasts
        try:
            place = self._idle.get(timeout=self._timeout_seconds)
        except queues.Empty:
            raise QueueError("every connection to the database is busy") from None
        try:
            if self._outage.lasts and not began_in_outage:
                raise QueueError("the database has failed others while this one waited for a connection")
            yield place
        except BaseException:
            place.close()
            raise
        finally:
            self._idle.put(place)

    def _forget_connections(self) -> None:
        """Close what is idle; what is in use closes itself by failing."""
        places: list[_Place] = []
        while True:
            try:
                places.append(self._idle.get_nowait())
            except queues.Empty:
                break
        for place in places:
            place.close()
            self._idle.put(place)
