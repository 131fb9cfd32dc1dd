"""Rules about time: when the report came, when the crash happened, how long the product had run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from processing import crashid
from processing.rules.base import Context, Rule
from processing.schema.convert import MAX_INTEGER, MIN_INTEGER, BadValue, to_integer


class SubmissionDateRule(Rule):
    """Tell when the collector took the report, by which it is searched.

    Reads: raw crash key ``submitted_timestamp`` (ISO 8601).
    Fills in: ``submitted_timestamp`` and ``date_processed`` (ISO 8601 with an offset; the same value).
    Notes: when there is no such time: then it is the start of the day that the crash id carries.
    """

    def action(self, ctx: Context) -> None:
        submitted = _parse_time(ctx.raw_crash.get("submitted_timestamp"))
        if submitted is None:
            ctx.add_note("submitted_timestamp is missing or no time - took the day of the crash id")
            submitted = f"{crashid.day_of(ctx.crash_id).isoformat()}T00:00:00+00:00"
        ctx.processed_crash["submitted_timestamp"] = submitted
        ctx.processed_crash["date_processed"] = submitted


class CrashTimeRule(Rule):
    """Tell when the crash happened by the client's clock.

    Reads: annotation ``CrashTime`` (epoch seconds; only the first 10 characters count) and field
    ``submitted_timestamp``, which stands in for it.
    Fills in: ``crash_time`` (int, epoch seconds) and ``client_crash_date`` (ISO 8601).
    Notes: when it is missing or no number, or cannot be told from the time of submission.
    """

    def action(self, ctx: Context) -> None:
        submitted = int(datetime.fromisoformat(ctx.processed_crash["submitted_timestamp"]).timestamp())
        crash_time = self._crash_time(ctx, submitted)
        if crash_time == submitted:
            ctx.add_note("client_crash_date is unknown")
        ctx.processed_crash["crash_time"] = crash_time
        ctx.processed_crash["client_crash_date"] = datetime.fromtimestamp(crash_time, UTC).isoformat()

    def _crash_time(self, ctx: Context, submitted: int) -> int:
        if "CrashTime" not in ctx.raw_crash:
            ctx.add_note("WARNING: raw_crash missing CrashTime")
            return submitted
        try:
            return to_integer(str(ctx.raw_crash["CrashTime"])[:10])
        except BadValue:
            ctx.add_note('non-integer value of "CrashTime"')
            return 0


class UptimeRule(Rule):
    """Tell how long the product had run when it crashed.

    Reads: fields ``crash_time`` and ``startup_time`` (epoch seconds).
    Fills in: ``uptime`` (int, seconds, never negative; 0 when the start is unknown).
    """

    def action(self, ctx: Context) -> None:
        crash_time = ctx.processed_crash["crash_time"]
        startup_time = ctx.processed_crash.get("startup_time", crash_time)
        ctx.processed_crash["uptime"] = min(max(0, crash_time - startup_time), MAX_INTEGER)


class InstallAgeRule(Rule):
    """Tell how long the product had been installed when it crashed.

    Reads: annotation ``InstallTime`` (epoch seconds), which field ``startup_time`` stands in for; field ``crash_time``.
    Fills in: ``install_age`` (int, seconds; negative when the clock was set back).
    Notes: when ``InstallTime`` is no number; it counts as 0 then.
    """

    def action(self, ctx: Context) -> None:
        crash_time = ctx.processed_crash["crash_time"]
        startup_time = ctx.processed_crash.get("startup_time", crash_time)
        try:
            installed = to_integer(ctx.raw_crash.get("InstallTime", startup_time))
        except BadValue:
            ctx.add_note('non-integer value of "InstallTime"')
            installed = 0
        ctx.processed_crash["install_age"] = min(max(MIN_INTEGER, crash_time - installed), MAX_INTEGER)


class LastCrashRule(Rule):
    """Tell how long ago the product had crashed before.

    Reads: annotation ``SecondsSinceLastCrash``.
    Fills in: ``last_crash`` (int, seconds, or null when unknown).
    Notes: when the annotation is no number.
    """

    def action(self, ctx: Context) -> None:
        last_crash = None
        if "SecondsSinceLastCrash" in ctx.raw_crash:
            try:
                last_crash = to_integer(ctx.raw_crash["SecondsSinceLastCrash"])
            except BadValue as exc:
                ctx.add_note(f"SecondsSinceLastCrash {exc}")
        ctx.processed_crash["last_crash"] = last_crash


def _parse_time(text: Any) -> str | None:
    """Give an ISO 8601 time with an offset (UTC when it has none), None when ``text`` is no time."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
