"""Rules about the crash itself: which thread, why, at what address."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from processing.rules.base import Context, Rule
from signatures.crashdata import dig


def crash_info(ctx: Context, key: str) -> Any:
    """Give a value of the stackwalker's ``crash_info``, None when there is none."""
    return dig(ctx.processed_crash, "json_dump", "crash_info", key)


def frames_of(ctx: Context, thread: Any) -> list[Mapping[str, Any]]:
    """Give the frames of a thread by its index, ``[]`` when there is no such thread."""
    if not isinstance(thread, int) or thread < 0:
        return []
    frames = dig(ctx.processed_crash, "json_dump", "threads", thread, "frames")
    return [frame for frame in frames if isinstance(frame, dict)] if isinstance(frames, list) else []


class CrashingThreadInfoRule(Rule):
    """Tell which thread crashed, why, and at what address.

    Reads: ``json_dump.crash_info`` and ``json_dump.crashing_thread``.
    Fills in: ``crashing_thread`` (int, null when unknown), ``crashing_thread_name`` (str or null), ``reason`` (str),
    ``address`` (str, hex, or null; what the program meant where the processor reports something else),
    ``last_error_value`` (str) when there is one.
    Notes: when the stackwalker did not find the crashing thread. See https://bugzilla.mozilla.org/1827495.
    """

    def predicate(self, ctx: Context) -> bool:
        return isinstance(ctx.processed_crash.get("json_dump"), dict)

    def action(self, ctx: Context) -> None:
        thread = crash_info(ctx, "crashing_thread")
        if thread is None:
            ctx.add_note("mdsw did not identify the crashing thread")
        ctx.processed_crash["crashing_thread"] = thread
        ctx.processed_crash["crashing_thread_name"] = self._of_thread(ctx, "thread_name")
        ctx.processed_crash["reason"] = crash_info(ctx, "type") or ""
        ctx.processed_crash["address"] = self._address(ctx)
        last_error = self._of_thread(ctx, "last_error_value")
        if isinstance(last_error, str):
            ctx.processed_crash["last_error_value"] = last_error

    def _of_thread(self, ctx: Context, key: str) -> Any:
        return dig(ctx.processed_crash, "json_dump", "crashing_thread", key)

    def _address(self, ctx: Context) -> str | None:
        address = crash_info(ctx, "address")
        if not isinstance(address, str):
            return None
        adjusted = crash_info(ctx, "adjusted_address")
        kind = dig(adjusted, "kind")
        if kind == "null-pointer":
            return f"0x{0:016x}" if len(address) == 18 else f"0x{0:08x}"
        if kind == "non-canonical":
            return str(dig(adjusted, "address") or address)
        return address


class ShutDownHangCrashingThreadRule(Rule):
    """Blame the main thread for a hang at shutdown: the thread that crashed is the watchdog that noticed it.

    Reads: field ``signature``, ``json_dump.threads``.
    Fills in: ``crashing_thread`` (0) and ``crashing_thread_name``. Rules that describe the crashing thread's stack
    come after this one. See https://bugzilla.mozilla.org/2037932.
    """

    def predicate(self, ctx: Context) -> bool:
        return str(ctx.processed_crash.get("signature", "")).startswith("shutdownhang")

    def action(self, ctx: Context) -> None:
        ctx.processed_crash["crashing_thread"] = 0
        ctx.processed_crash["crashing_thread_name"] = dig(
            ctx.processed_crash, "json_dump", "threads", 0, "thread_name"
        )


class PossibleBitFlipsRule(Rule):
    """Tell how sure the stackwalker is that broken memory flipped a bit of the crash address.

    Reads: ``json_dump.crash_info.possible_bit_flips``.
    Fills in: ``possible_bit_flips_max_confidence`` (int, percent) when it found any.
    """

    def predicate(self, ctx: Context) -> bool:
        return bool(crash_info(ctx, "possible_bit_flips"))

    def action(self, ctx: Context) -> None:
        confidences = [dig(flip, "confidence") or 0 for flip in crash_info(ctx, "possible_bit_flips")]
        ctx.processed_crash["possible_bit_flips_max_confidence"] = math.floor(100 * max(confidences))


class CrashInconsistenciesRule(Rule):
    """List contradictions between the reported reason and the machine code that crashed.

    Reads: ``json_dump.crash_info.crash_inconsistencies``.
    Fills in: ``crash_inconsistencies`` (list of str, or null).
    """

    def predicate(self, ctx: Context) -> bool:
        return isinstance(ctx.processed_crash.get("json_dump"), dict)

    def action(self, ctx: Context) -> None:
        ctx.processed_crash["crash_inconsistencies"] = crash_info(ctx, "crash_inconsistencies")


class HasGuardPageAccessRule(Rule):
    """Tell that a memory access hit what looks like a guard page: a hint at an exploitable bug, so it is protected.

    Reads: ``json_dump.crash_info.memory_accesses``.
    Fills in: ``has_guard_page_access`` (true), else nothing.
    """

    def predicate(self, ctx: Context) -> bool:
        accesses = crash_info(ctx, "memory_accesses") or []
        return any(dig(access, "is_likely_guard_page") for access in accesses)

    def action(self, ctx: Context) -> None:
        ctx.processed_crash["has_guard_page_access"] = True


class ReportTypeRule(Rule):
    """Tell whether the product crashed or hung.

    Reads: fields ``ipc_channel_error`` and ``async_shutdown_timeout``; the functions of the crashing thread (the first
    thread when it is unknown). See https://bugzilla.mozilla.org/1667997.
    Fills in: ``report_type``: ``hang`` or ``crash``.
    """

    def action(self, ctx: Context) -> None:
        is_hang = (
            bool(ctx.processed_crash.get("ipc_channel_error"))
            or bool(ctx.processed_crash.get("async_shutdown_timeout"))
            or self._watchdog_crashed(ctx)
        )
        ctx.processed_crash["report_type"] = "hang" if is_hang else "crash"

    def _watchdog_crashed(self, ctx: Context) -> bool:
        thread = crash_info(ctx, "crashing_thread")
        frames = frames_of(ctx, thread if isinstance(thread, int) else 0)
        return any("RunWatchdog" in str(frame.get("function")) for frame in frames)


class TopMostFilesRule(Rule):
    """Tell the source file closest to the crash.

    Reads: the frames of field ``crashing_thread``, inlined functions first.
    Fills in: ``topmost_filenames`` (str) when any frame has a file.
    """

    def action(self, ctx: Context) -> None:
        for frame in frames_of(ctx, ctx.processed_crash.get("crashing_thread")):
            for place in (*(frame.get("inlines") or ()), frame):
                if file := dig(place, "file"):
                    ctx.processed_crash["topmost_filenames"] = file
                    return


class ThreadCountRule(Rule):
    """Tell how many threads the process had.

    Reads: ``json_dump.thread_count``.
    Fills in: ``thread_count`` (int, null without a dump).
    """

    def action(self, ctx: Context) -> None:
        ctx.processed_crash["thread_count"] = dig(ctx.processed_crash, "json_dump", "thread_count")


class SoftErrorsRule(Rule):
    """Keep what the writer of the dump could not do.

    Reads: ``json_dump.soft_errors``.
    Fills in: ``soft_errors`` (str: JSON, cut at 4096 characters). See https://bugzilla.mozilla.org/1967829.
    """

    _MAX_CHARACTERS = 4096

    def predicate(self, ctx: Context) -> bool:
        return "soft_errors" in (ctx.processed_crash.get("json_dump") or {})

    def action(self, ctx: Context) -> None:
        soft_errors = json.dumps(ctx.processed_crash["json_dump"]["soft_errors"])
        ctx.processed_crash["soft_errors"] = soft_errors[: self._MAX_CHARACTERS]
