"""How many values JSON can hold, told from its text: each takes far more memory than its text."""

from __future__ import annotations


def count_marks(text: str | bytes) -> int:
    """Count commas and opening brackets, in no time, and so also those that stand in strings."""
    marks = (",", "[", "{") if isinstance(text, str) else (b",", b"[", b"{")
    return sum(map(text.count, marks))  # type: ignore[arg-type]  # both of one kind
