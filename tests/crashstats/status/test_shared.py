from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from crashstats.status.shared import MOST_SECONDS, Shared
from tests.waiting import wait_until


class Work:
    """Something to ask whose answer takes a set time, by a clock of its own."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = 0.0
        self.times = 0

    def do(self) -> int:
        self.now += self.seconds
        self.times += 1
        return self.times

    def clock(self) -> float:
        return self.now


@pytest.mark.parametrize(("seconds", "serves"), [(0.0, 0.0), (0.25, 2.5), (60.0, MOST_SECONDS)])
def test_an_answer_serves_the_longer_the_more_it_cost(seconds: float, serves: float):
    work = Work(seconds)
    shared = Shared(work.do, work.clock)
    assert shared.get() == 1
    if serves:
        work.now += serves - 0.01
        assert shared.get() == 1
        work.now += 0.01
    assert shared.get() == 2


def test_what_failed_is_tried_again_by_the_next_caller():
    answers: list[Callable[[], int]] = [lambda: 1 // 0, lambda: 5]
    shared = Shared(lambda: answers.pop(0)())
    with pytest.raises(ZeroDivisionError):
        shared.get()
    assert shared.get() == 5


def test_many_callers_at_once_cost_one_answer():
    go = Event()
    started: list[int] = []

    def work() -> int:
        started.append(1)
        go.wait(30)
        return len(started)

    now = [0.0]
    shared = Shared(work, lambda: now[0])
    with ThreadPoolExecutor(8) as callers:
        answers = [callers.submit(shared.get) for _ in range(8)]
        wait_until(lambda: started)
        now[0] = 1.0
        go.set()
        assert {answer.result() for answer in answers} == {1}
