import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from processing import outbox
from processing.errors import SearchError, StorageError


class Command(BaseCommand):
    help = "Hand processed crashes to search as they come, until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="stop when everything that waits is handed over"
        )

    def handle(self, *, once: bool, **options: Any) -> None:
        if once:
            self._drain_once()
        else:
            stopping = threading.Event()
            for signum in (signal.SIGTERM, signal.SIGINT):
                signal.signal(signum, lambda *_: stopping.set())
            outbox.run(stopping)

    def _drain_once(self) -> None:
        try:
            taken = outbox.drain()
        except (SearchError, StorageError) as exc:
            raise CommandError(f"{exc}; what was not handed over stays in the outbox") from exc
        self.stdout.write(f"handed {taken} crashes to search")
