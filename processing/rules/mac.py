"""Rules about what only macOS tells."""

from __future__ import annotations

import json

from processing.rules.base import Context, Rule
from signatures.crashdata import dig


class MacBootArgsRule(Rule):
    """Keep the arguments that the system was booted with: some of them make it unstable.

    Reads: ``json_dump.mac_boot_args``.
    Fills in: ``mac_boot_args`` (str, protected) and ``has_mac_boot_args`` (true) when there are any.
    Notes: when they are not text.
    """

    def predicate(self, ctx: Context) -> bool:
        return bool(dig(ctx.processed_crash, "json_dump", "mac_boot_args"))

    def action(self, ctx: Context) -> None:
        boot_args = ctx.processed_crash["json_dump"]["mac_boot_args"]
        if not isinstance(boot_args, str):
            ctx.add_note(f"MacBootArgsRule: mac_boot_args is {type(boot_args).__name__} and not str")
        elif boot_args.strip():
            ctx.processed_crash["mac_boot_args"] = boot_args.strip()
            ctx.processed_crash["has_mac_boot_args"] = True


class MacCrashInfoRule(Rule):
    """Keep what system libraries said about the crash, searchable.

    Reads: ``json_dump.mac_crash_info``.
    Fills in: ``mac_crash_info`` (str: JSON with sorted keys) when there are records.
    """

    def predicate(self, ctx: Context) -> bool:
        count = dig(ctx.processed_crash, "json_dump", "mac_crash_info", "num_records")
        return isinstance(count, int) and count > 0

    def action(self, ctx: Context) -> None:
        info = ctx.processed_crash["json_dump"]["mac_crash_info"]
        ctx.processed_crash["mac_crash_info"] = json.dumps(info, sort_keys=True)
