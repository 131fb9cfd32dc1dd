from argparse import ArgumentTypeError
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseFailure

from processing import verification
from processing.errors import QueueError, StorageError


class Command(BaseCommand):
    help = "Queue every saved crash that is neither finished nor queued, now; the indexer does so every few minutes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--day", type=_day, help="the UTC day of receipt, YYYY-MM-DD; unset: yesterday and today"
        )

    def handle(self, *, day: date | None, **options: Any) -> None:
        try:
            found = verification.verify(day)
        except (StorageError, QueueError, DatabaseFailure) as exc:
            raise CommandError(f"{exc}; run it again when that works") from exc
        self.stdout.write(
            f"queued {found.unknown} crashes that the ledger did not know, {found.lost} that had no message"
        )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise ArgumentTypeError(f"{text!r} is no day; expected something like 2026-08-01") from exc
