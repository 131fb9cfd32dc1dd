"""``manage.py throttle``"""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest.conditions import BadRules
from ingest.errors import MalformedPayload
from ingest.payload import CrashReport, Dump, parse_json_annotations
from ingest.throttler import RuleSet, load, rules_path
from processing.errors import CrashNotFound, StorageError
from processing.storage import get_storage

_COLLECTORS_KEYS = ("metadata", "submitted_timestamp", "uuid", "version")


class Command(BaseCommand):
    help = (
        "Check the throttle rules, and say what they would do: to the annotations of one crash, or to all stored "
        "crashes of a day (which were accepted already)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--rules", help="a rules' file, accept_all or mozilla (default: the setting THROTTLE_RULES)"
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--file", metavar="JSON", help="a JSON object of annotations; - reads standard input"
        )
        what.add_argument("--day", type=date.fromisoformat, metavar="YYYY-MM-DD", help="a UTC day")

    def handle(self, *, rules: str | None, file: str | None, day: date | None, **options: Any) -> None:
        path = rules_path(rules or settings.COLLECTOR["throttle_rules"])
        try:
            checked = load(path)
        except BadRules as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(f"{path}: {len(checked.rules)} rules, no errors")
        if file is not None:
            self._explain(checked, file)
        if day is not None:
            self._count(checked, day)

    def _explain(self, rules: RuleSet, file: str) -> None:
        try:
            text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
            annotations = parse_json_annotations(text)
        except OSError as exc:
            raise CommandError(f"{file}: {exc.strerror}") from exc
        except MalformedPayload as exc:
            raise CommandError(f"{file}: expected a JSON object of annotations ({exc})") from exc
        report = _report_of(annotations)
        digest, today = report.digest(), datetime.now(UTC).date()
        rules.prepare(report.annotations)
        for line in rules.explain(report.annotations, digest, today):
            self.stdout.write(f"  {line}")
        decision = rules.decide(report.annotations, digest, today)
        self.stdout.write(f"{decision.result.name} by {decision.rule}")
        if removed := rules.removed_names(report.annotations):
            self.stdout.write(f"would be removed: {', '.join(removed)}")

    def _count(self, rules: RuleSet, day: date) -> None:
        storage = get_storage()
        counts: Counter[str] = Counter()
        try:
            for crash_id in storage.list_crash_ids(day):
                try:
                    report = _report_of(storage.get_raw_crash(crash_id))
                except CrashNotFound:
                    continue  # deleted meanwhile
                digest = report.digest()
                rules.prepare(report.annotations)
                decision = rules.decide(report.annotations, digest, day)
                counts[f"{decision.result.name} by {decision.rule}"] += 1
        except StorageError as exc:
            raise CommandError(f"the crash storage cannot be read: {exc}") from exc
        for outcome, count in counts.most_common():
            self.stdout.write(f"{count:8} {outcome}")
        self.stdout.write(f"{counts.total():8} crashes of {day}")


def _report_of(annotations: dict[str, Any]) -> CrashReport:
    """Make the report that a raw crash came from; of its dumps only the checksums are needed."""
    metadata = annotations.get("metadata")
    checksums = metadata.get("dump_checksums", {}) if isinstance(metadata, dict) else {}
    return CrashReport(
        annotations={name: value for name, value in annotations.items() if name not in _COLLECTORS_KEYS},
        dumps={name: Dump(b"", checksum) for name, checksum in checksums.items()},
    )
