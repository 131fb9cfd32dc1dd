from __future__ import annotations

import signal

import pytest

from crashstats.standalone.launcher import Stopped, stop


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
