"""Tell the ledger and the queue of saved crashes, over a few open connections that never make a client wait long."""

from __future__ import annotations

import queue as queues
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import psycopg
import psycopg.conninfo
from psycopg.abc import PQGen

from processing import crashid, queue
from processing.errors import QueueError

RV = TypeVar("RV")


class _Connection(psycopg.Connection[Any]):
    """A connection whose every statement ends within a time, even when the server hangs."""

    statement_seconds = 2.0
    acceptor: queue.Acceptor

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        return super().wait(gen, interval, self.statement_seconds if timeout is None else timeout)


class Publisher:
    """Publishes from any number of threads of one process, over at most ``connections`` connections.

    Args: ``database`` are libpq's parameters (host, dbname, …); ``timeout_seconds`` bounds connecting, waiting for a
    free connection, and a statement, each (libpq takes no less than 2 for connecting). After a failure nothing is tried
    for ``pause_seconds``, so that a database that is down costs one waiting client now and then, not every client.
    """

    def __init__(
        self, database: Mapping[str, str], *, connections: int, timeout_seconds: float, pause_seconds: float
    ) -> None:
        self._conninfo = psycopg.conninfo.make_conninfo(
            "",
            **{
                **database,
                "connect_timeout": str(max(2, round(timeout_seconds))),
                "application_name": "crashstats collector",
            },
        )
        self._timeout_seconds = timeout_seconds
        self._pause_seconds = pause_seconds
        self._paused_until = 0.0
        self._idle: queues.SimpleQueue[_Connection | None] = queues.SimpleQueue()
        for _ in range(connections):
            self._idle.put(None)

    def publish(self, crash_id: str, *, product: str, received_at: datetime) -> None:
        """Enter a saved crash into the ledger and queue it; calling again for the same crash changes nothing.

        Raises: QueueError when that cannot be done now.
        """
        if time.monotonic() < self._paused_until:
            raise QueueError(f"{crash_id}: the database did not answer a moment ago")
        try:
            self._attempt(crash_id, product, received_at)
        except QueueError:
            # A restarted server leaves connections that only look open: once more, with a new one.
            self._forget_connections()
            try:
                self._attempt(crash_id, product, received_at)
            except QueueError:
                self._paused_until = time.monotonic() + self._pause_seconds
                raise

    def check(self) -> None:
        """Prove that a crash could be entered now, by entering one of today's and taking it back.

        Only the statement itself meets all that may be in its way: no permission, a server that only reads, no room for
        the partition of the day, tables of another version. Nobody ever sees the crash; a row that was taken back
        waits for the next vacuum, and a number of the queue is left out.

        Raises: QueueError.
        """
        try:
            with self._connection() as connection, connection.transaction(force_rollback=True):
                queue.accept(
                    connection, crash_id=crashid.create(), product="check", received_at=datetime.now(UTC)
                )
        except (psycopg.Error, QueueError) as exc:
            self._forget_connections()
            cause = exc.__cause__ or exc
            raise QueueError(f"no crash can be entered into ledger and queue: {cause}") from cause

    def close(self) -> None:
        self._forget_connections()

    def _attempt(self, crash_id: str, product: str, received_at: datetime) -> None:
        with self._connection() as connection:
            connection.acceptor.accept(crash_id=crash_id, product=product, received_at=received_at)

    @contextmanager
    def _connection(self) -> Iterator[_Connection]:
        try:
            connection = self._idle.get(timeout=self._timeout_seconds)
        except queues.Empty:
            raise QueueError("every connection to the database is busy") from None
        try:
            if connection is None or connection.closed:
                connection = None
                connection = self._connect()
            yield connection
        except BaseException:
            if connection is not None:
                connection.close()
                connection = None
            raise
        finally:
            self._idle.put(connection)

    def _connect(self) -> _Connection:
        try:
            connection = _Connection.connect(self._conninfo, autocommit=True)
        except psycopg.Error as exc:
            raise QueueError("the database cannot be reached") from exc
        connection.statement_seconds = self._timeout_seconds
        connection.acceptor = queue.Acceptor(connection)
        return connection

    def _forget_connections(self) -> None:
        """Close what is idle; what is in use closes itself by failing."""
        held: list[None] = []
        while True:
            try:
                connection = self._idle.get_nowait()
            except queues.Empty:
                break
            if connection is not None:
                connection.close()
            held.append(None)
        for slot in held:
            self._idle.put(slot)
