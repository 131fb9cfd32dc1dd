"""Which reports are kept: rules in order, the first that matches decides. Rules are data, see ``throttle_rules/``."""

from __future__ import annotations

import fnmatch
import hashlib
import re
import secrets
import threading
import time
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from logging import getLogger
from pathlib import Path
from typing import Any

from ingest import conditions
from ingest.conditions import BadRules, Condition, Facts, as_text

log = getLogger(__name__)

#: What changes when a file is written anew: time of change (ns), size, number.
Stamp = tuple[int, int, int]

SHIPPED = Path(__file__).parent / "throttle_rules"
_RULE_NAME = re.compile(r"[A-Za-z0-9_]+")
_JOINED_PART = re.compile(r"(.+)__([1-9]\d{0,2})", re.DOTALL | re.ASCII)


class Result(IntEnum):
    """What becomes of a report. The number is the throttle digit of a crash id."""

    ACCEPT = 0
    DEFER = 1
    REJECT = 2
    FAKEACCEPT = 3
    CONTINUE = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """All conditions hold: ``result``, for ``percent`` of the reports; ``otherwise`` for the rest."""

    name: str
    conditions: tuple[Condition, ...]
    result: Result
    percent: float = 100
    otherwise: Result = Result.CONTINUE

    def matches(self, facts: Facts) -> bool:
        return all(condition.matches(facts) for condition in self.conditions)

    def draw(self, digest: bytes) -> Result:
        """Choose by a hash of the report and the rule, so that the same report sent again gets the same answer."""
        if self.percent == 100:
            return self.result
        hashed = hashlib.sha256(self.name.encode() + digest).digest()
        share = int.from_bytes(hashed[:8]) / 2**64 * 100
        return self.result if share < self.percent else self.otherwise


@dataclass(frozen=True, slots=True)
class Decision:
    """Which rule decided, and how."""

    result: Result
    rule: str
    percent: float


NO_MATCH = Decision(Result.REJECT, "NO_MATCH", 0)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A checked rules' file; ``source`` is its text."""

    source: str
    rules: tuple[Rule, ...]
    fill_in: dict[str, tuple[str, ...]]
    remove: dict[str, tuple[str, ...]]

    def decide(self, annotations: Mapping[str, Any], digest: bytes, today: date) -> Decision:
        facts = Facts(annotations, today)
        for rule in self.rules:
            if rule.matches(facts):
                result = rule.draw(digest)
                if result is not Result.CONTINUE:
                    return Decision(result, rule.name, rule.percent)
        return NO_MATCH

    def explain(self, annotations: Mapping[str, Any], digest: bytes, today: date) -> list[str]:
        """Say for each rule, up to the one that decides, what it did and which annotations it looked at."""
        facts = Facts(annotations, today)
        lines = []
        for rule in self.rules:
            failed = next((c for c in rule.conditions if not c.matches(facts)), None)
            if failed is not None:
                lines.append(f"{rule.name}: no match, by {failed.annotation}")
                continue
            result = rule.draw(digest)
            sampled = "" if rule.percent == 100 else f" ({rule.percent:g} % {rule.result.name.lower()})"
            looked_at = ", ".join(dict.fromkeys(c.annotation for c in rule.conditions)) or "nothing"
            lines.append(f"{rule.name}: match, by {looked_at}: {result.name.lower()}{sampled}")
            if result is not Result.CONTINUE:
                break
        return lines

    def prepare(self, annotations: dict[str, Any]) -> None:
        """Join ``key__1``, ``key__2`` … into ``key`` and fill in fields from their other names; nothing is removed."""
        for name, whole in _joined(annotations).items():
            annotations.setdefault(name, whole)
        for name, others in self.fill_in.items():
            if name not in annotations:
                source = next((other for other in others if other in annotations), None)
                if source is not None:
                    annotations[name] = annotations[source]

    def undo_prepare(self, annotations: dict[str, Any]) -> list[str]:
        """Take out of stored annotations what `prepare` has added, and give the names.

        A report that sent the same value under both names itself looks the same when it is stored, and loses one here.
        """
        added = []
        for name, others in reversed(self.fill_in.items()):
            source = next((other for other in others if other in annotations), None)
            if source is not None and annotations.get(name) == annotations[source]:
                added.append(name)
                del annotations[name]
        for name, whole in _joined(annotations).items():
            if annotations.get(name) == whole:
                added.append(name)
                del annotations[name]
        return added

    def removed_names(self, annotations: Mapping[str, Any]) -> list[str]:
        """Give the names of the annotations that are not to be saved, in the file's order."""
        product = as_text(annotations.get("ProductName", ""))
        patterns = self.remove.get("*", ()) + self.remove.get(product, ())
        names: dict[str, None] = {}
        for pattern in patterns:
            if pattern in annotations:
                names[pattern] = None
            elif "*" in pattern or "?" in pattern:
                wildcards = pattern.replace("[", "[[]")  # which means itself here
                names.update(dict.fromkeys(n for n in annotations if fnmatch.fnmatchcase(n, wildcards)))
        return list(names)


class Throttler:
    """The rules of one file, read again soon after it changes. A file that became wrong changes nothing but the log.

    Then all processes of a collector decide by the last rules that any of them could read, also those that are forked
    later: each keeps a copy of what it could read, for all of them, in ``last_good``.

    Args: ``path`` is a file, or the name of one that ships (``accept_all``, ``mozilla``); ``last_good`` is a file that
    the processes of this collector have to themselves.
    Raises: BadRules when the file is wrong from the start.
    """

    def __init__(self, path: str | Path, *, last_good: Path, check_every_seconds: float = 2) -> None:
        self._path = rules_path(path)
        self._last_good = last_good
        self._check_every_seconds = check_every_seconds
        self._next_check = time.monotonic() + check_every_seconds
        self._lock = threading.Lock()
        self._stamp = _stamp(self._path)
        self._stamp_of_last_good: Stamp | None = None
        self._is_wrong = False
        self._rules = load(self._path)
        self._keep_last_good()

    @property
    def rules(self) -> RuleSet:
        if time.monotonic() >= self._next_check and self._lock.acquire(blocking=False):
            try:
                self.reload_if_changed()
            finally:
                self._lock.release()
        return self._rules

    def reload_if_changed(self) -> None:
        self._next_check = time.monotonic() + self._check_every_seconds
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            self._reload()
        if self._is_wrong:
            self._follow_last_good()

    def _reload(self) -> None:
        try:
            self._rules = load(self._path)
        except BadRules as exc:
            self._is_wrong = True
            log.error("throttle rules: the changed file is not used: %s", exc)
        else:
            self._is_wrong = False
            log.info("throttle rules: %d rules read from the changed file", len(self._rules.rules))
            self._keep_last_good()

    def _keep_last_good(self) -> None:
        temporary = self._last_good.with_name(f".{self._last_good.name}.{secrets.token_hex(4)}")
        try:
            self._last_good.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_text(self._rules.source, encoding="utf-8")
            temporary.replace(self._last_good)
        except OSError as exc:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            log.warning("throttle rules: no copy of them could be kept for processes to come: %s", exc)

    def _follow_last_good(self) -> None:
        stamp = _stamp(self._last_good)
        if stamp == self._stamp_of_last_good:
            return
        self._stamp_of_last_good = stamp
        try:
            self._rules = load(self._last_good)
        except BadRules as exc:
            log.error("throttle rules: the copy of the last good ones is not used either: %s", exc)


def _stamp(path: Path) -> Stamp | None:
    """Give a file's stamp; None when it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def rules_path(name: str | Path) -> Path:
    """Give the file that the setting THROTTLE_RULES names: one that ships, or any other."""
    return next((path for path in SHIPPED.glob("*.toml") if path.stem == str(name)), Path(name))


def load(path: Path) -> RuleSet:
    """Read and check a rules' file.

    Raises: BadRules, naming the file, the rule and what was expected.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise BadRules(f"{path}: cannot be read: {exc}") from exc
    try:
        return parse(text)
    except BadRules as exc:
        raise BadRules(f"{path}: {exc}") from None


def parse(text: str) -> RuleSet:
    """Check the text of a rules' file. Raises: BadRules."""
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        raise BadRules(f"not TOML: {exc}") from None
    unknown = tables.keys() - {"fill_in", "lists", "remove", "rule"}
    if unknown:
        raise BadRules(
            f"unknown table {', '.join(sorted(unknown))}; there are fill_in, lists, remove and rule"
        )
    lists = _table_of_texts(tables, "lists")
    rules = tables.get("rule", [])
    if not isinstance(rules, list) or not rules:
        raise BadRules("there is no [[rule]]; without one every report would be refused")
    return RuleSet(
        source=text,
        rules=tuple(_rule(table, lists) for table in rules),
        fill_in=_table_of_texts(tables, "fill_in"),
        remove=_table_of_texts(tables, "remove"),
    )


def _rule(table: Any, lists: Mapping[str, tuple[str, ...]]) -> Rule:
    name = table.get("name") if isinstance(table, dict) else None
    if not isinstance(name, str) or not _RULE_NAME.fullmatch(name):
        raise BadRules(
            f"rule {name!r}: the name is needed, of ASCII letters, digits and underscores (clients see it)"
        )
    unknown = table.keys() - {"name", "when", "result", "sample"}
    if unknown:
        raise BadRules(
            f"rule {name}: unknown key {', '.join(sorted(unknown))}; there are name, when, result, sample"
        )
    if ("result" in table) == ("sample" in table):
        raise BadRules(f"rule {name}: give either result or sample")
    try:
        when = tuple(conditions.build(condition, lists) for condition in _tables(table.get("when", [])))
        if "sample" not in table:
            return Rule(name, when, _result(table["result"], "accept", "defer", "reject", "fakeaccept"))
        return Rule(name, when, *_sample(table["sample"]))
    except BadRules as exc:
        raise BadRules(f"rule {name}: {exc}") from None


def _tables(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
        raise BadRules(
            f'when = {value!r}; expected a list of conditions such as {{ annotation = "X", is = "Y" }}'
        )
    return value


def _sample(table: Any) -> tuple[Result, float, Result]:
    if not isinstance(table, dict) or table.keys() != {"percent", "then", "otherwise"}:
        raise BadRules("sample has the keys percent, then and otherwise")
    percent = table["percent"]
    if type(percent) not in (int, float) or not 0 <= percent < 100:
        raise BadRules(f"sample percent = {percent!r}; expected a number from 0 to less than 100")
    words = ("accept", "defer", "reject", "fakeaccept", "continue")
    return _result(table["then"], *words), percent, _result(table["otherwise"], *words)


def _result(word: Any, *allowed: str) -> Result:
    if word not in allowed:
        raise BadRules(f"result {word!r}; expected one of {', '.join(allowed)}")
    return Result[word.upper()]


def _table_of_texts(tables: Mapping[str, Any], name: str) -> dict[str, tuple[str, ...]]:
    table = tables.get(name, {})
    if not isinstance(table, dict) or not all(
        isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in table.values()
    ):
        raise BadRules(f"[{name}]: every value is a list of texts")
    return {key: tuple(texts) for key, texts in table.items()}


def _joined(annotations: Mapping[str, Any]) -> dict[str, str]:
    """Give the whole values by name: Crashpad on Linux cuts long ones into ``key__1``, ``key__2`` …"""
    parts: dict[str, dict[int, str]] = {}
    for name, value in annotations.items():
        if "__" in name and isinstance(value, str) and (match := _JOINED_PART.fullmatch(name)):
            parts.setdefault(match[1], {})[int(match[2])] = value
    return {
        name: "".join(numbered[number] for number in sorted(numbered))
        for name, numbered in parts.items()
        if sorted(numbered) == list(range(1, len(numbered) + 1))
    }
