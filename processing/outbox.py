"""From the search outbox into the search engine, in batches.

A row leaves the outbox only after the engine has taken the crash durably. So search may be down for as long as it
likes, and an indexer may be killed at any point: what it was at is done again. A crash that cannot be read or taken
while others can is put off, alone.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from django.db import Error as DatabaseFailure
from django.db import connection, transaction
from django.db.models.functions import Now

from processing import crashid, ledger, partitions
from processing.errors import CrashDamaged, CrashNotFound, SearchError, StorageError
from processing.listening import Listener
from processing.models import Crash, SearchOutbox
from processing.reindexing import BackgroundRebuild
from processing.search import SearchBackend, documents, get_search
from processing.storage import get_storage
from processing.verification import RegularVerification

logger = logging.getLogger(__name__)

#: Crashes per commit of the engine; what can be searched of all of them is in memory at once.
BATCH = 50
#: How long to wait for a notification before looking all the same.
LOOK_SECONDS = 0.25
#: How long to wait before trying again what is down.
REST_SECONDS = 3.0

_FAILURES_OF_AN_OUTAGE = 3
_SHORTEST_PUT_OFF = timedelta(seconds=5)
_LONGEST_PUT_OFF = timedelta(hours=1)
_LOCK = 0x6F757462  # any number that nothing else locks


def run(stopping: threading.Event) -> None:
    """Keep search up to date until ``stopping`` is set, through outages of search, storage and database.

    Looks after each notification, so that a processed crash can be found at once; tends the ledger between. An index
    that is missing, damaged or outdated when it starts is made anew meanwhile, and saved crashes that are on nobody's
    list are looked for every few minutes.
    """
    rebuild, verification = BackgroundRebuild(stopping), RegularVerification(stopping)
    verification.start()
    try:
        _keep_up(stopping, rebuild)
    finally:
        stopping.set()  # also when a defect of ours ends this: nobody may wait for the threads then
        rebuild.join()
        verification.join()


def _keep_up(stopping: threading.Event, rebuild: BackgroundRebuild) -> None:
    listener = Listener(ledger.OUTBOX_CHANNEL)
    tended: date | None = None
    while not stopping.is_set():
        try:
            tended = _tend_ledger(tended)
            rebuild.begin_if_needed()
            drain(stopping)
            listener.wait(LOOK_SECONDS)
        except (SearchError, StorageError, DatabaseFailure, psycopg.Error) as exc:
            logger.warning("search cannot be brought up to date now: %s", exc)
            connection.close()
            listener.close()
            stopping.wait(REST_SECONDS)
    listener.close()


def drain(stopping: threading.Event | None = None) -> int:
    """Hand all that is in the outbox to search, batch by batch, and give how many rows that were.

    Gives 0 at once while another process is at it: one at a time, or an older result might replace a newer one.
    What was put off counts once, until it comes due again.
    Raises: SearchError or StorageError when either cannot be used now; what was not taken stays in the outbox.
    """
    total = 0
    while not (stopping and stopping.is_set()) and (taken := _drain_batch()):
        total += taken
    return total


def _drain_batch() -> int:
    with transaction.atomic():
        if not _is_ours():
            return 0
        rows = list(SearchOutbox.objects.filter(due_at__lte=Now()).order_by("due_at", "id")[:BATCH])
        latest = {row.crash_id: row.forget for row in sorted(rows, key=lambda row: row.pk)}
        crashes, later = _load(crash_id for crash_id, forget in latest.items() if not forget)
        search = get_search()
        if gone := latest.keys() - crashes.keys() - later.keys():
            search.delete(gone)
        if crashes:
            later |= _index(search, crashes)
        SearchOutbox.objects.filter(id__in=[row.pk for row in rows if row.crash_id not in later]).delete()
        _put_off([row for row in rows if row.crash_id in later], later)
    return len(rows)


def _is_ours() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone() == (True,))


def _put_off(rows: list[SearchOutbox], errors: dict[str, str]) -> None:
    """Let rows come due again later: after as long again as they have waited already, within bounds."""
    now = datetime.now(UTC)
    for row in rows:
        pause = min(max(now - row.created_at, _SHORTEST_PUT_OFF), _LONGEST_PUT_OFF)
        row.due_at, row.last_error = now + pause, errors[row.crash_id]
        logger.warning("%s: put off for %d s: %s", row.crash_id, pause.total_seconds(), row.last_error)
    SearchOutbox.objects.bulk_update(rows, ["due_at", "last_error"])


def _load(crash_ids: Iterable[str]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Give what can be searched of processed crashes, and the class of error for those that cannot be read now.

    One that was deleted meanwhile, or is damaged, is in neither. Raises: StorageError when storage as a whole is away.
    """
    storage = get_storage()
    found: dict[str, dict[str, Any]] = {}
    unreadable: dict[str, str] = {}
    for crash_id in crash_ids:
        try:
            found[crash_id] = documents.searchable(storage.get_processed_crash(crash_id))
        except CrashDamaged as exc:
            logger.error("it cannot be searched until it is processed again: %s", exc)
        except CrashNotFound:
            continue
        except StorageError as exc:
            if not found:
                storage.check()
            logger.warning("%s", exc)
            unreadable[crash_id] = type(exc).__name__
    return found, unreadable


def _index(search: SearchBackend, crashes: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Index a batch, and give the class of error for those crashes that are to be tried again later.

    Raises: SearchError when search takes nothing now.
    """
    try:
        search.index(crashes)
        return {}
    except Exception as exc:  # whatever a crash made the engine raise
        if len(crashes) == 1 and isinstance(exc, SearchError):
            raise
        logger.warning("search did not take %d crashes at once: %s", len(crashes), type(exc).__name__)
    return _index_one_by_one(search, crashes)


def _index_one_by_one(search: SearchBackend, crashes: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Let no crash stop the others: one that search cannot take now is tried again later, one that it refuses is left
    out and marked in the ledger.

    In random order, so that a few crashes that make search fail are not always the first to be tried.
    """
    later: dict[str, str] = {}
    done = 0
    for crash_id in random.sample(list(crashes), len(crashes)):
        try:
            search.index({crash_id: crashes[crash_id]})
        except SearchError as exc:
            later[crash_id] = type(exc).__name__
            if not done and len(later) >= min(_FAILURES_OF_AN_OUTAGE, len(crashes)):
                raise
        except Exception as exc:
            _mark_refused(crash_id, exc)
            done += 1
        else:
            done += 1
    return later


def _mark_refused(crash_id: str, error: Exception) -> None:
    logger.error("%s: search refuses it (%s); it is left out", crash_id, type(error).__name__)
    Crash.objects.filter(day=crashid.day_of(crash_id), crash_id=crash_id).update(last_error="SearchRefused")


def _tend_ledger(tended: date | None) -> date:
    """Make partitions ahead once a day, fold the counts always; gives the day. It is done here because a site has this
    one process running all the time.
    """
    today = datetime.now(UTC).date()
    if today != tended:
        try:
            partitions.prepare(today)
        except DatabaseFailure as exc:  # such as a backup that holds a lock; there are a week's partitions
            logger.warning("partitions are made tomorrow, not today: %s", type(exc).__name__)
    ledger.fold_counts()
    return today
