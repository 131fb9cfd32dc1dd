import sys
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from processing import crashid, queue
from processing.errors import QueueError
from processing.models import Crash, CrashState
from processing.rulesets import DEFAULT, RULESETS


class Command(BaseCommand):
    help = "Queue crashes again. Takes crash ids as arguments, or one per line on stdin; or all that failed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("crash_ids", nargs="*", metavar="CRASH_ID")
        parser.add_argument("--failed", action="store_true", help="all that the ledger shows as failed")
        parser.add_argument("--ruleset", choices=sorted(RULESETS), default=DEFAULT)
        parser.add_argument("--queue", choices=queue.QUEUES, default=queue.REPROCESSING, dest="queue_name")

    def handle(
        self, *, crash_ids: list[str], failed: bool, ruleset: str, queue_name: str, **options: Any
    ) -> None:
        if failed and crash_ids:
            raise CommandError("give crash ids or --failed, not both; nothing was queued")
        chosen = _failed() if failed else _valid(crash_ids or sys.stdin)
        try:
            count = queue.publish(chosen, queue=queue_name, ruleset=ruleset)
        except QueueError as exc:
            raise CommandError(f"{exc}; running this again queues the rest") from exc
        self.stdout.write(f"queued {count} crashes for {ruleset}")


def _valid(texts: Iterable[str]) -> list[str]:
    try:
        return [crashid.parse(text) for text in texts if text.strip()]
    except crashid.InvalidCrashId as exc:
        raise CommandError(f"{exc}; nothing was queued") from exc


def _failed() -> list[str]:
    return list(Crash.objects.filter(state=CrashState.FAILED).values_list("crash_id", flat=True))
