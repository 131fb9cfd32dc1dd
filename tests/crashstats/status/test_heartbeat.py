from threading import Event

from crashstats.status.heartbeat import Heartbeat


def fail() -> None:
    raise RuntimeError("broken")


def test_every_part_is_asked():
    heartbeat = Heartbeat({"good": lambda: None, "bad": fail})
    assert heartbeat.beat() == {"good": True, "bad": False}


def test_an_answer_serves_for_a_moment_and_not_for_ever():
    asked = []
    checks = {"part": lambda: asked.append(1)}
    patient = Heartbeat(checks, cache_seconds=3_600)
    patient.beat()
    patient.beat()
    assert len(asked) == 1
    eager = Heartbeat(checks, cache_seconds=0)
    eager.beat()
    eager.beat()
    assert len(asked) == 3


def test_a_part_that_hangs_counts_as_failed_and_is_not_asked_again_before_it_comes_back():
    started, release = [], Event()

    def hang() -> None:
        started.append(1)
        release.wait(timeout=30)

    heartbeat = Heartbeat({"stuck": hang, "good": lambda: None}, time_limit_seconds=0.05, cache_seconds=0)
    assert heartbeat.beat() == {"stuck": False, "good": True}
    assert heartbeat.beat() == {"stuck": False, "good": True}
    assert len(started) == 1
    release.set()
    while not heartbeat.beat()["stuck"]:
        pass
