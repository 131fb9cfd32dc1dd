"""Rules about crashes for want of memory: the memory report that Gecko sends along."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from processing.rules.base import Context, Rule
from processing.schema.convert import load_json
from signatures.crashdata import dig

MEMORY_REPORT_DUMP = "memory_report"
MAX_MEMORY_REPORT_BYTES = 20 * 1024**2
MAX_MEMORY_REPORT_VALUES = 1_000_000


class BadMemoryReport(ValueError):
    """A memory report that cannot be read; the text may be shown to anyone."""


class OutOfMemoryBinaryRule(Rule):
    """Read the memory report.

    Reads: dump ``memory_report`` (gzip of JSON; at most 20 MiB are unpacked).
    Fills in: ``memory_report`` (JSON, protected), or ``memory_report_error`` (str).
    Notes: why it cannot be read.
    """

    def predicate(self, ctx: Context) -> bool:
        return MEMORY_REPORT_DUMP in ctx.dumps

    def action(self, ctx: Context) -> None:
        try:
            ctx.processed_crash["memory_report"] = read_memory_report(ctx.dumps[MEMORY_REPORT_DUMP])
        except BadMemoryReport as exc:
            ctx.processed_crash["memory_report_error"] = str(exc)
            ctx.add_note(f"OutOfMemoryBinaryRule: {exc}")


def read_memory_report(path: Path) -> Any:
    """Unpack a memory report, never more of it than is allowed. Raises: BadMemoryReport."""
    try:
        with gzip.open(path) as file:
            content = file.read(MAX_MEMORY_REPORT_BYTES + 1)
    except (OSError, EOFError, zlib.error) as exc:
        raise BadMemoryReport("error in gzip of the memory report") from exc
    if len(content) > MAX_MEMORY_REPORT_BYTES:
        raise BadMemoryReport(f"Uncompressed memory info too large (max: {MAX_MEMORY_REPORT_BYTES})")
    try:
        return load_json(content.decode(), MAX_MEMORY_REPORT_VALUES)
    except ValueError as exc:
        raise BadMemoryReport("error in json of the memory report") from exc


class MemoryReportExtractionRule(Rule):
    """Add up what the memory report says about the process that crashed.

    Reads: field ``memory_report``, ``json_dump.pid``.
    Fills in: ``memory_measures`` (object of 16 ints, bytes or counts), nothing when the report does not fit together.
    """

    def predicate(self, ctx: Context) -> bool:
        report = ctx.processed_crash.get("memory_report")
        has_pid = dig(ctx.processed_crash, "json_dump", "pid") is not None
        return (
            has_pid
            and isinstance(report, dict)
            and {"version", "reports", "hasMozMallocUsableSize"} <= report.keys()
        )

    def action(self, ctx: Context) -> None:
        pid = ctx.processed_crash["json_dump"]["pid"]
        measures = measure_memory(ctx.processed_crash["memory_report"]["reports"], pid)
        if measures is not None:
            ctx.processed_crash["memory_measures"] = measures


#: Reports of exactly these paths are measures of their own.
_WHOLE_PATHS = frozenset(
    {
        "gfx-textures",
        "ghost-windows",
        "heap-allocated",
        "host-object-urls",
        "private",
        "resident",
        "resident-unique",
        "system-heap-allocated",
        "vsize",
        "vsize-max-contiguous",
    }
)
_BYTES = 0
_KINDS = {0: "explicit_nonheap", 1: "explicit_heap"}


def measure_memory(reports: Any, pid: int) -> dict[str, int] | None:
    """Add up the reports of one process; None when there are none, or one is not of the expected form.

    Source: ``nsIMemoryReporter`` of Gecko: ``units`` 0 is bytes, ``kind`` 0 is memory outside of the heap, 1 on it.
    """
    sums = dict.fromkeys(
        (
            "explicit_heap",
            "explicit_nonheap",
            "heap_overhead",
            "images",
            "js_main_runtime",
            "top_none_detached",
            *(path.replace("-", "_") for path in _WHOLE_PATHS),
        ),
        0,
    )
    of_process = re.compile(rf"\(pid {re.escape(str(pid))}\)")
    found = False
    for report in reports if isinstance(reports, list) else ():
        if isinstance(report, dict) and of_process.search(str(report.get("process"))):
            found = True
            if not _add(sums, report):
                return None
    return _finished(sums) if found else None


def _add(sums: dict[str, int], report: Mapping[str, Any]) -> bool:
    """Add one report to the sums; tell whether it was of the expected form."""
    path, amount = report.get("path"), report.get("amount")
    if not isinstance(path, str) or not isinstance(amount, int):
        return False
    if path.startswith("explicit/"):
        return _add_explicit(sums, report, path, amount)
    if path.startswith("js-main-runtime/"):
        sums["js_main_runtime"] += amount
    elif path in _WHOLE_PATHS:
        sums[path.replace("-", "_")] += amount
    return True


def _add_explicit(sums: dict[str, int], report: Mapping[str, Any], path: str, amount: int) -> bool:
    kind = report.get("kind")
    if report.get("units") != _BYTES or not isinstance(kind, int) or kind not in _KINDS:
        return False
    sums[_KINDS[kind]] += amount
    if path.startswith("explicit/images/"):
        sums["images"] += amount
    elif "top(none)/detached" in path:
        sums["top_none_detached"] += amount
    elif path.startswith("explicit/heap-overhead/"):
        sums["heap_overhead"] += amount
    return True


def _finished(sums: dict[str, int]) -> dict[str, int]:
    heap = sums.pop("explicit_heap")
    nonheap = sums.pop("explicit_nonheap")
    sums["heap_unclassified"] = sums["heap_allocated"] - heap
    sums["explicit"] = sums["heap_allocated"] + nonheap
    return sums
