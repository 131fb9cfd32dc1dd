"""Run the rules of a ruleset, in order, over one crash."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from processing import diskspace
from processing.diskspace import DiskFull
from processing.errors import CrashStatsError
from processing.rules.base import Context, Rule

logger = logging.getLogger(__name__)

#: The signature of a crash for which the rules did not come to an end.
UNPROCESSED_SIGNATURE = "EMPTY: crash failed to process"

#: Earlier processings whose notes are kept.
MAX_HISTORY = 50


class NothingToBuildOn(CrashStatsError):
    """A ruleset that works on a processed crash was asked for a crash that has none."""


@dataclass(frozen=True)
class Ruleset:
    """Rules in their order.

    ``starts_clean`` the document is made anew; else the rules change the earlier one · ``processor_version`` is stored
    in the document · ``time_limit_seconds`` rules that would start later than this are left out.
    """

    name: str
    rules: Sequence[Rule]
    starts_clean: bool
    processor_version: str
    time_limit_seconds: float


def run(ruleset: Ruleset, ctx: Context) -> None:
    """Fill in ``ctx.processed_crash``, which holds the earlier processed crash of the same id, or ``{}``.

    A rule that fails leaves its name in ``failed_rules`` and a note with the class of the exception; the rules after it
    still run. ``success`` is true when all rules had their turn. A full disk is no failure of a rule: it ends the run.
    Raises: DiskFull; NothingToBuildOn, before anything is touched, when the ruleset needs an earlier processed crash.
    """
    if not ruleset.starts_clean and not ctx.processed_crash:
        raise NothingToBuildOn(
            f"{ctx.crash_id}: ruleset {ruleset.name} changes a processed crash, and there is none yet; "
            f"process the crash with a ruleset that starts from the raw crash first"
        )
    _begin(ruleset, ctx)
    failed_rules, complete = _run_rules(ruleset, ctx)
    ctx.processed_crash["failed_rules"] = failed_rules
    ctx.processed_crash["success"] = complete
    ctx.processed_crash["processor_notes"] = "\n".join(ctx.notes)
    ctx.processed_crash["completed_datetime"] = _now()


def _begin(ruleset: Ruleset, ctx: Context) -> None:
    earlier = dict(ctx.processed_crash)
    if ruleset.starts_clean:
        ctx.processed_crash.clear()
        ctx.processed_crash["signature"] = UNPROCESSED_SIGNATURE
    started = _now()
    ctx.processed_crash.update(
        processor_history=_history(earlier),
        processor_version=ruleset.processor_version,
        ruleset=ruleset.name,
        started_datetime=started,
        success=False,
    )
    ctx.add_note(f">>> Start processing: {started} ({socket.gethostname()})")


def _history(earlier: Mapping[str, Any]) -> list[str]:
    """Put the notes of the last processing in front of those of the ones before."""
    last, before = earlier.get("processor_notes"), earlier.get("processor_history")
    return [*([last] if last else []), *(before if isinstance(before, list) else [])][:MAX_HISTORY]


def _run_rules(ruleset: Ruleset, ctx: Context) -> tuple[list[str], bool]:
    """Run the rules; give the names of those that failed, and whether all had their turn."""
    failed: list[str] = []
    deadline = time.monotonic() + ruleset.time_limit_seconds
    for rule in ruleset.rules:
        if time.monotonic() > deadline:
            ctx.add_note(f"ruleset '{ruleset.name}' stopped before rule '{rule.name}': time limit reached")
            return failed, False
        try:
            with diskspace.noticed():
                if rule.predicate(ctx):
                    rule.action(ctx)
        except DiskFull:
            raise
        except Exception as exc:
            _report_failure(ruleset, rule, ctx, exc)
            failed.append(rule.name)
    return failed, True


def _report_failure(ruleset: Ruleset, rule: Rule, ctx: Context, error: Exception) -> None:
    """Log where a rule failed, and note that it did. What the exception says may quote the crash, so it stays here."""
    where = error.__traceback__
    while where and where.tb_next:
        where = where.tb_next
    line = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "unknown place"
    logger.error("%s: rule %s failed: %s at %s", ctx.crash_id, rule.name, type(error).__name__, line)
    dotted = f"{type(rule).__module__}.{type(rule).__qualname__}"
    ctx.add_note(f"ruleset '{ruleset.name}' rule '{dotted}' failed: {type(error).__name__}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
