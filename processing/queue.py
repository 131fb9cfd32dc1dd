"""The work queue as its writers see it: ask for a crash to be processed, and see how much is waiting.

Messages are rows of PostgreSQL. At most one exists per crash, so that no two workers ever work on the same crash.
Asking again for a crash that waits moves it to the more urgent queue; asking for one that is being worked on has it
processed once more afterwards. `processing.leases` is the workers' side.

Django is needed by `publish` and `waiting` alone, so that a collector can do without.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import generators
from psycopg.pq import ExecStatus

from processing import crashid
from processing.errors import QueueError

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

PRIORITY = "priority"
STANDARD = "standard"
REPROCESSING = "reprocessing"
#: From the most to the least urgent.
QUEUES = (PRIORITY, STANDARD, REPROCESSING)
#: PostgreSQL tells everybody who listens on this channel that a message has come.
CHANNEL = "processing_queue"

_LONGEST_PRODUCT = 100
_BATCH = 1000

# Commits that notify wait for one another in PostgreSQL, each for its own write to disk. So workers are told only when
# they may be idle: while the newest message still waits, they are at work and will look for more by themselves.
_ACCEPT = f"""
WITH entry AS (
    INSERT INTO processing_crash (day, crash_id, product, received_at, state)
    VALUES ($1, $2, $3, $4, 'queued')
    ON CONFLICT DO NOTHING
    RETURNING crash_id
), message AS (
    INSERT INTO processing_queuedcrash (queue, crash_id, ruleset, queued_at, due_at, attempts, deferrals)
    SELECT $5, crash_id, 'default', now(), now(), 0, 0 FROM entry
    ON CONFLICT DO NOTHING
    RETURNING id
)
SELECT pg_notify('{CHANNEL}', '') FROM message
WHERE (SELECT lease IS NULL FROM processing_queuedcrash WHERE queue = $5 ORDER BY id DESC LIMIT 1) IS NOT TRUE
""".encode()
_ACCEPT_NAME = b"crashstats_accept"

# Two different rulesets for one crash come together in the full one. `queued_at` changes only under a worker's hands:
# by that the worker sees at its end that it has to be done once more.
_PUBLISH = f"""
WITH message AS (
    INSERT INTO processing_queuedcrash AS old (queue, crash_id, ruleset, queued_at, due_at, attempts, deferrals)
    SELECT %(queue)s, crash_id, %(ruleset)s, clock_timestamp(), now(), 0, 0
    FROM unnest(%(crash_ids)s::varchar[]) AS crash_id ORDER BY crash_id
    ON CONFLICT (crash_id) DO UPDATE SET
        queue = CASE WHEN array_position(%(queues)s, EXCLUDED.queue::text) < array_position(%(queues)s, old.queue::text)
                     THEN EXCLUDED.queue ELSE old.queue END,
        ruleset = CASE WHEN EXCLUDED.ruleset = old.ruleset THEN old.ruleset ELSE 'default' END,
        queued_at = CASE WHEN old.lease IS NULL THEN old.queued_at ELSE EXCLUDED.queued_at END,
        due_at = CASE WHEN old.lease IS NULL THEN EXCLUDED.due_at ELSE old.due_at END
    RETURNING id
)
SELECT pg_notify('{CHANNEL}', '') FROM message LIMIT 1
"""

_QUEUE_AGAIN = """
UPDATE processing_crash SET state = 'queued', last_error = ''
WHERE day = %s AND crash_id = ANY(%s) AND state IN ('saved', 'failed')
"""

_WAITING = "SELECT queue, count(*) FROM processing_queuedcrash WHERE lease IS NULL GROUP BY queue"


class Acceptor:
    """Enters saved crashes into the ledger and the queue, over an open connection that it has for itself.

    It speaks libpq, by way of psycopg: a cursor for each crash would cost a collector three times as much.

    Args: ``connection`` is in autocommit mode, and its ``client_encoding`` is UTF8 (Django sets it; libpq would take
    the database's or ``PGCLIENTENCODING``, by which names of products would be stored wrongly).
    Raises: ValueError for a connection that would leave statements uncommitted.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        _must_commit(connection)
        self.connection = connection
        self._is_prepared = False

    def accept(self, *, crash_id: str, product: str, received_at: datetime) -> None:
        """Do what `accept` does, with a statement that is prepared once for all. Raises: QueueError."""
        parameters = _accept_parameters(crash_id, product, received_at, STANDARD)
        server = self.connection.pgconn
        with _queue_errors(crash_id):
            if not self._is_prepared:
                server.send_prepare(_ACCEPT_NAME, _ACCEPT)
                _finish(self.connection)
                self._is_prepared = True
            server.send_query_prepared(_ACCEPT_NAME, parameters)
            _finish(self.connection)


def accept(
    connection: psycopg.Connection[Any],
    *,
    crash_id: str,
    product: str,
    received_at: datetime,
    queue: str = STANDARD,
) -> None:
    """Enter a saved crash into the ledger and queue it: one statement, committed when this returns, or nothing.

    A crash that the ledger knows already is left as it is, so calling again is safe.

    Args: ``connection`` is in autocommit mode, and its ``client_encoding`` is UTF8 (see `Acceptor`); ``crash_id`` is a
    valid one; ``product`` may be any text (100 characters are kept, unprintable ones are not); ``received_at`` is
    aware.
    Raises: QueueError when the database cannot do it now; ValueError for an unknown queue or a connection that would
    leave the statement uncommitted.
    """
    _must_commit(connection)
    parameters = _accept_parameters(crash_id, product, received_at, queue)
    with _queue_errors(crash_id):
        connection.pgconn.send_query_params(_ACCEPT, parameters)
        _finish(connection)


def publish(crash_ids: str | Iterable[str], *, queue: str = REPROCESSING, ruleset: str = "default") -> int:
    """Queue crashes that are in storage, and give how many; for code that runs under Django.

    The ledger shows failed ones as queued again; processed ones stay processed until the new result replaces the old.

    Args: one valid crash id, or any number of them (taken in batches of 1,000, each a transaction).
    Raises: QueueError when the database cannot do it now; ValueError for an unknown queue.
    """
    _known(queue)
    ids = iter([crash_ids] if isinstance(crash_ids, str) else crash_ids)
    published = 0
    while batch := sorted(set(islice(ids, _BATCH))):
        _publish_batch(batch, queue, ruleset)
        published += len(batch)
    return published


def waiting() -> dict[str, int]:
    """Give for each queue how many messages no worker has taken yet.

    Raises: QueueError when the database cannot answer now.
    """
    from django.db import Error as DatabaseFailure
    from django.db import connection

    try:
        with connection.cursor() as cursor:
            cursor.execute(_WAITING)
            return dict.fromkeys(QUEUES, 0) | dict(cursor.fetchall())
    except DatabaseFailure as exc:
        raise QueueError("the queue could not be read") from exc


def clean_product(product: str) -> str:
    """Give what the ledger keeps of a product's name; PostgreSQL takes no NUL and no half of a surrogate pair."""
    product = product[:_LONGEST_PRODUCT]
    if product.isprintable():
        return product
    return "".join(character for character in product if character.isprintable())


def _must_commit(connection: psycopg.Connection[Any]) -> None:
    if not connection.autocommit:
        raise ValueError("a crash is accepted in autocommit mode only, or it would wait for a commit")


def _accept_parameters(crash_id: str, product: str, received_at: datetime, queue: str) -> list[bytes | None]:
    """Give the parameters of `_ACCEPT` as libpq takes them."""
    day = f"20{crash_id[-6:-4]}-{crash_id[-4:-2]}-{crash_id[-2:]}"
    texts = (day, crash_id, clean_product(product), received_at.isoformat(), _known(queue))
    return [text.encode() for text in texts]


@contextmanager
def _queue_errors(crash_id: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as exc:
        raise QueueError(f"{crash_id}: the ledger and the queue could not be written") from exc


def _finish(connection: psycopg.Connection[Any]) -> None:
    """Wait for the end of a statement that was sent. Raises: psycopg.Error."""
    for result in connection.wait(generators.execute(connection.pgconn)):
        if result.status == ExecStatus.FATAL_ERROR:
            raise psycopg.errors.error_from_result(result)


def _publish_batch(crash_ids: list[str], queue: str, ruleset: str) -> None:
    from django.db import Error as DatabaseFailure
    from django.db import connection, transaction

    try:
        with transaction.atomic(), connection.cursor() as cursor:
            _publish_with(cursor, crash_ids, queue, ruleset)
    except DatabaseFailure as exc:
        raise QueueError(f"{crash_ids[0]} and {len(crash_ids) - 1} more could not be queued") from exc


def _publish_with(cursor: CursorWrapper, crash_ids: list[str], queue: str, ruleset: str) -> None:
    cursor.execute(
        _PUBLISH, {"queue": queue, "crash_ids": crash_ids, "ruleset": ruleset, "queues": list(QUEUES)}
    )
    for day, ids in _by_day(crash_ids):
        cursor.execute(_QUEUE_AGAIN, [day, ids])


def _by_day(crash_ids: list[str]) -> Iterator[tuple[Any, list[str]]]:
    """One statement per day touches one partition each."""
    in_order = sorted(crash_ids, key=crashid.day_of)
    return ((day, list(ids)) for day, ids in groupby(in_order, key=crashid.day_of))


def _known(queue: str) -> str:
    if queue not in QUEUES:
        raise ValueError(f"{queue!r} is no queue; there are {', '.join(QUEUES)}")
    return queue
