"""``manage.py runmover``"""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest.build import build_publisher, build_spool
from ingest.mover import Mover
from processing.errors import StorageError
from processing.storage import get_storage


class Command(BaseCommand):
    help = (
        "Bring crashes that the collector keeps on this machine's disk, because storage or database were down, "
        "to where they belong; go on until SIGTERM."
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
        spool, publisher = build_spool(), build_publisher()
        mover = Mover(spool, get_storage(), publisher)
        try:
            while not stop.is_set():
                moved = mover.run_once(lambda: not stop.is_set())
                if once:
                    break
                stop.wait(interval)
        except StorageError as exc:
            raise CommandError(f"the spool cannot be read: {exc}") from exc
        finally:
            publisher.close()
        if once:
            self.stdout.write(
                f"moved {moved.saved} crashes to storage, published {moved.published}; "
                f"{sum(spool.waiting().values())} are left"
            )
