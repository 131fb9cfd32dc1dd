"""The four lists that steer the walk over a stack: their files, their loader, and fast questions to them.

A list file is UTF-8 text with one entry per line; blank lines and lines that begin with ``#`` say nothing to the
program. Sentinels are compared with the whole frame text; the entries of the other lists are regular expressions that
must match from the beginning of the frame text (so ``memcpy`` matches ``memcpy_avx``, too). ``lint`` finds entries
that cannot work.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

IRRELEVANT = "irrelevant_signature_re"
PREFIX = "prefix_signature_re"
SENTINELS = "signature_sentinels"
LINE_NUMBERS = "signatures_with_line_numbers_re"
LIST_NAMES = (IRRELEVANT, PREFIX, SENTINELS, LINE_NUMBERS)

INCLUDED_DIRECTORY = Path(__file__).parent / "siglists"

_SHARED_STATE = re.compile(r"\\[1-9]|\(\?(?![:=!<])")
_SPECIAL = frozenset(r"\.^$*+?{}[]|()")


class InvalidSignatureList(ValueError):
    """A list file that is missing, is no UTF-8 text, or holds a line that is no regular expression."""


class Entry(NamedTuple):
    """One line of a list file; ``line`` counts from 1."""

    list_name: str
    pattern: str
    line: int


@dataclass(frozen=True)
class SignatureLists:
    """The four lists, and where they come from; ``source`` is None for the lists that come with this package."""

    irrelevant: tuple[Entry, ...]
    prefix: tuple[Entry, ...]
    sentinels: tuple[Entry, ...]
    line_numbers: tuple[Entry, ...]
    source: Path | None = None

    @classmethod
    def load(cls, directory: Path | str | None = None) -> Self:
        """Read the lists from ``directory``, which holds one ``.txt`` file per list; by default our own.

        Raises: InvalidSignatureList, naming file, line and reason.
        """
        source = None if directory is None else Path(directory)
        folder = INCLUDED_DIRECTORY if source is None else source
        irrelevant, prefix, sentinels, line_numbers = (
            parse_entries(name, read_lines(folder, name)) for name in LIST_NAMES
        )
        return cls(irrelevant, prefix, sentinels, line_numbers, source)

    @classmethod
    def of(
        cls,
        irrelevant: Iterable[str] = (),
        prefix: Iterable[str] = (),
        sentinels: Iterable[str] = (),
        line_numbers: Iterable[str] = (),
    ) -> Self:
        """Build lists from patterns, for tests and previews.

        Raises: InvalidSignatureList when a pattern is no regular expression.
        """
        return cls(
            parse_entries(IRRELEVANT, irrelevant),
            parse_entries(PREFIX, prefix),
            parse_entries(SENTINELS, sentinels),
            parse_entries(LINE_NUMBERS, line_numbers),
        )


def parse_entries(list_name: str, lines: Iterable[str]) -> tuple[Entry, ...]:
    """Parse the lines of one list in their order.

    Raises: InvalidSignatureList for a line that is no regular expression.
    """
    parsed = (parse_entry(list_name, line, number) for number, line in enumerate(lines, start=1))
    return tuple(entry for entry in parsed if entry)


def parse_entry(list_name: str, line: str, number: int) -> Entry | None:
    """Parse one line of a list; None when it is blank or a comment.

    Raises: InvalidSignatureList when it is no regular expression.
    """
    pattern = line.strip()
    if not pattern or pattern.startswith("#"):
        return None
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as exc:
        raise InvalidSignatureList(
            f"{list_name}.txt, line {number}: {pattern!r} is no regular expression ({exc}). Escape characters "
            "such as ( and * with a backslash, or comment the line out with #"
        ) from exc
    return Entry(list_name, pattern, number)


def read_lines(directory: Path, list_name: str) -> list[str]:
    """Read the lines of one list file.

    Raises: InvalidSignatureList when the file cannot be read.
    """
    path = directory / f"{list_name}.txt"
    try:
        return path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is no UTF-8 text"
        raise InvalidSignatureList(
            f"{path}: cannot be read ({reason}). A list directory needs {', '.join(LIST_NAMES)}, each as .txt file"
        ) from exc


def plain_text(pattern: str) -> str | None:
    """Read a pattern that stands for exactly one text; None when it can match more than that."""
    text: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            character = next(characters, "a")
            if character.isalnum():
                return None
        elif character in _SPECIAL:
            return None
        text.append(character)
    return "".join(text)


class Matcher:
    """Answers quickly whether any entry of a regular-expression list matches the beginning of a text.

    Lists are overwhelmingly plain text: prefixes (``memcpy``), infixes (``.*free``), whole names (``kill$``) and
    suffixes (``.*_free$``). These are looked up without the regular-expression engine; the answer is always that of
    one expression made of all entries.
    """

    def __init__(self, entries: Sequence[Entry], empty_matches: bool = False) -> None:
        """Args: ``empty_matches`` is the answer of a list without entries.

        Raises: InvalidSignatureList when entries that compile one by one do not compile as one expression.
        """
        self._entries = entries
        self._empty_matches = empty_matches
        self._whole = _joined(entries)
        self._exact: set[str] = set()
        self._infixes: list[str] = []
        prefixes: list[str] = []
        suffixes: list[str] = []
        others: list[Entry] = []
        shares_state = any(_SHARED_STATE.search(entry.pattern) for entry in entries)
        for entry in entries:
            body, from_anywhere, to_end = _split_anchors(entry.pattern)
            plain = None if shares_state else plain_text(body)
            if plain is None:
                others.append(entry)
            elif from_anywhere and to_end:
                suffixes.append(plain)
            elif from_anywhere:
                self._infixes.append(plain)
            elif to_end:
                self._exact.add(plain)
            else:
                prefixes.append(plain)
        self._prefixes = _shortest_prefixes(prefixes)
        self._suffixes = tuple(suffixes)
        self._others = _joined(others) if others else None

    def matches(self, text: str) -> bool:
        """Say whether an entry matches ``text`` from its beginning."""
        if not self._entries:
            return self._empty_matches
        if "\n" in text:
            return self._whole.match(text) is not None
        prefixes = self._prefixes
        if prefixes and text.startswith(prefixes[bisect_right(prefixes, text) - 1]):
            return True
        if text in self._exact or text.endswith(self._suffixes):
            return True
        for infix in self._infixes:
            if infix in text:
                return True
        return self._others is not None and self._others.match(text) is not None

    def deciding_entry(self, text: str) -> Entry | None:
        """Find the first entry of the list that matches ``text`` by itself; None when none does."""
        return next((entry for entry, expression in self._single if expression.match(text)), None)

    @cached_property
    def _single(self) -> list[tuple[Entry, re.Pattern[str]]]:
        """Each entry by itself, compiled when somebody first asks for an explanation."""
        return [(entry, re.compile(entry.pattern)) for entry in self._entries]


def _joined(entries: Sequence[Entry]) -> re.Pattern[str]:
    try:
        return re.compile("|".join(entry.pattern for entry in entries))
    except re.error as exc:
        raise InvalidSignatureList(
            f"{entries[0].list_name}.txt: the entries do not work together as one regular expression ({exc}). "
            "Entries must not use flags or named groups"
        ) from exc


def _split_anchors(pattern: str) -> tuple[str, bool, bool]:
    """Take a leading ``.*`` and a trailing ``$`` off a pattern, and say whether they were there.

    The rest of a pattern that ends in an escaped ``$`` ends in a lone backslash, which is no plain text.
    """
    from_anywhere = pattern.startswith(".*")
    body = pattern.removeprefix(".*")
    return body.removesuffix("$"), from_anywhere, body.endswith("$")


def _shortest_prefixes(prefixes: Iterable[str]) -> list[str]:
    """Sort prefixes, leaving out those that begin with another one.

    In what remains, the only prefix that a text can begin with is the one that sorts directly before the text.
    """
    shortest: list[str] = []
    for prefix in sorted(prefixes):
        if not shortest or not prefix.startswith(shortest[-1]):
            shortest.append(prefix)
    return shortest
