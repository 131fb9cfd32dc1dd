"""Hear of new rows instead of asking for them again and again."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connection
from psycopg import sql


class Listener:
    """Waits for PostgreSQL's notifications on one channel, over a connection of its own.

    The connection is opened by the first `wait`, so by the process that waits. Raises, every method: psycopg.Error
    when the database is away; then `close`, and the next `wait` connects again.
    """

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self._connection: psycopg.Connection[Any] | None = None

    def wait(self, seconds: float) -> None:
        """Return when something was heard since the last call, at the latest after ``seconds``.

        The first call returns at once, since what came before it went unheard: look first, wait afterwards, look again.
        """
        if self._connection is None:
            self._connection = self._connect()
        else:
            list(self._connection.notifies(timeout=seconds, stop_after=1))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> psycopg.Connection[Any]:
        own = connection.copy()
        own.connect()
        opened: psycopg.Connection[Any] = own.connection
        opened.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        return opened
