"""Nothing that was answered is lost: processes are killed under load, and every crash is found once at the end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from ingest.submission import CannotSubmit, Collector, load_report
from tests.settings import CHECKOUT
from tests.system import System, start_system
from tests.waiting import wait_until

SAMPLES = sorted(path.parent for path in (CHECKOUT / "samples" / "reports").glob("*/upload_file_minidump"))
CRASHES = 120


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with start_system(tmp_path / "var") as running:
        yield running


def send(system: System, number: int) -> str:
    """Send one report again and again, as a patient client does, until the collector answers; give its crash id."""
    collector = Collector(f"{system.collector}/submit", timeout_seconds=30)
    report = load_report(SAMPLES[number % len(SAMPLES)]).with_annotations({"Notes": f"report {number}"})

    def answer() -> str:
        try:
            return collector.submit(report).removeprefix("bp-")
        except CannotSubmit:
            return ""

    return wait_until(answer, seconds=60)


def walking_worker(system: System) -> list[psutil.Process]:
    """Give a worker that is in the middle of a walk."""

    def find() -> list[psutil.Process]:
        try:
            return [
                parent
                for stackwalker in system.processes("minidump-stackwalk")
                for parent in stackwalker.parents()
                if "runworkers" in " ".join(parent.cmdline())
            ][:1]
        except psutil.NoSuchProcess:  # the walk has just ended: look for another
            return []

    return wait_until(find, seconds=30)


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue


def test_killing_every_kind_of_process_under_load_loses_no_answered_crash(system):
    answered: list[str] = []
    with ThreadPoolExecutor(4) as senders:
        sending = [senders.submit(send, system, number) for number in range(CRASHES)]
        for future in sending:
            future.add_done_callback(lambda done: answered.append(done.result()))
        victims = (
            walking_worker,
            lambda system: system.processes("minidump-stackwalk"),
            lambda system: system.processes("runindexer"),
            lambda system: system.processes("ingest.wsgi"),
            lambda system: system.processes("runworkers"),
            lambda system: system.processes("pginstall"),  # the server's own path: PostgreSQL
        )
        # One kind after the other, each when a further part of the load has been answered.
        for number, find in enumerate(victims, start=1):
            wait_until(
                lambda share=number: len(answered) >= share * CRASHES // (len(victims) + 1), seconds=60
            )
            kill(find(system))

    assert len(answered) == CRASHES
    wait_until(lambda: system.ledger().get("in_flight") == 0, seconds=180)
    wait_until(lambda: all(system.times_found(crash_id) for crash_id in answered), seconds=60)
    assert [crash_id for crash_id in answered if system.times_found(crash_id) != 1] == []
    assert system.ledger()["unexplained"] == 0
    assert system.ledger()["failed"] == 0
