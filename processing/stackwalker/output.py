"""Read the stackwalker's JSON document within bounds.

A runaway recursion has hundreds of thousands of frames, and as Python objects they take several times their text. So
the document is read piece by piece: of a long list only what is kept is held.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

#: Frames that are kept of one stack: of a longer one the innermost 250, a marker, the outermost 249.
MAX_FRAMES = 500
#: Frames that are kept of all stacks together before further stacks are cut to FEW_FRAMES.
MAX_ALL_FRAMES = 50_000
FEW_FRAMES = 20
#: Lists inside one frame: a hostile dump can have thousands of unloaded modules at one address.
MAX_INLINES = 100
MAX_FRAME_MODULES = 20
#: The longest text of one frame, module or other value that is read at all. Names of functions reach 80 KB.
MAX_VALUE_CHARACTERS = 256 * 1024
#: Entries that are kept of the other lists that a dump can make long; the largest seen in the wild are far below.
MAX_THREADS = 2_000
MAX_MODULES = 5_000
MAX_HANDLES = 5_000

#: A parser of one value: from where it starts to the value and where it ends.
_Parser = Callable[[int], tuple[Any, int]]

#: Everything up to the next bracket that does not stand inside a string.
_TO_BRACKET = re.compile(r'[^"\[\]{}]*+(?:"(?:[^"\\]++|\\.)*+"[^"\[\]{}]*+)*+', re.DOTALL)
_BLANKS = re.compile(r"[ \t\r\n]*")


class Unreadable(Exception):
    """The document is missing, or is not the JSON object we expect."""


class TooLarge(Exception):
    """The document has more bytes than we read."""


@dataclass(frozen=True)
class Cut:
    """Something that was cut: the dotted path of a list in the document, how many items it had, how many it has now."""

    path: str
    before: int
    after: int


def read(path: Path, max_bytes: int) -> tuple[dict[str, Any], tuple[Cut, ...]]:
    """Read the document; give it with long lists cut, and what was cut.

    Raises: TooLarge above ``max_bytes``; Unreadable when there is no file or no JSON object in it.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise TooLarge(f"the stackwalker wrote more than {max_bytes} bytes")
        return parse(path.read_text("utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError) as exc:
        raise Unreadable("the stackwalker's output is no JSON document") from exc


def parse(text: str) -> tuple[dict[str, Any], tuple[Cut, ...]]:
    """Do the work of `read` on the text. Raises: ValueError when it is no JSON object; RecursionError when too deep."""
    reader = _Reader(text)
    document = reader.document()
    _sort_limits(document)
    return document, tuple(reader.cuts)


def _sort_limits(document: dict[str, Any]) -> None:
    """Put the process limits in order: the stackwalker writes them in another one each time."""
    proc_limits = document.get("proc_limits")
    limits = proc_limits.get("limits") if isinstance(proc_limits, dict) else None
    if isinstance(limits, list):
        limits.sort(key=lambda limit: str(limit.get("name")) if isinstance(limit, dict) else "")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


class _Reader:
    """Parses the outer levels of the document itself and leaves the inner values to the standard decoder."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._decode = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode
        self._frames_kept = 0
        self._too_long = 0
        self.cuts: list[Cut] = []

    def document(self) -> dict[str, Any]:
        parsers = {
            "crashing_thread": self._thread("crashing_thread"),
            "threads": self._first("threads", MAX_THREADS, lambda index: self._thread(f"threads[{index}]")),
            "modules": self._first("modules", MAX_MODULES),
            "unloaded_modules": self._first("unloaded_modules", MAX_MODULES),
            "handles": self._first("handles", MAX_HANDLES),
        }
        document, end = self._object(parsers)(self._skip(0))
        if not isinstance(document, dict) or self._skip(end) != len(self._text):
            raise ValueError("expected one JSON object and nothing after it")
        if self._too_long:
            self.cuts.append(Cut("too_long_values", self._too_long, 0))
        return document

    def _thread(self, path: str) -> _Parser:
        """Parse a thread; one whose stack is cut says so."""
        parse_object = self._object({"frames": self._frames(f"{path}.frames")})

        def parse_thread(at: int) -> tuple[Any, int]:
            cuts_before = len(self.cuts)
            thread, at = parse_object(at)
            if len(self.cuts) > cuts_before:
                thread["truncated"] = True
            return thread, at

        return parse_thread

    def _value(self, at: int) -> tuple[Any, int]:
        """Decode a value; null stands for one that is too long."""
        if (
            self._text[at : at + 1] in ("{", "[")
            and (end := self._end_of_brackets(at)) - at > MAX_VALUE_CHARACTERS
        ):
            self._too_long += 1
            return None, end
        return self._decode(self._text, at)

    def _end_of_brackets(self, at: int) -> int:
        """Find where a list or object ends without decoding it. Raises: ValueError when it does not end."""
        depth = 0
        while True:
            match = _TO_BRACKET.match(self._text, at)
            at = match.end() if match else at
            if at >= len(self._text) or self._text[at] == '"':
                raise ValueError(f"a list or object does not end before {at}")
            depth += 1 if self._text[at] in "[{" else -1
            at += 1
            if depth == 0:
                return at

    def _frame(self, at: int) -> tuple[Any, int]:
        frame, at = self._value(at)
        if isinstance(frame, dict):
            for name, limit in (("inlines", MAX_INLINES), ("unloaded_modules", MAX_FRAME_MODULES)):
                if isinstance(items := frame.get(name), list):
                    del items[limit:]
        return frame, at

    def _object(self, parsers: Mapping[str, _Parser]) -> _Parser:
        """Parse an object whose values at some keys have parsers of their own; other JSON (null) is taken as it is."""

        def parse_object(at: int) -> tuple[Any, int]:
            if not self._text.startswith("{", at):
                return self._value(at)
            found: dict[str, Any] = {}
            at = self._skip(at + 1)
            while not self._text.startswith("}", at):
                key, at = self._value(at)
                at = self._expect(":", at)
                found[key], at = parsers.get(key, self._value)(at)
                at = self._next(at, "}")
            return found, at + 1

        return parse_object

    def _frames(self, path: str) -> _Parser:
        """Parse a stack; a long one keeps both ends around a marker that tells how many frames are gone."""

        def parse_frames(at: int) -> tuple[Any, int]:
            if not self._text.startswith("[", at):
                return self._value(at)
            limit = MAX_FRAMES if self._frames_kept < MAX_ALL_FRAMES else FEW_FRAMES
            head: list[Any] = []
            tail: deque[Any] = deque(maxlen=limit - limit // 2)
            total, at = self._items(
                at,
                lambda index, item: (head if index < limit // 2 else tail).append(item),
                lambda index: self._frame,
            )
            if total > limit:
                tail.popleft()
                missing = total - len(head) - len(tail)
                head.append({"truncated": {"msg": f"{missing:,} frames truncated"}})
                self.cuts.append(Cut(path, total, limit))
            self._frames_kept += len(head) + len(tail)
            return [*head, *tail], at

        return parse_frames

    def _first(self, path: str, limit: int, item_parser: Callable[[int], _Parser] | None = None) -> _Parser:
        """Parse a list and keep its first ``limit`` items."""

        def parse_list(at: int) -> tuple[Any, int]:
            if not self._text.startswith("[", at):
                return self._value(at)
            kept: list[Any] = []
            total, at = self._items(
                at, lambda index, item: kept.append(item) if index < limit else None, item_parser
            )
            if total > limit:
                self.cuts.append(Cut(path, total, limit))
            return kept, at

        return parse_list

    def _items(
        self,
        at: int,
        keep: Callable[[int, Any], None],
        item_parser: Callable[[int], _Parser] | None = None,
    ) -> tuple[int, int]:
        """Hand each item of a list to ``keep`` with its index; give how many there were and where the list ends."""
        total = 0
        at = self._skip(at + 1)
        while not self._text.startswith("]", at):
            item, at = (item_parser(total) if item_parser else self._value)(at)
            keep(total, item)
            total += 1
            at = self._next(at, "]")
        return total, at + 1

    def _next(self, at: int, closing: str) -> int:
        """Step over a comma between two items, or stay in front of the closing bracket."""
        at = self._skip(at)
        if self._text.startswith(closing, at):
            return at
        at = self._expect(",", at)
        if self._text.startswith(closing, at):
            raise ValueError(f"a comma before {closing} at {at}")
        return at

    def _expect(self, character: str, at: int) -> int:
        at = self._skip(at)
        if not self._text.startswith(character, at):
            raise ValueError(f"no {character} at {at}")
        return self._skip(at + 1)

    def _skip(self, at: int) -> int:
        match = _BLANKS.match(self._text, at)
        return match.end() if match else at
