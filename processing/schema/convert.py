"""Turn the text of an annotation into a value of its field's type.

Reporters that send one JSON document may use JSON's own types, so those are taken as well. What comes out can always
be written as JSON and as UTF-8: numbers are finite, texts hold no lone surrogates, nesting is bounded.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from processing.schema.field import Field, FieldType, Shape

#: Whole numbers outside 64 bits are refused: no engine that reads them later could hold them.
MIN_INTEGER = -(2**63)
MAX_INTEGER = 2**63 - 1

#: Levels of lists and objects inside a value; far more than any known reporter sends, far less than Python's stack.
MAX_DEPTH = 40

#: Values in one JSON text, about; far more than any known reporter sends. As Python objects they take 60 to 230 bytes
#: each, 20 times as much as their text.
MAX_VALUES = 200_000

#: What Python's ``int`` takes beyond this (underscores, digits of other scripts) no reporter means as a number.
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,30}")

_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}


class BadValue(ValueError):
    """A value that is not of its field's type. The text completes a sentence and never shows the value."""


def convert(value: Any, row: Field) -> Any:
    """Give ``value`` as the type that ``row`` says.

    Raises: BadValue, whose text follows the annotation's name in a public note: ``has a non-int value``.
    """
    converted = _CONVERTERS[row.type](value)
    if row.shape is not None and not fits(converted, [row.shape] if row.many else row.shape):
        raise BadValue(f"value is malformed {row.name}")
    return converted


def fits(value: Any, shape: Shape) -> bool:
    """Tell whether objects, lists and plain values are where the shape has them; null and unknown keys fit anywhere."""
    if value is None:
        return True
    if isinstance(shape, dict):
        return isinstance(value, Mapping) and all(
            fits(item, shape[key]) for key, item in value.items() if key in shape
        )
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(item, shape[0]) for item in value)
    return not isinstance(value, (dict, list))


def to_text(value: Any) -> str:
    """Give text without trailing white space; what is not text becomes its JSON."""
    return clean_text(value if isinstance(value, str) else _json_of(value)).rstrip()


def to_boolean(value: Any) -> bool:
    """Take ``1``, ``0``, ``true``, ``false`` in any letter case, as text or as JSON. Raises: BadValue."""
    if isinstance(value, int) and value in (0, 1):  # JSON's own true and false are such ints too
        return bool(value)
    if isinstance(value, str) and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    raise BadValue("has a non-boolean value")


def to_integer(value: Any) -> int:
    """Take a whole number that fits 64 bits, as text or as JSON. Raises: BadValue."""
    if isinstance(value, str):
        is_whole = _WHOLE_NUMBER.fullmatch(value.strip()) is not None
    elif isinstance(value, float):
        is_whole = value.is_integer()
    else:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole:
        raise BadValue("has a non-int value")
    number = int(value)
    if not MIN_INTEGER <= number <= MAX_INTEGER:
        raise BadValue("has an int value that does not fit 64 bits")
    return number


def to_number(value: Any) -> float:
    """Take a finite number, as text or as JSON. Raises: BadValue."""
    try:
        is_odd = isinstance(value, bool) or (isinstance(value, str) and "_" in value)
        number = math.nan if is_odd else float(value)
    except (TypeError, ValueError, OverflowError) as exc:
        raise BadValue("has a non-float value") from exc
    if not math.isfinite(number):
        raise BadValue("has a non-float value")
    return number


def to_object(value: Any) -> Any:
    """Take JSON, as text or already decoded, within the bounds of `load_json`. Raises: BadValue."""
    try:
        return load_json(value if isinstance(value, str) else json.dumps(value))
    except (TypeError, ValueError, RecursionError) as exc:
        raise BadValue("value is malformed json") from exc


def load_json(text: str, max_values: int = MAX_VALUES) -> Any:
    """Decode JSON and clean it as `clean_json` does; what has too many values is not even decoded.

    Raises: ValueError for what is no JSON, nests too deeply or has more than about ``max_values`` values.
    """
    values = sum(map(text.count, ",[{"))
    if values > max_values:
        raise ValueError(f"{values:,} values in one JSON text; at most {max_values:,} are read")
    try:
        return clean_json(json.loads(text))
    except RecursionError as exc:
        raise ValueError(f"lists and objects nest deeper than {MAX_DEPTH} levels") from exc


def clean_text(text: str) -> str:
    """Replace what cannot be written as UTF-8: halves of surrogate pairs, which JSON lets through."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_json(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Copy decoded JSON with clean texts and no NUL characters.

    Raises: ValueError for a number that is not finite, an unknown type or too deep a nesting.
    """
    if depth < 0:
        raise ValueError(f"lists and objects nest deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        return clean_text(value).replace("\0", "")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is not finite")
    if isinstance(value, list):
        return [clean_json(item, depth - 1) for item in value]
    if isinstance(value, dict):
        return {clean_json(str(key), depth): clean_json(item, depth - 1) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise ValueError(f"{type(value).__name__} is no JSON type")


def _json_of(value: Any) -> str:
    try:
        return json.dumps(clean_json(value), ensure_ascii=False)
    except ValueError as exc:
        raise BadValue("has a value that is neither text nor JSON") from exc


_CONVERTERS: Mapping[FieldType, Callable[[Any], Any]] = {
    FieldType.STRING: to_text,
    FieldType.DATETIME: to_text,
    FieldType.BOOLEAN: to_boolean,
    FieldType.INTEGER: to_integer,
    FieldType.NUMBER: to_number,
    FieldType.OBJECT: to_object,
}
