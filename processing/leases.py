"""The work queue as a worker sees it: take the most urgent message, hold it while working, give it back.

Taking a message gives a lease: a token that only this attempt knows, good for ``QUEUE["lease_seconds"]`` and renewed
by the worker as long as it lives. When the worker is killed, the lease runs out and the message comes due again; a
worker that was merely thought dead finds its token gone, and what it did no longer counts: it asks once more right
before it saves a processed crash. Only a process that stands still between that question and the end of saving, for
longer than a whole lease, can still save over a newer result. How an attempt ends is
written by `processing.ledger`, together with the ledger.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseFailure
from django.db import connection, transaction

from processing import crashid
from processing.models import QueuedCrash
from processing.queue import PRIORITY, REPROCESSING, STANDARD

logger = logging.getLogger(__name__)

_MOST_URGENT = (PRIORITY, STANDARD, REPROCESSING)
_STANDARD_FIRST = (STANDARD, PRIORITY, REPROCESSING)
_REPROCESSING_FIRST = (REPROCESSING, PRIORITY, STANDARD)
#: Where to look first, turn by turn. With every queue full, of 10 crashes 7 are from priority, 2 from standard, 1 from
#: reprocessing; a queue that is empty leaves its turns to the others, so no worker idles while anything is due.
TURNS = (
    *(_MOST_URGENT, _MOST_URGENT, _STANDARD_FIRST, _MOST_URGENT, _MOST_URGENT),
    *(_MOST_URGENT, _MOST_URGENT, _STANDARD_FIRST, _MOST_URGENT, _REPROCESSING_FIRST),
)

# The first message that is due in each queue is locked, the one whose queue comes first in the order is taken.
_DUE = """
SELECT first.id
FROM unnest(%(order)s::text[]) WITH ORDINALITY AS wanted (queue, place)
CROSS JOIN LATERAL (
    SELECT id FROM processing_queuedcrash
    WHERE queue = wanted.queue AND due_at <= clock_timestamp()
    ORDER BY id LIMIT 1 {locking}
) AS first
ORDER BY place LIMIT 1
"""

_TAKE = f"""
WITH due AS ({_DUE.format(locking="FOR UPDATE SKIP LOCKED")})
UPDATE processing_queuedcrash AS message
SET lease = %(token)s, due_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s), attempts = attempts + 1
FROM due WHERE message.id = due.id
RETURNING message.id, crash_id, ruleset, attempts, deferrals, queued_at
"""

_CLAIM = """
INSERT INTO processing_queuedcrash AS old
    (queue, crash_id, ruleset, queued_at, due_at, attempts, deferrals, lease)
VALUES ('priority', %(crash_id)s, %(ruleset)s, clock_timestamp(),
    clock_timestamp() + make_interval(secs => %(lease_seconds)s), 1, 0, %(token)s)
ON CONFLICT (crash_id) DO UPDATE SET
    ruleset = CASE WHEN EXCLUDED.ruleset = old.ruleset THEN old.ruleset ELSE 'default' END,
    due_at = EXCLUDED.due_at, attempts = EXCLUDED.attempts, lease = EXCLUDED.lease
    WHERE old.lease IS NULL OR old.due_at <= clock_timestamp()
RETURNING id, crash_id, ruleset, attempts, deferrals, queued_at
"""

_STARTED = """
UPDATE processing_crash
SET attempts = attempts + 1, state = CASE WHEN state IN ('processed', 'deleted') THEN state ELSE 'processing' END
WHERE day = %s AND crash_id = %s
"""

_RENEW = """
UPDATE processing_queuedcrash SET due_at = clock_timestamp() + make_interval(secs => %s) WHERE id = %s AND lease = %s
"""

_PUT_OFF = """
WITH message AS (
    UPDATE processing_queuedcrash
    SET lease = NULL, due_at = clock_timestamp() + make_interval(secs => %(seconds)s),
        attempts = attempts - %(uncounted)s, deferrals = deferrals + %(uncounted)s
    WHERE id = %(message_id)s AND lease = %(token)s
    RETURNING id
), entry AS (
    UPDATE processing_crash
    SET state = CASE WHEN state IN ('processed', 'deleted') THEN state ELSE 'queued' END, last_error = %(reason)s
    WHERE day = %(day)s AND crash_id = %(crash_id)s AND EXISTS (SELECT FROM message)
)
SELECT id FROM message
"""


@dataclass(frozen=True)
class Lease:
    """The right to process one crash now. ``attempts`` counts this one; ``deferrals`` those that storage cut short."""

    message_id: int
    token: uuid.UUID
    crash_id: str
    ruleset: str
    attempts: int
    deferrals: int
    queued_at: datetime


class Turns:
    """In what order a worker looks at the queues, one order after the other."""

    def __init__(self) -> None:
        self._orders = cycle(TURNS)

    def next(self) -> Sequence[str]:
        return next(self._orders)


def is_due() -> bool:
    """Tell whether any message can be taken now."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE.format(locking=""), {"order": list(_MOST_URGENT)})
        return cursor.fetchone() is not None


def count() -> int:
    """Give how many messages workers hold now."""
    return QueuedCrash.objects.filter(lease__isnull=False).count()


def take(order: Sequence[str]) -> Lease | None:
    """Take the first message that is due, looking into the queues in that order; None when nothing is due.

    The ledger shows the crash as being processed, unless an earlier result of it is there.
    """
    return _start(_TAKE, order=list(order))


def claim(crash_id: str, ruleset: str) -> Lease | None:
    """Take this very crash, whether it is queued or not; None when a worker has it."""
    return _start(_CLAIM, crash_id=crash_id, ruleset=ruleset)


def renew(lease: Lease) -> bool:
    """Hold the message for another ``lease_seconds``; False when it is no longer ours."""
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, [settings.QUEUE["lease_seconds"], lease.message_id, lease.token])
        return bool(cursor.rowcount)


def put_off(lease: Lease, reason: str, *, seconds: float, counted: bool) -> bool:
    """Let the message come due again after a while; False when it is no longer ours.

    Args: ``reason`` is an error's class or code; ``counted`` says whether the attempt counts towards the limit.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _PUT_OFF,
            {
                "message_id": lease.message_id,
                "token": lease.token,
                "day": crashid.day_of(lease.crash_id),
                "crash_id": lease.crash_id,
                "seconds": seconds,
                "uncounted": 0 if counted else 1,
                "reason": reason,
            },
        )
        return cursor.fetchone() is not None


def _start(statement: str, **values: Any) -> Lease | None:
    """Run a statement that leases a message, and show in the ledger that work on the crash has begun."""
    token = uuid.uuid4()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            statement, {"token": token, "lease_seconds": settings.QUEUE["lease_seconds"], **values}
        )
        row = cursor.fetchone()
        if row is None:
            return None
        message_id, crash_id, ruleset, attempts, deferrals, queued_at = row
        cursor.execute(_STARTED, [crashid.day_of(crash_id), crash_id])
    return Lease(message_id, token, crash_id, ruleset, attempts, deferrals, queued_at)


@contextmanager
def kept(lease: Lease) -> Iterator[None]:
    """Renew a lease in the background as long as the block runs, three times per ``lease_seconds``."""
    done = threading.Event()
    keeper = threading.Thread(
        target=_keep, args=(lease, done), name=f"lease of {lease.crash_id}", daemon=True
    )
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()


def _keep(lease: Lease, done: threading.Event) -> None:
    try:
        while not done.wait(settings.QUEUE["lease_seconds"] / 3):
            if not _renewed(lease):
                logger.warning(
                    "%s: another worker has it now; what this one does no longer counts", lease.crash_id
                )
                return
    finally:
        connection.close()  # each thread has its own


def _renewed(lease: Lease) -> bool:
    """A database that is away for a moment takes no lease from us: nobody else can ask it for work either."""
    try:
        return renew(lease)
    except DatabaseFailure as exc:
        logger.warning("%s: its lease could not be renewed now: %s", lease.crash_id, type(exc).__name__)
        connection.close()
        return True
