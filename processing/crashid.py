"""Crash ids: a random UUID that also carries a throttle digit and the day of receipt.

Shape: ``xxxxxxxx-xxxx-xxxx-xxxx-xxxxxTYYMMDD``, lower-case hex; T is ``0`` for a crash that is kept and processed;
YYMMDD is the UTC day. With the prefix ``bp-`` only when shown or sent.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime

PREFIX = "bp-"
_SHAPE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{5}[01][0-9]{6}")

#: The two bits that say that an id is one of RFC 9562, and two of the random ones; the 4 before is the version.
_VARIANTS = "89ab"


class InvalidCrashId(ValueError):
    """Text that is not a crash id; the message shows at most its first 60 characters."""


def create(day: date | None = None, throttle: int = 0) -> str:
    """Make a new crash id for the given UTC day, today when none is given; ``throttle`` is its throttle digit."""
    day = day or datetime.now(UTC).date()
    dice = os.urandom(16)
    digits, variant = dice.hex(), _VARIANTS[dice[8] >> 4 & 3]
    return (
        f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:25]}"
        f"{throttle}{day.year % 100:02}{day.month:02}{day.day:02}"
    )


def parse(text: str) -> str:
    """Give the crash id in ``text``, which may carry the prefix ``bp-`` and surrounding blanks.

    Raises: InvalidCrashId when the shape is wrong or the last six digits are no calendar day.
    """
    candidate = text.strip().removeprefix(PREFIX)
    if not is_valid(candidate):
        raise InvalidCrashId(
            f"{text[:60]!r} is not a crash id; expected something like "
            f"0b1ec0de-7a11-4f00-8a5e-1c3f50260801, where the last six digits are a day (YYMMDD)"
        )
    return candidate


def is_valid(text: str) -> bool:
    """Tell whether ``text`` is exactly a crash id: no prefix, no blanks, a real calendar day."""
    if not _SHAPE.fullmatch(text):
        return False
    try:
        day_of(text)
    except ValueError:
        return False
    return True


def day_of(crash_id: str) -> date:
    """Give the UTC day that a valid crash id carries (years 2000 to 2099)."""
    return date(2000 + int(crash_id[-6:-4]), int(crash_id[-4:-2]), int(crash_id[-2:]))
