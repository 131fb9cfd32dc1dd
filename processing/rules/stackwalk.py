"""The rule that walks the stacks of the dumps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from processing.rules.base import Context, Rule
from processing.rules.collector import MAIN_DUMP
from processing.stackwalker.runner import Limits, Stackwalker, Walk, WalkStatus
from processing.symbols.supplier import FolderSupplier

#: All walks of one crash together may take this many times the limit of one.
TIME_BUDGET_IN_WALKS = 3


class MinidumpStackwalkRule(Rule):
    """Walk the stacks of every dump whose name starts with ``upload_file_minidump``.

    Reads: the dumps; annotations ``ModuleSignatureInfo`` and ``CPUMicrocodeVersion``, which the stackwalker uses.
    Fills in: ``json_dump`` (the stackwalker's document; ``{}`` when it failed, nothing when it did not run),
    ``mdsw_status_string`` (``OK`` or a stable name of what went wrong), ``mdsw_return_code``, ``mdsw_stderr``,
    ``stackwalk_version``, ``success``; for a dump that is not the main one, the same keys in an object under the
    dump's name, which ``additional_minidumps`` lists; ``stackwalker_seconds`` (float, all walks).
    Notes: when a dump was empty, could not be walked, or has stacks that were cut.
    """

    def __init__(self, stackwalker: Stackwalker, symbols: FolderSupplier, budget_seconds: float) -> None:
        self._stackwalker = stackwalker
        self._symbols = symbols
        self._budget_seconds = budget_seconds

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Read ``STACKWALKER`` and ``SYMBOLS``. Raises: StackwalkerMissing when there is no stackwalker to run."""
        options = settings["STACKWALKER"]
        limits = Limits(options["timeout_seconds"], options["memory_bytes"])
        return cls(
            Stackwalker(Path(options["path"]), limits),
            FolderSupplier(settings["SYMBOLS"]["folders"]),
            budget_seconds=limits.timeout_seconds * TIME_BUDGET_IN_WALKS,
        )

    def predicate(self, ctx: Context) -> bool:
        return any(name.startswith(MAIN_DUMP) for name in ctx.dumps)

    def action(self, ctx: Context) -> None:
        names = sorted(name for name in ctx.dumps if name.startswith(MAIN_DUMP))
        seconds_left = self._budget_seconds
        for name in names:
            walk = self._walk(ctx, name, seconds_left)
            seconds_left -= walk.seconds
            self._store(ctx, name, walk)
            _add_notes(ctx, name, walk)
        if others := [name for name in names if name != MAIN_DUMP]:
            ctx.processed_crash["additional_minidumps"] = others
        ctx.processed_crash["stackwalker_seconds"] = round(self._budget_seconds - seconds_left, 3)

    def _walk(self, ctx: Context, name: str, seconds_left: float) -> Walk:
        if seconds_left <= 0:
            return Walk(WalkStatus.TIMEOUT, log="No time was left: the dumps before this one took all of it.")
        return self._stackwalker.walk(
            ctx.dumps[name], ctx.workdir, self._symbols.folders(), ctx.raw_crash, timeout_seconds=seconds_left
        )

    def _store(self, ctx: Context, name: str, walk: Walk) -> None:
        result: dict[str, Any] = {
            "mdsw_status_string": str(walk.status),
            "mdsw_stderr": walk.log,
            "stackwalk_version": self._stackwalker.version,
            "success": walk.status == WalkStatus.OK,
        }
        if walk.return_code is not None:
            result |= {"json_dump": walk.document, "mdsw_return_code": walk.return_code}
        if name == MAIN_DUMP:
            ctx.processed_crash.update(result)
        else:
            ctx.processed_crash[name] = result


def _add_notes(ctx: Context, name: str, walk: Walk) -> None:
    if walk.status == WalkStatus.EMPTY:
        ctx.add_note(f"MinidumpStackwalkRule: {name} is empty--skipping minidump processing")
    elif walk.status != WalkStatus.OK:
        ctx.add_note(
            f"MinidumpStackwalkRule: minidump-stackwalk: {name} failed: {walk.return_code}: {walk.status}"
        )
    prefix = "json_dump" if name == MAIN_DUMP else f"{name}.json_dump"
    for cut in walk.cuts:
        ctx.add_note(f"MinidumpStackwalkRule: truncated {prefix}.{cut.path}: {cut.before} -> {cut.after}")
