from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from processing import crashid, leases, ledger, tasks
from processing.errors import CrashNotFound
from processing.rulesets import DEFAULT, RULESETS


class Command(BaseCommand):
    help = "Process crashes here and now, in the foreground, whatever waits in the queues."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("crash_ids", nargs="+", metavar="CRASH_ID")
        parser.add_argument("--ruleset", choices=sorted(RULESETS), default=DEFAULT)

    def handle(self, *, crash_ids: list[str], ruleset: str, **options: Any) -> None:
        try:
            chosen = [crashid.parse(text) for text in crash_ids]
        except crashid.InvalidCrashId as exc:
            raise CommandError(f"{exc}; nothing was processed") from exc
        for crash_id in chosen:
            self.stdout.write(f"{crash_id}: {_process(crash_id, ruleset)}")


def _process(crash_id: str, ruleset: str) -> str:
    """Process one crash as a worker would, and tell how that ended."""
    lease = leases.claim(crash_id, ruleset)
    if lease is None:
        return "a worker is processing it now; try again in a minute"
    tasks.attempt(lease)
    try:
        entry = ledger.find(crash_id).entry
    except CrashNotFound:
        return "unknown: neither ledger nor storage have it"
    return f"{entry.state} {entry.last_error}".rstrip()
