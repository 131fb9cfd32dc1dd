"""Find crashes that are saved but on nobody's list, and queue them: how what an outage left behind is made good."""

from __future__ import annotations

import logging
from datetime import date
from itertools import islice

from django.db import connection

from processing import processor, queue
from processing.errors import CrashDamaged, CrashNotFound
from processing.models import Crash
from processing.storage import get_storage

logger = logging.getLogger(__name__)

_BATCH = 1000
_LOST = """
SELECT crash_id FROM processing_crash AS entry
WHERE state IN ('saved', 'queued', 'processing')
  AND NOT EXISTS (SELECT FROM processing_queuedcrash AS message WHERE message.crash_id = entry.crash_id)
"""


def accept_unknown(day: date) -> int:
    """Enter the crashes of a day that storage has and the ledger has not, and queue them; give how many.

    Raises: StorageError, QueueError, django.db.Error; running it again goes on.
    """
    ids = get_storage().list_crash_ids(day)
    accepted = 0
    while batch := list(islice(ids, _BATCH)):
        for crash_id in sorted(set(batch) - _known(day, batch)):
            accepted += _accept(crash_id)
    return accepted


def requeue_lost() -> int:
    """Queue the crashes that the ledger calls unfinished and the queue does not know; give how many.

    There are none unless somebody deleted messages or restored an older database. Raises: QueueError, django.db.Error.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOST)
        lost = [crash_id for (crash_id,) in cursor.fetchall()]
    return queue.publish(lost, queue=queue.STANDARD)


def _known(day: date, crash_ids: list[str]) -> set[str]:
    return set(Crash.objects.filter(day=day, crash_id__in=crash_ids).values_list("crash_id", flat=True))


def _accept(crash_id: str) -> int:
    try:
        raw_crash = get_storage().get_raw_crash(crash_id)
    except CrashDamaged:
        raw_crash = {}  # processing it fails, and the ledger shows that
    except CrashNotFound:  # deleted since it was listed
        return 0
    received = processor.received(raw_crash)
    connection.ensure_connection()
    queue.accept(
        connection.connection, crash_id=crash_id, product=received.product, received_at=received.received_at
    )
    logger.info("%s: was saved but not queued; it is now", crash_id)
    return 1
