"""Rules about what only Gecko's crash reporter sends."""

from __future__ import annotations

from processing.rules.base import Context, Rule
from processing.schema import registry
from processing.schema.convert import BadValue, convert, load_json, to_integer


class MozCrashReasonRule(Rule):
    """Keep the text of a failed assertion whole for few; for all only when it cannot hold what a user typed.

    Reads: annotation ``MozCrashReason``.
    Fills in: ``moz_crash_reason_raw`` (str, protected) and ``moz_crash_reason`` (str).
    """

    #: Assertions that quote a path, a string or a script.
    _PRIVATE = ("Failed to load module", "byte index", "do not use eval with system privileges")
    _SANITIZED = "sanitized--see moz_crash_reason_raw"

    def predicate(self, ctx: Context) -> bool:
        reason = ctx.raw_crash.get("MozCrashReason")
        return isinstance(reason, str) and bool(reason)

    def action(self, ctx: Context) -> None:
        reason = ctx.raw_crash["MozCrashReason"]
        ctx.processed_crash["moz_crash_reason_raw"] = reason
        ctx.processed_crash["moz_crash_reason"] = (
            self._SANITIZED if reason.startswith(self._PRIVATE) else reason
        )


class PHCRule(Rule):
    """Keep what the probabilistic heap checker found: a use after free, and who allocated and freed.

    Reads: annotations ``PHCKind``, ``PHCBaseAddress`` (decimal), ``PHCUsableSize``, ``PHCAllocStack`` and
    ``PHCFreeStack``.
    Fills in: ``phc_kind``, ``phc_base_address`` (str, hex), ``phc_usable_size`` (int, bytes), ``phc_alloc_stack``,
    ``phc_free_stack`` (str, decimal addresses), all protected; a number that is none is left out.
    """

    def predicate(self, ctx: Context) -> bool:
        return "PHCKind" in ctx.raw_crash

    def action(self, ctx: Context) -> None:
        for name, annotation in (
            ("phc_kind", "PHCKind"),
            ("phc_alloc_stack", "PHCAllocStack"),
            ("phc_free_stack", "PHCFreeStack"),
        ):
            if annotation in ctx.raw_crash:
                ctx.processed_crash[name] = str(ctx.raw_crash[annotation])
        address = _whole_number(ctx, "PHCBaseAddress")
        if address is not None:
            ctx.processed_crash["phc_base_address"] = hex(address)
        size = _whole_number(ctx, "PHCUsableSize")
        if size is not None:
            ctx.processed_crash["phc_usable_size"] = size


class BreadcrumbsRule(Rule):
    """Keep the events before the crash.

    Reads: annotation ``Breadcrumbs``: JSON, a list of objects, or an object that holds it as ``values``.
    Fills in: ``breadcrumbs`` (list of objects, protected).
    Notes: when it is not of that form.
    """

    def predicate(self, ctx: Context) -> bool:
        return bool(ctx.raw_crash.get("Breadcrumbs"))

    def action(self, ctx: Context) -> None:
        try:
            crumbs = convert(_unwrapped(ctx.raw_crash["Breadcrumbs"]), registry.field("breadcrumbs"))
        except ValueError:
            ctx.add_note("Breadcrumbs: malformed: not a list of events in JSON")
        else:
            ctx.processed_crash["breadcrumbs"] = crumbs


def _unwrapped(sent: object) -> object:
    decoded = load_json(sent) if isinstance(sent, str) else sent
    return decoded["values"] if isinstance(decoded, dict) and "values" in decoded else decoded


def _whole_number(ctx: Context, annotation: str) -> int | None:
    try:
        return to_integer(ctx.raw_crash[annotation])
    except (KeyError, BadValue):
        return None
