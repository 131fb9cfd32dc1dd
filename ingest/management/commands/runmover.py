"""``manage.py runmover``"""

from __future__ import annotations

import signal
import threading
from logging import getLogger
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest.build import build_publisher, build_samples, build_spool, build_storage
from ingest.malformed import MalformedSamples
from ingest.mover import Mover
from ingest.spool import Spool
from processing.errors import StorageError

log = getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Bring crashes that the collector keeps on this machine's disk, because storage or database were down, "
        "to where they belong, and delete old samples of malformed submissions; go on until SIGTERM."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="go through the spool once and end")
        parser.add_argument(
            "--interval", type=float, default=2, metavar="SECONDS", help="rest between rounds (default: 2)"
        )

    def handle(self, *, once: bool, interval: float, **options: Any) -> None:
        stop = threading.Event()
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: stop.set())
        spool = build_spool()
        # No client waits here, so one crash that the database refuses need not spare it the others for a while.
        publisher = build_publisher(pause_seconds=0)
        mover = Mover(
            spool, build_storage(spool, begin=False), publisher, threads=settings.COLLECTOR["mover_threads"]
        )
        try:
            if once:
                self._run_once(mover, spool, stop)
            else:
                _run_until_stopped(mover, build_samples(), stop, interval)
        finally:
            mover.close()
            publisher.close()

    def _run_once(self, mover: Mover, spool: Spool, stop: threading.Event) -> None:
        try:
            moved = mover.run_once(lambda: not stop.is_set())
            left = spool.waiting()
        except StorageError as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(
            f"moved {moved.saved} crashes to storage, published {moved.published}; "
            f"{left.crashes + left.notes} are left"
        )
        if left.refused:
            self.stdout.write(
                f"{left.refused} of them were refused and are tried again later; the log says why"
            )
        if left.damaged:
            self.stdout.write(f"{left.damaged} are damaged and kept in {spool.damaged}")


def _run_until_stopped(
    mover: Mover, samples: MalformedSamples, stop: threading.Event, interval: float
) -> None:
    """Go through the spool again and again. One that cannot be used now is a disk that somebody may mount again."""
    problem = ""
    while not stop.is_set():
        samples.remove_old()
        try:
            mover.run_once(lambda: not stop.is_set())
            problem = ""
        except StorageError as exc:
            if str(exc) != problem:
                problem = str(exc)
                log.error("%s", problem)
        stop.wait(interval)
