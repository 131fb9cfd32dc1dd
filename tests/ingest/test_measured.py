from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest.measured import Measured


class Slow:
    """Measures 1, 2, 3 … and takes until `go_on` is set."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.times = threading.Event(), threading.Event(), 0

    def __call__(self) -> int:
        self.begun.set()
        assert self.go_on.wait(20)
        self.times += 1
        return self.times


def test_while_one_measures_for_the_first_time_the_others_get_what_is_said_to_be_known() -> None:
    slow = Slow()
    measured = Measured(slow, at_first=-1)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(measured.get)
        assert slow.begun.wait(20)
        assert measured.get() == -1
        slow.go_on.set()
        assert first.result() == measured.get() == 1


def test_or_wait_when_nothing_is_known() -> None:
    slow = Slow()
    measured = Measured(slow, at_first=-1, waits_at_first=True)
    with ThreadPoolExecutor(5) as threads:
        waiting = [threads.submit(measured.get) for _ in range(5)]
        assert slow.begun.wait(20)
        slow.go_on.set()
        assert [future.result() for future in waiting] == [1] * 5
    assert slow.times == 1


def test_what_was_measured_holds_for_a_moment_and_a_failure_does_not() -> None:
    answers = iter([ValueError(), 1, 2])

    def measure() -> int:
        answer = next(answers)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    measured = Measured(measure, at_first=-1)
    with pytest.raises(ValueError):
        measured.get()
    assert [measured.get(), measured.get()] == [1, 1]
