"""Rules for tests of what surrounds the rules: the workers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from processing.rules.base import Context, Rule

#: Where `WaitRule` and the test meet.
MEETING_PLACE = "TEST_MEETING_PLACE"


class NothingRule(Rule):
    """Do nothing."""

    def action(self, ctx: Context) -> None:
        pass


class WaitRule(Rule):
    """Say that the crash has begun, then wait until the test says ``go``."""

    def action(self, ctx: Context) -> None:
        place = Path(os.environ[MEETING_PLACE])
        (place / f"{ctx.crash_id}.{os.getpid()}").touch()
        while not (place / "go").exists():
            time.sleep(0.01)


class DieRule(Rule):
    """Kill the worker, as the system does when memory runs out."""

    def action(self, ctx: Context) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class DieOnceRule(Rule):
    """Kill the worker the first time."""

    def action(self, ctx: Context) -> None:
        marker = Path(os.environ[MEETING_PLACE]) / "died"
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class HangRule(Rule):
    """Take longer than any crash may."""

    def action(self, ctx: Context) -> None:
        while True:
            time.sleep(1)


class DeafRule(HangRule):
    """Hear no alarm either, like a library that never comes back to Python."""

    def action(self, ctx: Context) -> None:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        super().action(ctx)
