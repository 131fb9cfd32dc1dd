from __future__ import annotations

import os
import signal
import subprocess

import pytest

from crashstats.standalone.launcher import Stopped, stop, wait_for_end


@pytest.fixture
def handlers():
    """Put the signals' handlers back afterwards."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {signum: signal.getsignal(signum) for signum in signals}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


def test_a_second_signal_does_not_disturb_the_stopping(handlers):
    signal.signal(signal.SIGTERM, stop)
    with pytest.raises(Stopped):
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)


def test_adopted_processes_that_ended_do_not_stay_as_zombies():
    adopted = subprocess.Popen(["true"])
    # `kill -0` finds a zombie, too: the shell ends when it is gone, or gives up.
    until_gone = (
        f"for i in $(seq 500); do kill -0 {adopted.pid} 2>/dev/null || exit 0; sleep 0.01; done; exit 1"
    )
    watched = subprocess.Popen(["sh", "-c", until_gone])
    wait_for_end(watched.pid)
    with pytest.raises(ChildProcessError):
        os.waitpid(adopted.pid, os.WNOHANG)
    adopted.wait()
    watched.wait()
