from __future__ import annotations

import time

import pytest

from ingest.outage import Outage


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def failed_outage(pause_seconds: float = 5) -> Outage:
    of_storage = Outage(pause_seconds=pause_seconds)
    assert of_storage.may_try()
    of_storage.failed()
    return of_storage


def test_after_a_failure_nobody_tries_until_the_pause_is_over_and_then_one_does(clock: Clock) -> None:
    of_storage = failed_outage()
    clock.now += 4.9
    assert not of_storage.may_try()
    clock.now += 0.1
    assert [of_storage.may_try() for _ in range(3)] == [True, False, False]


def test_a_trial_that_fails_begins_another_pause(clock: Clock) -> None:
    of_storage = failed_outage()
    clock.now += 5
    assert of_storage.may_try()
    of_storage.failed()
    assert not of_storage.may_try()
    clock.now += 5
    assert of_storage.may_try()


def test_a_success_lets_everybody_in(clock: Clock) -> None:
    of_storage = failed_outage()
    of_storage.succeeded()
    assert not of_storage.lasts
    assert [of_storage.may_try() for _ in range(3)] == [True, True, True]


def test_a_trial_without_an_end_does_not_keep_others_from_trying_for_ever(clock: Clock) -> None:
    of_storage = failed_outage()
    clock.now += 5
    assert of_storage.may_try()
    clock.now += 59
    assert not of_storage.may_try()
    clock.now += 1
    assert of_storage.may_try()


def test_with_a_pause_of_0_everybody_tries_after_a_failure(clock: Clock) -> None:
    of_storage = failed_outage(pause_seconds=0)
    assert [of_storage.may_try() for _ in range(3)] == [True, True, True]
