"""One value of a search parameter: ``!``, operator and operand become a checked condition on one field."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from processing.errors import BadQuery
from processing.schema.field import Field, SearchKind
from processing.search.documents import parse_datetime
from processing.search.query import OPERATORS_OF_KIND, Operator, Value

#: A value longer than this is refused.
MAX_LENGTH = 10_000
TRUE_WORDS = frozenset({"true", "t", "1", "y", "yes"})
#: Signs that a value may begin with, the longest first; the empty one, a bare value, comes last.
_SIGNS = sorted(Operator, key=len, reverse=True)
_DATETIME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[T ](?P<time>\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)\d*(?P<zone>Z|[-+ ]\d\d:?\d\d)?)?",
    re.ASCII,
)
_WHOLE_NUMBER = re.compile(r"[-+]?[0-9]{1,40}")


class BadParameter(BadQuery):
    """A search parameter that cannot be used; ``parameter`` is its name, ``reason`` says why."""

    def __init__(self, parameter: str, reason: str, text: str = "") -> None:
        super().__init__(text or f"Bad value for parameter {parameter}: {reason}")
        self.parameter = parameter
        self.reason = reason


@dataclass(frozen=True)
class Term:
    """One value as it was meant: ``value`` is None for the operators that take none."""

    operator: Operator
    value: Value | None
    negated: bool


def parse_term(field: Field, text: str) -> Term | None:
    """Read one value of a field's parameter; None when it is empty, which asks for nothing.

    Raises: BadParameter when the value does not fit the field.
    """
    check_text(field.public_name, text)
    negated = text.startswith("!")
    rest = text[1:] if negated else text
    operator = next(sign for sign in _SIGNS if _applies(sign, field.search) and rest.startswith(sign))
    if operator in (Operator.IS_NULL, Operator.IS_TRUE):
        return Term(operator, None, negated)
    operand = rest.removeprefix(operator)
    if operator is Operator.MATCHES and not operand.strip():
        return None
    if operator is Operator.MATCHES and field.public_name == "version" and operand.endswith("b"):
        operator = Operator.STARTS_WITH  # 125.0b stands for all betas of 125.0
    return Term(operator, _CONVERTERS[field.search](field.public_name, operand), negated)


def check_text(parameter: str, text: str) -> None:
    """Raises: BadParameter when the text is too long, or holds what cannot be searched."""
    if len(text) > MAX_LENGTH:
        raise BadParameter(parameter, f"longer than {MAX_LENGTH:,} characters")
    if "\0" in text:
        raise BadParameter(parameter, "Null characters are not allowed.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise BadParameter(parameter, "not valid text")


def parse_date(parameter: str, text: str) -> datetime:
    """Give the aware UTC datetime in ``YYYY-MM-DD``, with or without time, fraction and offset.

    An offset's plus sign may have become a blank, as it does in an address. Raises: BadParameter.
    """
    match = _DATETIME.fullmatch(text.strip())
    if match is None:
        raise BadParameter(parameter, "not a valid datetime")
    zone = (match["zone"] or "Z").replace(" ", "+")
    try:
        moment = parse_datetime(f"{match['day']}T{match['time'] or '00:00'}{zone}")
        moment - timedelta(days=366)  # leaves room to work with it
    except (ValueError, OverflowError) as exc:
        raise BadParameter(parameter, "not a valid datetime") from exc
    return moment


def parse_whole_number(parameter: str, text: str) -> int:
    """Raises: BadParameter when the text is no whole number of at most 40 digits."""
    if not _WHOLE_NUMBER.fullmatch(text.strip()):
        raise BadParameter(parameter, "not a valid int")
    return int(text)


def parse_number(parameter: str, text: str) -> float:
    """Raises: BadParameter when the text is no finite number."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadParameter(parameter, "not a valid float")
    return number


def _applies(operator: Operator, kind: SearchKind) -> bool:
    """Tell whether the operator's sign is one for this kind, or only the beginning of a text to look for.

    Dates take no ``=``: nobody means one microsecond.
    """
    if kind is SearchKind.DATETIME and operator is Operator.IS:
        return False
    return operator in OPERATORS_OF_KIND[kind]


def _text(parameter: str, text: str) -> str:
    return text


def _boolean(parameter: str, text: str) -> bool:
    return text.strip().lower() in TRUE_WORDS


_CONVERTERS: dict[SearchKind, Callable[[str, str], Value]] = {
    SearchKind.KEYWORD: _text,
    SearchKind.TEXT: _text,
    SearchKind.LIST: _text,
    SearchKind.FRAMES: _text,
    SearchKind.INTEGER: parse_whole_number,
    SearchKind.NUMBER: parse_number,
    SearchKind.BOOLEAN: _boolean,
    SearchKind.DATETIME: parse_date,
}
