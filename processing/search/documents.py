"""From a processed crash to what a search engine keeps of it: the searchable fields, each value made to fit.

Only fields that the schema calls searchable are taken, so nothing else of a crash can ever be found. Values that do
not fit are cut, marked or left out, never refused: a crash with one odd annotation must still be found by the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from processing.schema.field import Field, SearchKind
from processing.schema.registry import search_fields

KEYWORD_CHARACTERS = 10_000
TEXT_BYTES = 32_766
LIST_ITEMS = 1_000
#: Stands for a value that should be text and is not, so that such crashes can be found.
BAD_DATA = "BAD DATA"

FRAME_SEPARATOR = " | "
#: Years with room around them, so that what is worked out from a date is a date.
_YEARS = range(1900, 9000)
_INT64 = range(-(2**63), 2**63)


def build(processed_crash: Mapping[str, Any], fields: Iterable[Field]) -> dict[str, Any]:
    """Give the values to index, by public field name; fields without a value are absent.

    A value is text, a number, a boolean or an aware UTC datetime, or a list of such without repetitions.
    """
    document: dict[str, Any] = {}
    for field in fields:
        value = _clean(_find(processed_crash, field.path), field.search)
        if value is not None:
            document[field.public_name] = value
    return document


def searchable(processed_crash: Mapping[str, Any]) -> dict[str, Any]:
    """Give what any engine reads of a processed crash, at the places where it reads it: a few kilobytes of a document
    that may have a hundred megabytes. `build` makes the same of either.
    """
    part: dict[str, Any] = {}
    for field in search_fields():
        value = _clean(_find(processed_crash, field.path), field.search)
        if value is not None:
            *outer, last = field.path
            inner = part
            for key in outer:
                inner = inner.setdefault(key, {})
            inner[last] = value
    return part


def shown(value: Any) -> Any:
    """Give a document's value as a search result shows it: datetimes as ISO text, a list of one as its item."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, list):
        return [shown(item) for item in value] if len(value) > 1 else shown(value[0])
    return value


def list_pieces(text: str) -> list[str]:
    """Split a ``;`` separated text into its lower-cased pieces, without empty and repeated ones."""
    return list(dict.fromkeys(piece for part in text.lower().split(";") if (piece := part.strip())))


def cut_keyword(text: str) -> str:
    """Cut text to what is indexed of one token."""
    return text[:KEYWORD_CHARACTERS]


def cut_text(text: str) -> str:
    """Cut text to `TEXT_BYTES` of UTF-8, at a character's border."""
    if len(text) * 4 <= TEXT_BYTES:
        return text
    return text.encode()[:TEXT_BYTES].decode(errors="ignore")


def parse_datetime(text: str) -> datetime:
    """Give the aware UTC datetime in ISO 8601 text; without an offset it is UTC. Raises: ValueError."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _find(processed_crash: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = processed_crash
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _clean(value: Any, kind: SearchKind) -> Any:
    if value is None:
        return None
    clean_one = _CLEANERS[kind]
    if not isinstance(value, list):
        return clean_one(value)
    items = [clean_one(item) for item in value[:LIST_ITEMS] if item is not None]
    return list(dict.fromkeys(item for item in items if item is not None)) or None


def _as_text(value: Any) -> str:
    if not isinstance(value, str):
        return BAD_DATA
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return BAD_DATA
    return value


def _keyword(value: Any) -> str:
    return cut_keyword(_as_text(value))


def _text(value: Any) -> str:
    return cut_text(_as_text(value))


def _integer(value: Any) -> int | None:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number in _INT64 else None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _boolean(value: Any) -> bool:
    return value in (True, 1, "1", "true")


def _datetime(value: Any) -> datetime | None:
    try:
        moment = parse_datetime(value.isoformat() if isinstance(value, datetime) else value)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.year in _YEARS else None


_CLEANERS: dict[SearchKind, Callable[[Any], Any]] = {
    SearchKind.KEYWORD: _keyword,
    SearchKind.TEXT: _text,
    SearchKind.LIST: _text,
    SearchKind.FRAMES: _text,
    SearchKind.INTEGER: _integer,
    SearchKind.NUMBER: _number,
    SearchKind.BOOLEAN: _boolean,
    SearchKind.DATETIME: _datetime,
}
