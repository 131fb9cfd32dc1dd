"""Make values of crash documents ready to show: any value in, bounded plain text out, never an error.

Crash data is hostile. A value may be of any JSON type, absurdly long, or hold characters that change how the text
around it reads; nothing here trusts it, and templates escape what comes out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

#: Characters of one value that a page shows at most.
MAX_TEXT = 4_000

_HIDDEN_CHARACTERS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters but tab and line ends
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"  # invisible, or turning the direction of text round
    "\ud800-\udfff]"  # halves of surrogate pairs, which no encoding can write
)
_NUMBER_WORDS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_BYTE_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")


def text(value: Any, limit: int = MAX_TEXT) -> str:
    """Give a value as text: "" for None, JSON for lists and objects, hidden characters spelled as ``\\uXXXX``."""
    if isinstance(value, bool):
        shown = "true" if value else "false"
    elif isinstance(value, str):
        shown = value
    elif isinstance(value, (Mapping, list, tuple)):
        shown = _json(value)
    else:
        shown = "" if value is None else str(value)
    cut = len(shown) - limit
    if cut > 0:
        shown = f"{shown[:limit]}… ({cut:,} more characters)"
    return _HIDDEN_CHARACTERS.sub(lambda found: f"\\u{ord(found[0]):04x}", shown)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return "(nested too deeply to show)"


def mapping(value: Any) -> Mapping[str, Any]:
    """Give the object that should be here, an empty one when something else is."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any) -> Sequence[Any]:
    """Give the list that should be here, an empty one when something else is."""
    return value if isinstance(value, (list, tuple)) else ()


def number(value: Any) -> float | int | None:
    """Give the finite number in a value, which may be text; None when there is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        if isinstance(value, str) and len(value) > 40:
            return None
        found = int(value) if isinstance(value, (int, str)) else value
    except ValueError:
        found = _float(value)
    return found if math.isfinite(found) else None


def _float(value: str | int | float) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan


def whole_number(value: Any) -> int | None:
    """Give the whole number in a value, which may be text; None when there is none."""
    found = number(value)
    return None if found is None else int(found)


def quantity(value: Any) -> str:
    """Give a number with thousands separators; what is no number as it is."""
    found = number(value)
    return text(value) if found is None else f"{found:,}"


def plural(count: int, word: str) -> str:
    """``1 crash`` or ``1,234 crashes``: for words that take s, or es after sh, ch, s and x."""
    ending = "" if count == 1 else "es" if word.endswith(("sh", "ch", "s", "x")) else "s"
    return f"{count:,} {word}{ending}"


def duration(value: Any) -> str:
    """Give seconds as ``125 seconds (2 minutes, 5 seconds)``; what is no number as it is."""
    seconds = whole_number(value)
    if seconds is None:
        return text(value)
    total = plural(seconds, "second")
    return total if abs(seconds) < 60 else f"{total} ({_spelled(seconds)})"


def short_duration(value: Any) -> str:
    """Give seconds as ``0.05 seconds``; what is no number as it is."""
    seconds = number(value)
    return text(value) if seconds is None else f"{seconds:,.2f} seconds"


def _spelled(seconds: int) -> str:
    """The two largest units: finer ones tell nobody anything."""
    parts, rest = [], abs(seconds)
    for word, size in _NUMBER_WORDS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(plural(count, word))
    return ("minus " if seconds < 0 else "") + ", ".join(parts[:2])


def byte_size(value: Any) -> str:
    """Give bytes as ``12,345,678 bytes (12.35 MB)``, in decimal units; what is no number as it is."""
    size = whole_number(value)
    if size is None:
        return text(value)
    if abs(size) < 1_000:
        return plural(size, "byte")
    scaled = float(min(abs(size), 10**18))
    units = iter(_BYTE_UNITS)
    unit = next(units)
    scaled /= 1_000
    while scaled >= 999.995:  # would be written as 1000.00
        unit = next(units)
        scaled /= 1_000
    return f"{size:,} bytes ({'-' if size < 0 else ''}{scaled:.2f} {unit})"


def percentage(value: Any) -> str:
    """Give ``12`` as ``12 %``; what is no number as it is."""
    found = number(value)
    return text(value) if found is None else f"{found:,} %"


def share(count: int, total: int) -> str:
    """Give a part of a total in per cent, without the sign: ``12.5``."""
    return f"{100 * count / max(total, 1):.1f}"


def yes_no(value: Any) -> str:
    """Give a boolean, or the texts reporters send for one, as ``yes`` or ``no``; anything else as it is."""
    match text(value).lower():
        case "1" | "true" | "yes":
            return "yes"
        case "0" | "false" | "no":
            return "no"
    return text(value)


def parse_moment(value: Any) -> datetime | None:
    """Give the moment in an ISO 8601 text, in UTC (which it means when it names no zone); None when there is none."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(text(value, limit=40))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def moment(value: Any) -> str:
    """Give an ISO 8601 text or a datetime as ``2026-08-01 12:34:56 UTC``; what is neither as it is."""
    found = parse_moment(value)
    return text(value) if found is None else f"{found:%Y-%m-%d %H:%M:%S} UTC"


def epoch(value: Any) -> str:
    """Give seconds since 1970 as a moment; what is absurd or no number as it is."""
    seconds = number(value)
    if seconds is None or not 0 < seconds < 32_503_680_000:  # before the year 3000
        return text(value)
    return moment(datetime.fromtimestamp(seconds, UTC))


def build_id(value: Any) -> str:
    """Give a build id, with its day when its first eight digits are one: ``20260801123456 (2026-08-01)``."""
    shown = text(value)
    try:
        day = datetime.strptime(shown[:8], "%Y%m%d").date() if len(shown) == 14 else None
    except ValueError:
        day = None
    return f"{shown} ({day})" if day else shown


def web_address(value: Any) -> str:
    """Give a text when it is a plain http or https address that may become a link, "" otherwise."""
    shown = text(value, limit=2_000)
    return shown if re.fullmatch(r"https?://[^\s\\]+", shown) else ""
