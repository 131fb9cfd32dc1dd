"""The ledger: where every accepted crash is, how it ended, and whether the sum is right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from processing import crashid
from processing.errors import CrashNotFound
from processing.leases import Lease
from processing.models import Crash, CrashState, QueuedCrash
from processing.queue import clean_product

#: PostgreSQL tells everybody who listens on this channel that the search outbox has got a row.
OUTBOX_CHANNEL = "processing_searchoutbox"

# The message goes when the crash is done; when somebody asked for the crash meanwhile, it comes due once more instead.
# Without the lease nothing is written at all: another worker has the crash.
_END_OF_LEASE = """
WITH finished AS (
    DELETE FROM processing_queuedcrash
    WHERE id = %(message_id)s AND lease = %(token)s AND queued_at = %(queued_at)s
    RETURNING crash_id
), once_more AS (
    UPDATE processing_queuedcrash
    SET lease = NULL, due_at = clock_timestamp(), attempts = 0, deferrals = 0
    WHERE id = %(message_id)s AND lease = %(token)s AND queued_at <> %(queued_at)s
    RETURNING crash_id
), held AS (
    SELECT crash_id FROM finished UNION ALL SELECT crash_id FROM once_more
)"""

# The indexer is told only when it may be idle, for the reason given in `processing.queue`.
_PROCESSED = f"""{_END_OF_LEASE}, entry AS (
    INSERT INTO processing_crash AS entry
        (day, crash_id, product, received_at, state, attempts, last_error, processed_at)
    SELECT %(day)s, crash_id, %(product)s, %(received_at)s, 'processed', 1, '', clock_timestamp() FROM held
    ON CONFLICT (day, crash_id) DO UPDATE
    SET state = 'processed', last_error = '', processed_at = EXCLUDED.processed_at
    WHERE entry.state <> 'deleted'
    RETURNING crash_id
), outbox AS (
    INSERT INTO processing_searchoutbox (crash_id, forget, created_at)
    SELECT crash_id, false, clock_timestamp() FROM entry
)
SELECT count(*),
       count(CASE WHEN EXISTS (SELECT FROM processing_searchoutbox WHERE due_at <= statement_timestamp()) THEN NULL
                  ELSE pg_notify('{OUTBOX_CHANNEL}', '') END)
FROM held
"""

_FAILED = f"""{_END_OF_LEASE}, entry AS (
    UPDATE processing_crash SET state = 'failed', last_error = %(reason)s
    WHERE day = %(day)s AND crash_id IN (SELECT crash_id FROM held) AND state <> 'deleted'
)
SELECT count(*) FROM held
"""

_EQUATION = """
SELECT
    (SELECT coalesce(sum(crashes), 0) FROM processing_processedcount),
    (SELECT count(*) FROM processing_crash WHERE state = 'failed'),
    count(*), count(message.id)
FROM processing_crash AS entry
LEFT JOIN processing_queuedcrash AS message ON message.crash_id = entry.crash_id
WHERE entry.state IN ('saved', 'queued', 'processing')
"""

_FOLD = """
WITH folded AS (
    DELETE FROM processing_processedcount
    WHERE id IN (SELECT id FROM processing_processedcount ORDER BY id LIMIT 50000 FOR UPDATE SKIP LOCKED)
      AND (SELECT count(*) FROM processing_processedcount) > 2000
    RETURNING day, crashes
)
INSERT INTO processing_processedcount (day, crashes)
SELECT day, sum(crashes) FROM folded GROUP BY day HAVING sum(crashes) <> 0
"""


@dataclass(frozen=True)
class Equation:
    """accepted = processed + failed + in flight + unexplained; deleted crashes are on neither side.

    ``in_flight`` are waiting or being processed; ``unexplained`` are neither finished nor in the queue, and must be 0.
    """

    accepted: int
    processed: int
    failed: int
    in_flight: int
    unexplained: int


@dataclass(frozen=True)
class Whereabouts:
    """What is known of one accepted crash. ``message`` is None when it is not in the work queue."""

    entry: Crash
    message: QueuedCrash | None


def equation() -> Equation:
    """Count all crashes by how they ended. The cost grows with what is under way or failed, not with the ledger."""
    with connection.cursor() as cursor:
        cursor.execute(_EQUATION)
        processed, failed, unfinished, queued = cursor.fetchone() or (0, 0, 0, 0)
    return Equation(
        accepted=int(processed) + failed + unfinished,
        processed=int(processed),
        failed=failed,
        in_flight=queued,
        unexplained=unfinished - queued,
    )


def find(crash_id: str) -> Whereabouts:
    """Tell where a crash is. Raises: CrashNotFound when the ledger does not know the (valid) id."""
    try:
        entry = Crash.objects.get(day=crashid.day_of(crash_id), crash_id=crash_id)
    except Crash.DoesNotExist as exc:
        raise CrashNotFound(f"{crash_id} is not in the ledger") from exc
    return Whereabouts(entry, QueuedCrash.objects.filter(crash_id=crash_id).first())


def is_deleted(crash_id: str) -> bool:
    """Tell whether the ledger shows a crash, by its (valid) id, as deleted."""
    return Crash.objects.filter(
        day=crashid.day_of(crash_id), crash_id=crash_id, state=CrashState.DELETED
    ).exists()


def record_processed(lease: Lease, *, product: str, received_at: datetime) -> bool:
    """End a lease: the processed crash is saved, search is to take it, the message goes. All of it, or nothing.

    A crash that the ledger does not know, because the database was away when it came, is entered with ``product`` and
    ``received_at``. Gives False, and writes nothing, when another worker holds the crash by now.
    """
    return _end(lease, _PROCESSED, product=clean_product(product), received_at=received_at)


def record_failed(lease: Lease, reason: str) -> bool:
    """End a lease: this crash cannot be processed. ``reason`` is a class or code, never an exception's text.

    Gives False, and writes nothing, when another worker holds the crash by now.
    """
    return _end(lease, _FAILED, reason=reason)


def fold_counts() -> None:
    """Replace rows of `ProcessedCount` by their sums once there are many. Several processes may do it at once."""
    with connection.cursor() as cursor:
        cursor.execute(_FOLD)


def _end(lease: Lease, statement: str, **values: Any) -> bool:
    """Run the statement that ends a lease. When somebody asks for the crash in that very moment, it changes nothing
    the first time (it sees the message from before and after at once) and finds the message changed the second time.
    """
    parameters = {
        "message_id": lease.message_id,
        "token": lease.token,
        "queued_at": lease.queued_at,
        "day": crashid.day_of(lease.crash_id),
        **values,
    }
    with connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute(statement, parameters)
            held, *_ = cursor.fetchone() or (0,)
            if held:
                return True
    return False
