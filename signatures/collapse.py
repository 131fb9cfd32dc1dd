"""Text work on balanced brackets: find slices, replace slices, split outside of them.

Symbol names come from crash reports, so any of them may be a megabyte of opening brackets. Every function here
looks at each character a fixed number of times and does not recurse.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, Self


class Brackets(NamedTuple):
    """One kind of bracket, and the expression that finds a pair with no other one within, or else a single bracket."""

    opener: str
    closer: str
    pair_or_single: re.Pattern[str]

    @classmethod
    def of(cls, opener: str, closer: str) -> Self:
        """Make the brackets from their two characters."""
        one, other = re.escape(opener), re.escape(closer)
        return cls(opener, closer, re.compile(rf"{one}(?:[^{one}{other}]*+{other})?|{other}"))


ROUND = Brackets.of("(", ")")
SQUARE = Brackets.of("[", "]")
ANGLE = Brackets.of("<", ">")

CLOSER_OF = {"(": ")", "[": "]", "{": "}", "<": ">", "`": "'"}


def pairs_or_singles(excluded: str = "") -> str:
    """Write an expression for a pair of delimiters with none within, nor ``excluded``, or else a single delimiter.

    Each alternative begins with a plain character, so the engine skips all other text quickly.
    """
    inside = rf"[^()\[\]{{}}<>`'{re.escape(excluded)}]"
    pairs = (f"{re.escape(one)}(?:{inside}*+{re.escape(other)})?" for one, other in CLOSER_OF.items())
    return "|".join((*pairs, *map(re.escape, CLOSER_OF.values())))


Decide = Callable[[str, int, int], str | None]
"""Decides about one slice: (text, start of the slice, its end) to a replacement, None to keep it."""

_SPACES_AND_DELIMITERS = re.compile(rf" |{pairs_or_singles()}")


def outermost_slices(text: str, brackets: Brackets) -> Iterator[tuple[int, int]]:
    """Yield start and end of each outermost slice in brackets, delimiters included, end exclusive.

    A closer outside of any slice is ordinary text; a slice still open at the end of the text ends there.
    """
    depth = start = 0
    opener, closer, pair_or_single = brackets
    for found in pair_or_single.finditer(text):
        token = found[0]
        if token == opener:
            if not depth:
                start = found.start()
            depth += 1
        elif token == closer:
            if depth:
                depth -= 1
                if not depth:
                    yield start, found.end()
        elif not depth:
            yield found.span()
    if depth:
        yield start, len(text)


def slice_ends(text: str, brackets: Brackets) -> dict[int, int]:
    """Map the start of every slice in brackets, nested ones too, to its end (exclusive).

    A slice still open at the end of the text ends there.
    """
    ends: dict[int, int] = {}
    open_starts: list[int] = []
    for found in brackets.pair_or_single.finditer(text):
        token = found[0]
        if token == brackets.opener:
            open_starts.append(found.start())
        elif token != brackets.closer:
            ends[found.start()] = found.end()
        elif open_starts:
            ends[open_starts.pop()] = found.end()
    ends.update(dict.fromkeys(open_starts, len(text)))
    return ends


def replace_slices(text: str, brackets: Brackets, decide: Decide) -> str:
    """Ask ``decide`` about each outermost slice in brackets and put its answers into the text."""
    start = text.find(brackets.opener)
    if start < 0:
        return text
    if text.find(brackets.opener, start + 1) < 0:  # the most frequent case, without the general machinery
        end = text.find(brackets.closer, start) + 1 or len(text)
        replacement = decide(text, start, end)
        return text if replacement is None else text[:start] + replacement + text[end:]
    parts: list[str] = []
    copied = 0
    for start, end in outermost_slices(text, brackets):
        replacement = decide(text, start, end)
        if replacement is not None:
            parts += text[copied:start], replacement
            copied = end
    parts.append(text[copied:])
    return "".join(parts)


def unprotected_spaces(text: str) -> list[int]:
    """Find the spaces that lie outside of any pair of ``() [] {} <>`` and of back-tick and quote.

    A closer that does not match the innermost open delimiter is ordinary text; an opener that is never closed
    protects everything after it.
    """
    spaces: list[int] = []
    awaited: list[str] = []
    for found in _SPACES_AND_DELIMITERS.finditer(text):
        character = found[0]
        if character == " ":
            if not awaited:
                spaces.append(found.start())
        elif character in CLOSER_OF:
            awaited.append(CLOSER_OF[character])
        elif awaited and awaited[-1] == character:
            awaited.pop()
    return spaces


def last_token(text: str, continuations: tuple[str, ...]) -> str:
    """Cut off everything before the last unprotected space.

    While the remaining token begins with one of ``continuations`` the token before it is kept, too. One space at the
    end of the text is dropped and does not count.
    """
    if " " not in text:
        return text
    spaces = unprotected_spaces(text)
    end = len(text)
    if spaces and spaces[-1] == end - 1:
        end = spaces.pop()
    start = spaces.pop() + 1 if spaces else 0
    while start and text.startswith(continuations, start, end):
        start = spaces.pop() + 1 if spaces else 0
    return text[start:end]
