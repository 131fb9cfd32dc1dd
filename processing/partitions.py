"""The ledger's partitions: one table per day, made ahead, so that retention drops tables instead of deleting rows.

A day without a table of its own lives in the default partition: writing to the ledger never fails for want of one,
whatever day a client's crash id names. Days within reach move to a table of their own when `prepare` runs next; far
ones stay where they are, so that made-up days make no tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

DAYS_AHEAD = 7
DAYS_BACK = 200

_LOCK = 0x6C656467  # any number that nothing else locks
_MOVED = """
CREATE TEMPORARY TABLE moved_crashes (LIKE processing_crash) ON COMMIT DROP;
WITH moved AS (DELETE FROM processing_crash_default WHERE day = %(day)s RETURNING *)
INSERT INTO moved_crashes SELECT * FROM moved
"""


def prepare(today: date) -> list[date]:
    """Make the partitions of the coming week, and of days within reach that the default partition holds.

    Gives the days whose partitions were made, in order. May run at any time, in several processes at once.
    """
    ahead = {today + timedelta(days=days) for days in range(DAYS_AHEAD + 1)}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT day FROM processing_crash_default WHERE day BETWEEN %s AND %s",
            [today - timedelta(days=DAYS_BACK), max(ahead)],
        )
        astray = {day for (day,) in cursor.fetchall()}
    return [day for day in sorted(ahead | astray) if ensure_partition(day)]


def ensure_partition(day: date) -> bool:
    """Make the partition of a day unless it exists; tell whether it was made. Others may do the same meanwhile.

    Entries of that day in the default partition move over. Writers wait for the moment of the change, readers of the
    default partition too; after two seconds in which others do not make way it gives up, with a DatabaseError.
    """
    name = partition_name(day)
    with _alone() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone() != (None,):
            return False
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        # Writers have to wait at the parent: one that got past it, and waits at the default partition, has decided
        # already where its row is. An insert would fail, and an update would miss the entry that has moved.
        cursor.execute("LOCK TABLE ONLY processing_crash IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("LOCK TABLE processing_crash_default IN ACCESS EXCLUSIVE MODE")
        cursor.execute(_MOVED, {"day": day})
        # A table that is made first and attached afterwards does not lock readers and writers out of its parent.
        cursor.execute(f"CREATE TABLE {name} (LIKE processing_crash INCLUDING ALL)")
        cursor.execute(
            f"ALTER TABLE processing_crash ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)",
            [day, day + timedelta(days=1)],
        )
        cursor.execute("INSERT INTO processing_crash SELECT * FROM moved_crashes")
    return True


def partition_name(day: date) -> str:
    return f"processing_crash_{day:%Y%m%d}"


@contextmanager
def _alone() -> Iterator[CursorWrapper]:
    """A transaction that no other process that makes partitions runs at the same time."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield cursor
