"""What the work queue and the ledger cost, on a PostgreSQL of their own below a temporary folder.

    .venv/bin/python benchmarks/workqueue.py [--crashes 5000] [--backlog 100000] [--ledger 10000000]

Prints: the time to accept a crash, alone and from 8 threads; tasks per second of the real workers when a task does
nothing; the time from accepting a crash to the start of its task at rest; the time until an urgent crash starts when a
backlog is being worked off by tasks of 50 ms; the time of the status page's equation over a ledger of many rows.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

WORKERS = 2
TASK_SECONDS = "BENCHMARK_TASK_SECONDS"
STARTS = "BENCHMARK_STARTS"
DAYS = 180


def accept(connection: Any, queue_name: str = "standard") -> str:
    from processing import crashid, queue

    crash_id = crashid.create()
    queue.accept(
        connection, crash_id=crash_id, product="WaterWolf", received_at=datetime.now(UTC), queue=queue_name
    )
    return crash_id


def connect() -> Any:
    from django.db import connection

    own = connection.copy()
    own.connect()
    own.connection.prepare_threshold = 1  # as the collector has it
    return own.connection


def measure_accepting(count: int) -> None:
    with connect() as connection:
        times = []
        for _ in range(count):
            began = time.perf_counter()
            accept(connection)
            times.append((time.perf_counter() - began) * 1000)
    print(f"accept, one at a time: median {statistics.median(times):.2f} ms, "
          f"99 % below {statistics.quantiles(times, n=100)[98]:.2f} ms")  # fmt: skip

    def work() -> None:
        with connect() as connection:
            for _ in range(count // 8):
                accept(connection)

    threads = [threading.Thread(target=work) for _ in range(8)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"accept, 8 threads: {count // 8 * 8 / (time.perf_counter() - began):.0f} a second")


@contextmanager
def workers(task_seconds: float, starts: Path) -> Iterator[None]:
    environment = {**os.environ, TASK_SECONDS: str(task_seconds), STARTS: str(starts)}
    process = subprocess.Popen([sys.executable, __file__, "--work"], cwd=CHECKOUT, env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def work() -> None:
    """Be the workers, with tasks that write down when they began and take a set time."""
    set_up()
    from django.core.management import call_command

    from processing import processor

    out = os.open(os.environ[STARTS], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    seconds = float(os.environ[TASK_SECONDS])

    def process(crash_id: str, ruleset: str, still_ours: Callable[[], bool]) -> processor.Received:
        os.write(out, f"{crash_id} {time.time()}\n".encode())
        if seconds:
            time.sleep(seconds)
        return processor.Received("WaterWolf", datetime.now(UTC))

    processor.process = process
    call_command("runworkers")


def wait(condition: Callable[[], Any], look_seconds: float = 0.001) -> Any:
    while not (value := condition()):
        time.sleep(look_seconds)
    return value


def start_of(crash_id: str, starts: Path) -> float:
    def look() -> float | None:
        lines = starts.read_text().splitlines() if starts.exists() else []
        return next((float(line.split()[1]) for line in lines if line.startswith(crash_id)), None)

    return float(wait(look))


def measure_throughput(folder: Path) -> None:
    from processing import ledger

    unfinished = ledger.equation().in_flight
    starts = folder / "throughput"
    with workers(0, starts):
        wait(starts.exists)
        began, at_start = time.perf_counter(), ledger.equation().in_flight
        wait(lambda: ledger.equation().in_flight < 100, look_seconds=0.5)
        done = at_start - ledger.equation().in_flight
        seconds = time.perf_counter() - began
    print(f"{WORKERS} workers, empty task: {done / seconds:.0f} a second ({unfinished} crashes)")


def measure_latency(folder: Path) -> None:
    starts = folder / "latency"
    times = []
    with workers(0, starts), connect() as connection:
        start_of(accept(connection), starts)  # the workers are up
        for _ in range(50):
            time.sleep(0.05)
            published = time.time()
            times.append((start_of(accept(connection), starts) - published) * 1000)
    print(
        f"accept to start of task, at rest: median {statistics.median(times):.1f} ms, most {max(times):.1f} ms"
    )


def measure_overtaking(folder: Path, backlog: int) -> None:
    from processing import crashid, queue

    began = time.perf_counter()
    queue.publish((crashid.create() for _ in range(backlog)), queue="standard")
    print(f"publish: {backlog / (time.perf_counter() - began):.0f} a second")
    starts = folder / "overtaking"
    times = []
    with workers(0.05, starts), connect() as connection:
        wait(starts.exists)
        for _ in range(20):
            published = time.time()
            times.append((start_of(accept(connection, "priority"), starts) - published) * 1000)
    print(f"urgent crash starts, {backlog} waiting, tasks of 50 ms: "
          f"median {statistics.median(times):.0f} ms, most {max(times):.0f} ms")  # fmt: skip


def measure_equation(rows: int) -> None:
    from django.db import connection

    from processing import crashid, ledger, partitions

    today = crashid.day_of(crashid.create())
    days = [today - timedelta(days=number) for number in range(DAYS)]
    with connection.cursor() as cursor:
        for day in days:
            partitions.ensure_partition(day)
            fill_day(cursor, day, rows // DAYS)
        cursor.execute("VACUUM ANALYZE")
    for _ in range(3):
        began = time.perf_counter()
        found = ledger.equation()
        print(f"equation: {(time.perf_counter() - began) * 1000:.0f} ms, {found}")
    times = []
    for _ in range(200):
        began = time.perf_counter()
        ledger.find(f"{1:08x}-7a11-4f00-8a5e-1c3f50{days[100]:%y%m%d}")
        times.append((time.perf_counter() - began) * 1000)
    print(f"look-up of one crash: median {statistics.median(times):.2f} ms")


def fill_day(cursor: Any, day: date, rows: int) -> None:
    """Processed crashes straight into the day's table, and their number where the trigger would have put it."""
    table = f"processing_crash_{day:%Y%m%d}"
    cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    cursor.execute(
        f"INSERT INTO {table} (day, crash_id, product, received_at, state, processed_at)"
        " SELECT %s, lpad(to_hex(n), 8, '0') || %s, 'WaterWolf', now(), 'processed', now()"
        " FROM generate_series(1, %s) AS n",
        [day, f"-7a11-4f00-8a5e-1c3f50{day:%y%m%d}", rows],
    )
    cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    cursor.execute("INSERT INTO processing_processedcount (day, crashes) VALUES (%s, %s)", [day, rows])


def set_up() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "crashstats.settings"
    import django

    django.setup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crashes", type=int, default=5000)
    parser.add_argument("--backlog", type=int, default=100_000)
    parser.add_argument(
        "--ledger", type=int, default=0, help="rows of the ledger for the equation; takes minutes"
    )
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work()
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(VAR_DIR=folder, WORKERS=str(WORKERS), LOG_LEVEL="ERROR")
        os.environ.pop("DATABASE_URL", None)
        with postgres(Path(folder)):
            set_up()
            run(options, Path(folder))


@contextmanager
def postgres(folder: Path) -> Iterator[None]:
    from crashstats.standalone.postgres import EmbeddedPostgres

    server = EmbeddedPostgres(folder)
    process = subprocess.Popen([sys.executable, "-m", "crashstats.standalone.postgres", folder], cwd=CHECKOUT)
    try:
        server.wait_until_ready(timeout_seconds=60)
        yield
    finally:
        server.stop_leftover()
        process.wait()


def run(options: argparse.Namespace, folder: Path) -> None:
    from django.core.management import call_command

    from processing import partitions

    call_command("migrate", verbosity=0)
    partitions.prepare(datetime.now(UTC).date())
    measure_accepting(options.crashes)
    measure_throughput(folder)
    measure_latency(folder)
    measure_overtaking(folder, options.backlog)
    if options.ledger:
        measure_equation(options.ledger)


if __name__ == "__main__":
    main()
