"""Find crashes that are saved but on nobody's list, and queue them: how what an outage left behind is made good."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice

from django.db import Error as DatabaseFailure
from django.db import connection

from processing import processor, queue
from processing.errors import CrashDamaged, CrashNotFound, QueueError, StorageError
from processing.models import Crash
from processing.storage import get_storage

logger = logging.getLogger(__name__)

#: How long the indexer rests between two rounds of `verify`: so long, or so many times as long as the round took.
PAUSE_SECONDS = 300.0
PAUSE_SHARE = 20

_BATCH = 1000
_LOST = """
SELECT crash_id FROM processing_crash AS entry
WHERE state IN ('saved', 'queued', 'processing')
  AND NOT EXISTS (SELECT FROM processing_queuedcrash AS message WHERE message.crash_id = entry.crash_id)
"""


@dataclass(frozen=True)
class Found:
    """How many crashes were queued: ``unknown`` to the ledger before; ``lost``, in the ledger but without a message."""

    unknown: int
    lost: int


def verify(day: date | None = None, should_stop: Callable[[], bool] = lambda: False) -> Found:
    """Queue what is saved and on nobody's list: of a UTC day, of yesterday and today when none is given.

    ``should_stop`` is asked now and then. Raises: StorageError, QueueError, django.db.Error; running it again goes on.
    """
    lost = requeue_lost()
    today = datetime.now(UTC).date()
    days = [day] if day else [today - timedelta(days=1), today]
    return Found(unknown=sum(accept_unknown(each, should_stop) for each in days), lost=lost)


class RegularVerification:
    """Calls `verify` again and again in a thread of its own, so that nothing has to wait for an operator."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._thread = threading.Thread(target=self._run, name="verification")

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended, which it does soon after ``stopping`` was set."""
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            self._verify()
            took = time.monotonic() - started
            self._stopping.wait(max(PAUSE_SECONDS, PAUSE_SHARE * took))

    def _verify(self) -> None:
        try:
            found = verify(should_stop=self._stopping.is_set)
            if found.unknown or found.lost:
                logger.warning(
                    "queued %d crashes that the ledger did not know, %d that had no message",
                    found.unknown,
                    found.lost,
                )
        except (StorageError, QueueError, DatabaseFailure) as exc:
            logger.warning("cannot look for crashes on nobody's list now: %s", exc)
        except Exception:  # a defect of ours: later rounds may do better, and the process has other work
            logger.exception("cannot look for crashes on nobody's list")
        finally:
            connection.close()  # each thread has its own


def accept_unknown(day: date, should_stop: Callable[[], bool] = lambda: False) -> int:
    """Enter the crashes of a day that storage has and the ledger has not, and queue them; give how many.

    Raises: StorageError, QueueError, django.db.Error; running it again goes on.
    """
    ids = get_storage().list_crash_ids(day)
    accepted = 0
    while not should_stop() and (batch := list(islice(ids, _BATCH))):
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
