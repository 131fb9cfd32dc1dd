"""The conditions that a throttle rule can name: each is made from one table of the rules' file.

A condition reads one annotation and compares its text, or a value inside of it when the text is JSON. An annotation
that is missing never matches, unless the condition says ``or_missing`` or ``not``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ingest.jsonmarks import count_marks

_BUILD_ID = re.compile(r"20\d{12}", re.ASCII)
#: Firefox's environment is some 60,000 characters with 3,000 values. What is beyond these bounds is not looked into.
_LONGEST_JSON = 1024 * 1024
_MOST_JSON_MARKS = 20_000
_PATH = "a path such as system.os.name"


class BadRules(Exception):
    """A rules' file cannot be used; the text says where and why."""


#: Tells whether a value matches on a day; the value is a text, or anything when it was taken out of JSON.
Test = Callable[[Any, date], bool]


class Facts:
    """What conditions look at: the annotations of one report, and the day.

    Annotations are made into text, and JSON inside of them is parsed, once for all conditions of all rules.
    """

    def __init__(self, annotations: Mapping[str, Any], today: date) -> None:
        self.annotations = annotations
        self.today = today
        self._texts: dict[str, str] = {}
        self._parsed: dict[str, Any] = {}

    def text(self, name: str) -> str:
        """Give an annotation that is there as rules see it."""
        value = self.annotations[name]
        if isinstance(value, str):
            return value
        if name not in self._texts:
            self._texts[name] = as_text(value)
        return self._texts[name]

    def inside(self, name: str, path: tuple[str, ...]) -> Any:
        """Follow a path into the JSON of an annotation that is there; None when it is not as expected on the way."""
        if name not in self._parsed:
            self._parsed[name] = _parse(self.annotations[name])
        value = self._parsed[name]
        for key in path:
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of one annotation."""

    annotation: str
    test: Test
    json_path: tuple[str, ...] = ()
    or_missing: bool = False
    negated: bool = False

    def matches(self, facts: Facts) -> bool:
        return self._holds(facts) is not self.negated

    def _holds(self, facts: Facts) -> bool:
        if self.annotation not in facts.annotations:
            return self.or_missing
        if self.json_path:
            return self.test(facts.inside(self.annotation, self.json_path), facts.today)
        return self.test(facts.text(self.annotation), facts.today)


def as_text(value: Any) -> str:
    """Give a value as rules see it: ``None``, ``True``, ``0`` for what JSON payloads may carry instead of texts."""
    return value if isinstance(value, str) else str(value)


def build(table: Mapping[str, Any], lists: Mapping[str, Sequence[str]]) -> Condition:
    """Make a condition from a table such as ``{annotation = "ProductName", is = "Firefox"}``.

    Raises: BadRules.
    """
    table = dict(table)
    annotation = _take(table, "annotation", str, "the name of an annotation")
    json_path = _take_path(table)
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
    except (TypeError, ValueError) as exc:
        raise BadRules(f"the condition on {annotation}: {name} = {argument!r}: {exc}") from None
    return Condition(annotation, test, json_path, or_missing, negated)


def _take(table: dict[str, Any], key: str, kind: type, what: str, default: Any = None) -> Any:
    value = table.pop(key, default)
    if not isinstance(value, kind):
        raise BadRules(f"a condition has {key} = {value!r}; expected {what}")
    return value


def _take_path(table: dict[str, Any]) -> tuple[str, ...]:
    if "json" not in table:
        return ()
    path = tuple(_take(table, "json", str, _PATH).split("."))
    if not all(path):
        raise BadRules(f"a condition has json = {'.'.join(path)!r}; expected {_PATH}")
    return path


def _parse(text: Any) -> Any:
    """Read the JSON of an annotation; None when it is none, or more of it than a rule may cost.

    Python's parser itself gives up at some depth.
    """
    if not isinstance(text, str) or len(text) > _LONGEST_JSON or count_marks(text) > _MOST_JSON_MARKS:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _texts(argument: Any) -> tuple[str, ...]:
    texts = [argument] if isinstance(argument, str) else argument
    if not isinstance(texts, list | tuple) or not texts or not all(isinstance(text, str) for text in texts):
        raise TypeError("expected a text or a list of texts")
    return tuple(texts)


def _present(argument: Any, _: Any) -> Test:
    if argument is not True:
        raise TypeError("expected true; for the opposite add not = true")
    return lambda value, today: value is not None


def _is(argument: Any, _: Any) -> Test:
    wanted = frozenset(_texts(argument))
    return lambda value, today: isinstance(value, str) and value in wanted


def _is_in_any_case(argument: Any) -> Test:
    wanted = frozenset(text.lower() for text in _texts(argument))
    longest = max(map(len, wanted))  # no text becomes shorter in lower case, so longer ones need no copy

    def test(value: Any, today: date) -> bool:
        return isinstance(value, str) and len(value) <= longest and value.lower() in wanted

    return test


def _in_list(argument: Any, lists: Mapping[str, Sequence[str]]) -> Test:
    if not isinstance(argument, str) or argument not in lists:
        raise ValueError(f"there is no such list under [lists]; there are {', '.join(lists) or 'none'}")
    return _is(lists[argument], lists)


def _starts_with(argument: Any, _: Any) -> Test:
    wanted = _texts(argument)
    return lambda value, today: isinstance(value, str) and value.startswith(wanted)


def _sorts_before(argument: Any, _: Any) -> Test:
    if not isinstance(argument, str):
        raise TypeError("expected a text")
    return lambda value, today: isinstance(value, str) and value < argument


def _number_between(argument: Any, _: Any) -> Test:
    if not isinstance(argument, list) or [type(limit) for limit in argument] != [int, int]:
        raise TypeError("expected two whole numbers")
    low, high = argument
    if low > high:
        raise ValueError("expected the smaller number first")
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
