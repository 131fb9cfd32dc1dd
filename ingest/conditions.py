"""The conditions that a throttle rule can name: each is made from one table of the rules' file.

A condition reads one annotation and compares its text. An annotation that is missing never matches, unless the
condition says ``or_missing`` or ``not``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

_BUILD_ID = re.compile(r"20\d{12}", re.ASCII)


class BadRules(Exception):
    """A rules' file cannot be used; the text says where and why."""


#: Tells whether a value matches on a day; the value is a text, or anything when it was taken out of JSON.
Test = Callable[[Any, date], bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of one annotation."""

    annotation: str
    test: Test
    json_path: tuple[str, ...] = ()
    or_missing: bool = False
    negated: bool = False

    def matches(self, annotations: Mapping[str, Any], today: date) -> bool:
        return self._holds(annotations, today) is not self.negated

    def _holds(self, annotations: Mapping[str, Any], today: date) -> bool:
        if self.annotation not in annotations:
            return self.or_missing
        value = as_text(annotations[self.annotation])
        if not self.json_path:
            return self.test(value, today)
        return self.test(_inside(value, self.json_path), today)


def as_text(value: Any) -> str:
    """Give a value as rules see it: ``None``, ``True``, ``0`` for what JSON payloads may carry instead of texts."""
    return value if isinstance(value, str) else str(value)


def build(table: Mapping[str, Any], lists: Mapping[str, Sequence[str]]) -> Condition:
    """Make a condition from a table such as ``{annotation = "ProductName", is = "Firefox"}``.

    Raises: BadRules.
    """
    table = dict(table)
    annotation = _take(table, "annotation", str, "the name of an annotation")
    json_path = tuple(filter(None, _take(table, "json", str, "a path such as system.os.name", "").split(".")))
    or_missing = _take(table, "or_missing", bool, "true or false", False)
    negated = _take(table, "not", bool, "true or false", False)
    any_case = _take(table, "any_case", bool, "true or false", False)
    if len(table) != 1 or not table.keys() <= _TESTS.keys():
        raise BadRules(
            f"the condition on {annotation} has {', '.join(table) or 'no comparison'}; "
            f"expected exactly one of {', '.join(_TESTS)}"
        )
    ((name, argument),) = table.items()
    if any_case and name != "is":
        raise BadRules(f"the condition on {annotation}: any_case goes with `is` only")
    try:
        test = _is_in_any_case(argument) if any_case else _TESTS[name](argument, lists)
    except (TypeError, ValueError, KeyError) as exc:
        raise BadRules(f"the condition on {annotation}: {name} = {argument!r}: {exc}") from None
    return Condition(annotation, test, json_path, or_missing, negated)


def _take(table: dict[str, Any], key: str, kind: type, what: str, default: Any = None) -> Any:
    value = table.pop(key, default)
    if not isinstance(value, kind):
        raise BadRules(f"a condition has {key} = {value!r}; expected {what}")
    return value


def _inside(text: str, path: tuple[str, ...]) -> Any:
    """Follow a path into JSON text; None when anything on the way is not as expected."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _texts(argument: Any) -> tuple[str, ...]:
    texts = (argument,) if isinstance(argument, str) else tuple(argument)
    if not texts or not all(isinstance(text, str) for text in texts):
        raise TypeError("expected a text or a list of texts")
    return texts


def _present(argument: Any, _: Any) -> Test:
    if argument is not True:
        raise TypeError("expected true; for the opposite add not = true")
    return lambda value, today: True


def _is(argument: Any, _: Any) -> Test:
    wanted = frozenset(_texts(argument))
    return lambda value, today: isinstance(value, str) and value in wanted


def _is_in_any_case(argument: Any) -> Test:
    wanted = frozenset(text.lower() for text in _texts(argument))
    return lambda value, today: isinstance(value, str) and value.lower() in wanted


def _in_list(argument: Any, lists: Mapping[str, Sequence[str]]) -> Test:
    if argument not in lists:
        raise ValueError(f"there is no such list under [lists]; there are {', '.join(lists) or 'none'}")
    return _is(lists[argument], lists)


def _starts_with(argument: Any, _: Any) -> Test:
    wanted = _texts(argument)
    return lambda value, today: isinstance(value, str) and value.startswith(wanted)


def _sorts_before(argument: Any, _: Any) -> Test:
    (limit,) = _texts(argument)
    return lambda value, today: isinstance(value, str) and value < limit


def _number_between(argument: Any, _: Any) -> Test:
    low, high = argument
    if not all(type(limit) is int for limit in (low, high)):
        raise TypeError("expected two whole numbers")
    return lambda value, today: type(value) is int and low <= value <= high


def _build_older_than_days(argument: Any, _: Any) -> Test:
    if type(argument) is not int:
        raise TypeError("expected a whole number of days")

    def test(value: Any, today: date) -> bool:
        """A build id is 14 digits, the first eight of which are the day of the build, taken as its first moment."""
        if not isinstance(value, str) or not _BUILD_ID.fullmatch(value):
            return False
        try:
            built = date(int(value[:4]), int(value[4:6]), int(value[6:8]))
        except ValueError:
            return False
        return (today - built).days >= argument

    return test


_TESTS: dict[str, Callable[[Any, Mapping[str, Sequence[str]]], Test]] = {
    "present": _present,
    "is": _is,
    "in_list": _in_list,
    "starts_with": _starts_with,
    "sorts_before": _sorts_before,
    "number_between": _number_between,
    "build_older_than_days": _build_older_than_days,
}
