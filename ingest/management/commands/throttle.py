"""``manage.py throttle``"""

from __future__ import annotations

import re
import sys
from argparse import ArgumentTypeError
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest.conditions import BadRules
from ingest.errors import MalformedPayload
from ingest.jsonmarks import count_marks
from ingest.payload import CrashReport, Dump, parse_json_annotations
from ingest.throttler import RuleSet, load, rules_path
from processing.errors import CrashDamaged, CrashNotFound, StorageError
from processing.storage import get_storage

_COLLECTORS_KEYS = frozenset({"metadata", "submitted_timestamp", "uuid", "version"})
_REMOVED_NOTE = re.compile(r"Removed (.+) from raw crash\.", re.DOTALL)


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
            "--file",
            metavar="JSON",
            help="a JSON object of annotations, or a stored raw crash; - reads standard input",
        )
        what.add_argument("--day", type=_day, metavar="YYYY-MM-DD", help="a UTC day")

    def handle(self, *, rules: str | None, file: str | None, day: date | None, **options: Any) -> None:
        path = rules_path(rules or settings.COLLECTOR["throttle_rules"])
        try:
            checked = load(path)
        except BadRules as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(f"{path}: {len(checked.rules)} rules, no errors")
        in_force = _in_force(otherwise=checked)
        if file is not None:
            self._explain(checked, in_force, file)
        if day is not None:
            self._count(checked, in_force, day)

    def _explain(self, rules: RuleSet, in_force: RuleSet, file: str) -> None:
        try:
            text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
            annotations = parse_json_annotations(text, count_marks(text))
        except OSError as exc:
            raise CommandError(f"{file}: {exc.strerror}") from exc
        except MalformedPayload as exc:
            raise CommandError(f"{file}: expected a JSON object of annotations ({exc})") from exc
        case = _case_of(annotations, in_force)
        digest = case.report.digest()
        rules.prepare(case.report.annotations)
        for line in rules.explain(case.report.annotations, digest, case.day):
            self.stdout.write(f"  {line}")
        decision = rules.decide(case.report.annotations, digest, case.day)
        self.stdout.write(f"{decision.result.name} by {decision.rule}")
        if removed := rules.removed_names(case.report.annotations):
            self.stdout.write(f"would be removed: {_shown(removed)}")
        if case.is_stored:
            self.stdout.write(f"a stored crash; decided as on {case.day}, the day it came")
        if case.added:
            self.stdout.write(f"taken for added by the collector: {_shown(case.added)}")
        if case.removed:
            self.stdout.write(
                f"removed before it was stored, so samples may have been drawn otherwise: {_shown(case.removed)}"
            )

    def _count(self, rules: RuleSet, in_force: RuleSet, day: date) -> None:
        storage = get_storage()
        counts: Counter[str] = Counter()
        incomplete = unreadable = 0
        try:
            for crash_id in storage.list_crash_ids(day):
                try:
                    case = _case_of(storage.get_raw_crash(crash_id), in_force)
                except CrashDamaged:
                    unreadable += 1
                    continue
                except CrashNotFound:
                    continue  # deleted meanwhile
                digest = case.report.digest()
                rules.prepare(case.report.annotations)
                decision = rules.decide(case.report.annotations, digest, case.day)
                counts[f"{decision.result.name} by {decision.rule}"] += 1
                incomplete += bool(case.removed)
        except StorageError as exc:
            raise CommandError(f"the crash storage cannot be read: {exc}") from exc
        for outcome, count in counts.most_common():
            self.stdout.write(f"{count:8} {outcome}")
        self.stdout.write(f"{counts.total():8} crashes of {day}")
        if incomplete:
            self.stdout.write(
                f"{incomplete:8} of them lost annotations before they were stored: their samples may differ"
            )
        if unreadable:
            self.stdout.write(f"{unreadable:8} more are damaged and were left out")


@dataclass(slots=True)
class _Case:
    """What is to be decided: a report, as of a day (UTC), and how far it is the one that was sent."""

    report: CrashReport
    day: date
    is_stored: bool = False
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def _in_force(*, otherwise: RuleSet) -> RuleSet:
    """Give the collector's rules, by which stored crashes were prepared, whatever rules are tried on them now."""
    try:
        return load(rules_path(settings.COLLECTOR["throttle_rules"]))
    except BadRules:
        return otherwise


def _case_of(annotations: dict[str, Any], in_force: RuleSet) -> _Case:
    """Restore the report that a stored raw crash came from, as far as it can be; annotations alone are one as sent.

    Samples are drawn by annotations as sent and the checksums of dumps. So the collector's own keys go, and what it
    added; what it removed is gone for good, and so are annotations that were called like its own keys.
    """
    metadata = annotations.get("metadata")
    checksums = metadata.get("dump_checksums") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(checksums, dict):
        return _Case(CrashReport(annotations=annotations), datetime.now(UTC).date())
    sent = {name: value for name, value in annotations.items() if name not in _COLLECTORS_KEYS}
    added = in_force.undo_prepare(sent)
    notes = map(str, metadata.get("collector_notes") or ())
    return _Case(
        CrashReport(sent, {str(name): Dump(b"", str(checksum)) for name, checksum in checksums.items()}),
        _day_of(annotations.get("submitted_timestamp")),
        is_stored=True,
        added=added,
        removed=[match[1] for match in map(_REMOVED_NOTE.fullmatch, notes) if match],
    )


def _day_of(submitted_timestamp: Any) -> date:
    try:
        return datetime.fromisoformat(str(submitted_timestamp)).astimezone(UTC).date()
    except (ValueError, OverflowError) as exc:
        raise CommandError(
            f"submitted_timestamp is {str(submitted_timestamp)[:60]!r}; expected a time such as "
            "2026-08-01T12:34:56+00:00, as in every stored raw crash"
        ) from exc


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no day; expected YYYY-MM-DD") from None


def _shown(names: list[str]) -> str:
    """Give names of annotations, which clients choose, for a terminal."""
    return ", ".join(name if name.isprintable() else ascii(name) for name in names)
