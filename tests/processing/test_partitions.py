from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection as django_connection

from processing import crashid, ledger, partitions, queue
from processing.models import Crash
from tests.waiting import wait_until

TODAY = date(2026, 8, 1)
RECEIVED = datetime(2026, 8, 1, 12, tzinfo=UTC)


def tables() -> set[str]:
    """The names of the ledger's tables but the default one."""
    with django_connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'processing_crash'::regclass"
        )
        return {name for (name,) in cursor.fetchall()} - {"processing_crash_default"}


def rows_in(table: str) -> int:
    with django_connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return cursor.fetchone()[0]


def drop_tables() -> None:
    with django_connection.cursor() as cursor:
        for name in tables():
            cursor.execute(f"DROP TABLE {name}")


@pytest.fixture(autouse=True)
def no_tables_of_other_tests(transactional_db: None) -> Iterator[None]:
    drop_tables()
    yield
    drop_tables()


def add_crash(day: date, state: str = "processed") -> str:
    crash_id = crashid.create(day)
    Crash.objects.create(day=day, crash_id=crash_id, product="WaterWolf", received_at=RECEIVED, state=state)
    return crash_id


def test_a_week_is_prepared_ahead_once():
    week = [TODAY + timedelta(days=days) for days in range(8)]
    assert partitions.prepare(TODAY) == week
    assert tables() == {partitions.partition_name(day) for day in week}
    assert partitions.prepare(TODAY) == []


def test_crashes_of_a_prepared_day_lie_in_its_own_table():
    partitions.ensure_partition(TODAY)
    add_crash(TODAY)
    assert rows_in("processing_crash_20260801") == 1
    assert rows_in("processing_crash_default") == 0


def test_crashes_move_to_their_day_and_are_counted_once():
    ids = {add_crash(TODAY), add_crash(TODAY, "queued")}
    other = add_crash(TODAY - timedelta(days=1))
    before = ledger.equation()
    assert partitions.ensure_partition(TODAY)
    assert set(Crash.objects.filter(day=TODAY).values_list("crash_id", flat=True)) == ids
    assert ledger.find(other).entry.state == "processed"
    assert rows_in("processing_crash_20260801") == 2
    assert ledger.equation() == before


def test_days_within_reach_get_a_table_and_made_up_ones_do_not():
    near, far = TODAY - timedelta(days=30), date(2099, 1, 1)
    for day in (near, far):
        add_crash(day)
    assert near in partitions.prepare(TODAY)
    assert partitions.partition_name(far) not in tables()
    assert rows_in("processing_crash_default") == 1


def test_several_processes_may_prepare_at_once():
    made: list[date] = []

    def prepare() -> None:
        made.extend(partitions.prepare(TODAY))
        django_connection.close()

    threads = [threading.Thread(target=prepare) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(set(made)) == 8


class Running:
    """A call in a thread of its own; `finish` waits for it, and raises what it raised."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(call,))
        self._thread.start()

    def _run(self, call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as exc:
            self._error = exc
        finally:
            django_connection.close()

    def finish(self) -> None:
        self._thread.join()
        if self._error is not None:
            raise self._error


def waiting_for_locks() -> int:
    with django_connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0]


@pytest.mark.parametrize("write", ["accept", "publish"])
def test_who_writes_while_a_day_gets_its_table_waits_and_misses_nothing(write, accept, connection):
    failed, new = add_crash(TODAY, "failed"), crashid.create(TODAY)
    written = {"accept": new, "publish": failed}[write]
    django_connection.set_autocommit(False)
    rows_in("processing_crash_default")  # keeps the move waiting, until this transaction ends
    move = Running(lambda: partitions.ensure_partition(TODAY))
    wait_until(lambda: waiting_for_locks() == 1)
    writer = Running(lambda: accept(new) if write == "accept" else queue.publish(failed))
    wait_until(lambda: waiting_for_locks() == 2)
    django_connection.rollback()
    django_connection.set_autocommit(True)
    move.finish()
    writer.finish()
    assert ledger.find(written).entry.state == "queued"
    assert rows_in("processing_crash_default") == 0


def test_looking_up_a_crash_reads_its_day_only():
    partitions.ensure_partition(TODAY)
    crash_id = add_crash(TODAY)
    with django_connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN SELECT * FROM processing_crash WHERE day = %s AND crash_id = %s", [TODAY, crash_id]
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "processing_crash_20260801" in plan
    assert "default" not in plan
