from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingest import deduplication
from ingest.deduplication import RecentReports

FIRST = "0b1ec0de-7a11-4f00-8a5e-1c3f50260801"
SECOND = "0b1ec0de-7a11-4f00-8a5e-1c3f51260801"


@pytest.fixture
def reports(tmp_path: Path) -> RecentReports:
    return RecentReports(tmp_path / "recent", window_seconds=300)


def test_a_saved_report_is_known_to_whoever_opens_the_table(reports: RecentReports, tmp_path: Path) -> None:
    key = reports.key(b"report", "client")
    assert reports.claim(key, FIRST) is None
    reports.remember(key, FIRST)
    assert RecentReports(tmp_path / "recent", window_seconds=300).claim(key, SECOND) == FIRST


def test_a_repeat_waits_for_the_first_to_be_saved(
    reports: RecentReports, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = reports.key(b"report", "client")
    reports.claim(key, FIRST)
    waiting = threading.Event()
    monkeypatch.setattr(time, "sleep", lambda seconds: waiting.set())
    answers: list[str | None] = []
    repeat = threading.Thread(target=lambda: answers.append(reports.claim(key, SECOND)))
    repeat.start()
    assert waiting.wait(30)
    reports.remember(key, FIRST)
    repeat.join(30)
    assert answers == [FIRST]


def test_a_repeat_of_one_that_could_not_be_saved_is_a_first(reports: RecentReports) -> None:
    key = reports.key(b"report", "client")
    reports.claim(key, FIRST)
    reports.forget(key)
    assert reports.claim(key, SECOND) is None


def in_another_process(path: Path, do: Callable[[RecentReports], object]) -> None:
    child = os.fork()
    if not child:
        try:
            do(RecentReports(path, window_seconds=300))
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def test_the_claim_of_a_killed_process_counts_no_more(reports: RecentReports, tmp_path: Path) -> None:
    key = reports.key(b"report", "client")
    in_another_process(tmp_path / "recent", lambda there: there.claim(key, FIRST))
    assert reports.claim(key, SECOND) is None


def test_what_a_killed_process_has_saved_still_counts(reports: RecentReports, tmp_path: Path) -> None:
    key = reports.key(b"report", "client")
    in_another_process(tmp_path / "recent", lambda there: there.remember(key, FIRST))
    assert reports.claim(key, SECOND) == FIRST


def test_the_claim_of_a_process_that_never_ends_is_given_up(
    reports: RecentReports, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = reports.key(b"report", "client")
    reports.claim(key, FIRST)
    later = time.time() + 60
    monkeypatch.setattr(deduplication.time, "time", lambda: later)
    assert reports.claim(key, SECOND) is None


def test_a_half_written_entry_is_none(reports: RecentReports, tmp_path: Path) -> None:
    key = reports.key(b"report", "client")
    reports.remember(key, FIRST)
    path = tmp_path / "recent"
    table = path.read_bytes()
    assert table.count(FIRST.encode()) == 1
    path.write_bytes(table.replace(FIRST[:18].encode(), SECOND[::-1][:18].encode()))
    assert RecentReports(path, window_seconds=300).claim(key, SECOND) is None


def test_a_window_of_no_seconds_remembers_nothing(tmp_path: Path) -> None:
    reports = RecentReports(tmp_path / "recent", window_seconds=0)
    key = reports.key(b"report", "client")
    for crash_id in (FIRST, SECOND):
        assert reports.claim(key, crash_id) is None
        reports.remember(key, crash_id)
    assert not (tmp_path / "recent").exists()


def test_of_many_that_come_at_once_one_is_the_first(reports: RecentReports) -> None:
    key = reports.key(b"report", "client")
    together = threading.Barrier(8)

    def claim(number: int) -> str | None:
        crash_id = f"{FIRST[:-12]}{number}{FIRST[-11:]}"
        together.wait(30)
        first_id = reports.claim(key, crash_id)
        if first_id is None:
            reports.remember(key, crash_id)
        return first_id

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(claim, range(8)))
    assert answers.count(None) == 1
    assert len(set(answers)) == 2


def test_taking_a_claim_back_leaves_other_reports_alone(reports: RecentReports) -> None:
    mine, other = reports.key(b"mine", "client"), reports.key(b"other", "client")
    in_my_place = mine[:4] + other[4:]
    reports.claim(mine, FIRST)
    reports.remember(in_my_place, SECOND)
    reports.forget(mine)
    assert reports.claim(in_my_place, FIRST) == SECOND


def test_processes_that_come_at_once_have_one_first(tmp_path: Path) -> None:
    path, answers = tmp_path / "recent", tmp_path / "answers"
    answers.mkdir()
    reports = RecentReports(path, window_seconds=300)
    key = reports.key(b"report", "client")
    ready, go = os.pipe()
    children = []
    for number in range(6):
        child = os.fork()
        if not child:
            try:
                os.close(go)
                os.read(ready, 1)  # the end of the pipe, for all at once
                crash_id = f"{FIRST[:-12]}{number}{FIRST[-11:]}"
                first_id = reports.claim(key, crash_id)
                if first_id is None:
                    reports.remember(key, crash_id)
                (answers / str(number)).write_text(first_id or "first")
            finally:
                os._exit(0)
        children.append(child)
    os.close(go)
    os.close(ready)
    for child in children:
        os.waitpid(child, 0)
    answered = [path.read_text() for path in answers.iterdir()]
    assert (len(answered), answered.count("first")) == (6, 1)
