"""Check signature lists for entries that cannot work, work on too much, or are slow."""

import re
import warnings
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from signatures.siglists import (
    IRRELEVANT,
    LIST_NAMES,
    PREFIX,
    SENTINELS,
    Entry,
    InvalidSignatureList,
    parse_entry,
    plain_text,
    read_lines,
)

_SHORTEST_UNANCHORED = 5
_LARGE_REPEAT = 100
_FEW_REPEATS = 3
_KEPT_BRACKETS = re.compile(
    r"<T>|<[^<>]* (?:as|in) |<name omitted>|<unknown in|operator[<>()=-]+|->|\(anonymous namespace\)|\(unloaded"
)
_GROUP_SYNTAX = re.compile(r"(?<!\\)(?:\((?:\?(?:<[=!]|.))?|\))")
_TOKEN = re.compile(
    r"""(?P<escape>\\.)
      | (?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])
      | (?P<open>\((?P<extension>\?(?:<[=!]|.))?)
      | (?P<close>\))
      | (?P<repeat>[*+?]|\{(?!\})(?P<least>\d*)(?P<comma>,?)(?P<most>\d*)\})[?+]?
      | (?P<or>\|)
      | .""",
    re.VERBOSE | re.DOTALL,
)
_HARMLESS_EXTENSIONS = ("?:", "?>", "?=", "?!", "?<=", "?<!")


class Severity(StrEnum):
    """An ERROR must be corrected before a list is used; a WARNING is for somebody to look at."""

    ERROR = "error"
    WARNING = "warning"


class Finding(NamedTuple):
    """Something wrong with one line of one list; ``line`` counts from 1, 0 stands for the whole file."""

    severity: Severity
    list_name: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.list_name}.txt:{self.line}: {self.severity}: {self.message}"


def lint_directory(directory: Path, texts: Collection[str] = ()) -> list[Finding]:
    """Check the four lists in a directory.

    Args: ``texts`` are frame texts of recent crashes; with them, entries that match none of them are reported, too.
    """
    findings: list[Finding] = []
    lists: dict[str, list[Entry]] = {}
    for name in LIST_NAMES:
        try:
            lines = read_lines(directory, name)
        except InvalidSignatureList as exc:
            findings.append(Finding(Severity.ERROR, name, 0, str(exc)))
            continue
        lists[name] = list(_parse_leniently(name, lines, findings))
    return findings + lint(lists, texts)


def lint(lists: dict[str, list[Entry]], texts: Collection[str] = ()) -> list[Finding]:
    """Check entries that compile; ``lists`` maps names from ``siglists.LIST_NAMES`` to entries."""
    findings: list[Finding] = []
    for name, entries in lists.items():
        findings += _find_duplicates(entries)
        for entry in entries:
            findings += _check_text(entry)
            if name != SENTINELS:
                findings += _check_expression(entry)
        if name != SENTINELS:
            if not entries:
                message = "holds no entry, and so the reference profile takes every frame for a match"
                findings.append(Finding(Severity.WARNING, name, 0, message))
            findings += _find_shadowed(entries, entries, "matches the same texts")
        findings += _find_unused(entries, texts)
    findings += _find_shadowed(
        lists.get(PREFIX, []), lists.get(IRRELEVANT, []), "makes them irrelevant first"
    )
    return findings


def _parse_leniently(name: str, lines: Iterable[str], findings: list[Finding]) -> Iterator[Entry]:
    for number, line in enumerate(lines, start=1):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                entry = parse_entry(name, line, number)
        except (InvalidSignatureList, Warning) as exc:
            findings.append(Finding(Severity.ERROR, name, number, str(exc)))
            continue
        if entry:
            yield entry


def _error(entry: Entry, message: str) -> Finding:
    return Finding(Severity.ERROR, entry.list_name, entry.line, f"{entry.pattern!r} {message}")


def _warning(entry: Entry, message: str) -> Finding:
    return Finding(Severity.WARNING, entry.list_name, entry.line, f"{entry.pattern!r} {message}")


def _check_expression(entry: Entry) -> Iterator[Finding]:
    if re.match(entry.pattern, ""):
        yield _error(entry, "matches the empty text, and with it every frame")
    try:
        repeats = _count_repeats(entry.pattern)
    except _SharedState as exc:
        yield _error(entry, f"{exc}, which all entries of a list share. Write (?:…) to group")
        return
    if repeats.nested:
        yield _error(
            entry, "repeats a group that repeats or chooses: hostile names can make it take exponential time"
        )
    elif repeats.unbounded > 1:
        yield _error(
            entry,
            f"has {repeats.unbounded} unlimited repeats: long names make it take quadratic time. Keep one",
        )
    text = plain_text(entry.pattern)
    if text is not None and len(text) < _SHORTEST_UNANCHORED and not text.endswith(("_", "::")):
        yield _warning(
            entry, "is so short that it matches many longer names; end it with $ if it is a whole name"
        )


def _check_text(entry: Entry) -> Iterator[Finding]:
    text = entry.pattern if entry.list_name == SENTINELS else _GROUP_SYNTAX.sub("", entry.pattern)
    if re.search(r"<.*>|\(.*\)", _KEPT_BRACKETS.sub("", text.replace("\\", ""))):
        yield _warning(
            entry, "has parameters or template arguments, which frame texts do not have (write <T>)"
        )


def _find_duplicates(entries: Iterable[Entry]) -> Iterator[Finding]:
    lines: dict[str, int] = {}
    for entry in entries:
        first = lines.setdefault(entry.pattern, entry.line)
        if first != entry.line:
            yield _warning(entry, f"is in line {first} already")


def _find_shadowed(entries: Iterable[Entry], others: Iterable[Entry], effect: str) -> Iterator[Finding]:
    """Find plain entries that never decide, because another entry covers everything they match."""
    expressions = [(other, re.compile(other.pattern)) for other in others if not other.pattern.endswith("$")]
    for entry in entries:
        if (text := plain_text(entry.pattern)) is None:
            continue
        for other, expression in expressions:
            if other.pattern != entry.pattern and expression.match(text):
                place = f"{other.list_name}.txt:{other.line}"
                yield _warning(entry, f"never decides anything: {other.pattern!r} in {place} {effect}")
                break


def _find_unused(entries: Iterable[Entry], texts: Collection[str]) -> Iterator[Finding]:
    if not texts:
        return
    for entry in entries:
        if entry.list_name == SENTINELS:
            is_used = entry.pattern in texts
        else:
            is_used = any(map(re.compile(entry.pattern).match, texts))
        if not is_used:
            yield _warning(entry, f"matched none of {len(texts)} frame texts")


class _SharedState(Exception):
    """An expression that uses numbered or named groups or flags."""


class _Repeats(NamedTuple):
    """How often an expression repeats without a limit, and whether it repeats a group that repeats or chooses.

    A group that happens up to three times does not count.
    """

    unbounded: int
    nested: bool


def _count_repeats(pattern: str) -> _Repeats:
    """Count what makes matching slow.

    Raises: _SharedState.
    """
    unbounded, nested = 0, False
    varies = False
    outer: list[bool] = []
    last_varies = False
    for token in _TOKEN.finditer(pattern):
        if token["open"]:
            if token["extension"] not in _HARMLESS_EXTENSIONS:
                raise _SharedState("uses a numbered or named group or a flag")
            outer.append(varies)
            varies = last_varies = False
        elif token["close"]:
            last_varies, varies = varies, outer.pop() or varies
        elif token["repeat"]:
            unbounded += _is_unlimited(token)
            nested |= last_varies and _is_frequent(token)
            varies = varies or not _is_fixed(token)
        elif token["or"]:
            varies = varies or bool(outer)
        else:
            last_varies = False
    return _Repeats(unbounded, nested)


def _is_unlimited(token: re.Match[str]) -> bool:
    if token["repeat"] in ("*", "+"):
        return True
    if not token["comma"]:
        return False
    return not token["most"] or int(token["most"]) >= _LARGE_REPEAT


def _is_frequent(token: re.Match[str]) -> bool:
    """Say whether a repeat can happen so often that the ways to match what it repeats multiply without end."""
    return _is_unlimited(token) or int(token["most"] or token["least"] or 0) > _FEW_REPEATS


def _is_fixed(token: re.Match[str]) -> bool:
    """Say whether a repeat happens a certain number of times, as in ``{4}``."""
    return bool(token["least"]) and (not token["comma"] or token["least"] == token["most"])
