"""Threads and their frames, ready to show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from crashstats.display import mapping, plural, sequence, text, whole_number

#: What one page shows at most: rows of the crashing thread, of each other thread, of all others together; threads.
MAX_FRAMES = 400
MAX_OTHER_FRAMES = 50
MAX_ALL_OTHER_FRAMES = 3_000
MAX_OTHER_THREADS = 150

#: Characters of a function and of a path that are shown at most.
MAX_FUNCTION = 700
MAX_PATH = 300

#: Rows of a thread that are seen at once; later ones, of an endless recursion say, are folded.
FIRST_FRAMES = 60

_TRUSTS = {
    "context": "the registers at the moment of the crash",
    "cfi": "the unwind information of the module",
    "frame_pointer": "the frame pointer",
    "cfi_scan": "a search of the stack, confirmed by unwind information",
    "scan": "a search of the stack: it may be wrong",
    "prewalked": "a stack walked when the dump was written",
    "inlined": "the symbols: this function was inlined into the one below",
    "none": "nothing known",
    "non": "nothing known",
}
_HASH_FOLDER = re.compile(r"^[0-9a-f]{128}/")  # where generated sources are kept
_TOKENS = re.compile(
    r"\(anonymous namespace\)|`anonymous namespace'|operator(?:\(\)|->\*?|<=>|<<=?|>>=?|[<>]=?)|->"
    r"|(?:(?!operator)[^()<>-])+|operator|[()<>-]"
)
_OPENING = frozenset("(<")
_CLOSING = frozenset(")>")
_DOUBTFUL = {"scan", "none", "non"}


@dataclass(frozen=True)
class Part:
    """A piece of a function: its name, or its arguments."""

    text: str
    is_name: bool


@dataclass(frozen=True)
class Frame:
    """One row of a stack.

    ``parts`` joined are the function as people read it; ``folder`` and ``file`` joined are ``path:line``, and
    ``source_link`` its web address or "". ``message`` is set for a row that only says something about the stack.
    """

    number: str = ""
    module: str = ""
    parts: tuple[Part, ...] = ()
    folder: str = ""
    file: str = ""
    source_link: str = ""
    trust: str = ""
    trust_explained: str = ""
    is_inlined: bool = False
    is_doubtful: bool = False
    lacks_symbols: bool = False
    message: str = ""

    @property
    def signature(self) -> str:
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True)
class Thread:
    """One thread: ``frames`` innermost first, ``left_out`` says what is not shown, "" when all is."""

    number: int
    name: str
    frames: tuple[Frame, ...]
    summary: str
    left_out: str = ""
    last_error: str = ""

    @property
    def first_frames(self) -> tuple[Frame, ...]:
        return self.frames[:FIRST_FRAMES]

    @property
    def later_frames(self) -> tuple[Frame, ...]:
        return self.frames[FIRST_FRAMES:]

    @property
    def title(self) -> str:
        return f"Thread {self.number}" + (f", {self.name}" if self.name else "")


@dataclass(frozen=True)
class Stacks:
    """All threads of a dump. ``crashing`` is None when nobody knows which one crashed."""

    crashing: Thread | None
    others: tuple[Thread, ...]
    left_out: str


def read_stacks(json_dump: Mapping[str, Any], crashing_thread: Any) -> Stacks:
    """Read the threads of a stackwalker's document.

    Args: ``crashing_thread`` is the index that the processor found; the document's own serves when it found none.
    """
    threads = sequence(json_dump.get("threads"))
    index = whole_number(crashing_thread)
    if index is None:
        index = whole_number(mapping(json_dump.get("crash_info")).get("crashing_thread"))
    copy = mapping(json_dump.get("crashing_thread"))
    crashing = None
    if index is not None and 0 <= index < len(threads):
        crashing = _read_thread(mapping(threads[index]), index, MAX_FRAMES)
    elif copy:
        crashing = _read_thread(copy, index or 0, MAX_FRAMES)
    others = [
        (number, thread) for number, thread in enumerate(threads) if crashing is None or number != index
    ]
    return Stacks(
        crashing=crashing,
        others=tuple(_read_others(others[:MAX_OTHER_THREADS])),
        left_out=_left_out(len(others) - MAX_OTHER_THREADS, "thread"),
    )


def _read_others(threads: Sequence[tuple[int, Any]]) -> Iterator[Thread]:
    room = MAX_ALL_OTHER_FRAMES
    for number, raw in threads:
        thread = _read_thread(mapping(raw), number, min(MAX_OTHER_FRAMES, room))
        room -= len(thread.frames)
        yield thread


def _left_out(count: int, word: str) -> str:
    return f"{plural(count, f'more {word}')} not shown" if count > 0 else ""


def _read_thread(thread: Mapping[str, Any], number: int, limit: int) -> Thread:
    raw_frames = sequence(thread.get("frames"))
    rows = tuple(islice(_rows(raw_frames), limit + 1))
    shown = rows[:limit]
    total = max(whole_number(thread.get("frame_count")) or 0, len(raw_frames))
    first = next((frame for frame in shown if frame.signature), None)
    return Thread(
        number=number,
        name=text(thread.get("thread_name"), limit=100),
        frames=shown,
        summary=first.signature if first else "",
        left_out=_shortened(limit, total) if len(rows) > limit else "",
        last_error=text(thread.get("last_error_value"), limit=200),
    )


def _shortened(limit: int, total: int) -> str:
    frames = plural(total, "frame")
    return f"only the first {limit} rows of {frames} are shown" if limit else f"{frames} not shown"


def _rows(raw_frames: Any) -> Iterator[Frame]:
    """Give each frame after the functions that were inlined into it: the innermost first."""
    for index, raw in enumerate(raw_frames):
        frame = mapping(raw)
        if frame.get("truncated"):
            yield Frame(message=text(mapping(frame["truncated"]).get("msg")) or "frames left out here")
            continue
        number = _frame_number(frame, index)
        module = text(frame.get("module"), limit=200)
        for inline in sequence(frame.get("inlines")):
            yield _row(mapping(inline), number, module, trust="inlined")
        yield _row(frame, number, module, trust=text(frame.get("trust"), limit=40))


def _frame_number(frame: Mapping[str, Any], index: int) -> str:
    number = whole_number(frame.get("frame"))
    return str(index if number is None else number)


def _row(frame: Mapping[str, Any], number: str, module: str, trust: str) -> Frame:
    function = describe_function(frame)
    source, link = describe_source(frame)
    folder, slash, file = source.rpartition("/")
    return Frame(
        number=number,
        module=module,
        parts=emphasize(function) if function else (),
        folder=folder + slash,
        file=file,
        source_link=link,
        trust=trust,
        trust_explained=_TRUSTS.get(trust, ""),
        is_inlined=trust == "inlined",
        is_doubtful=trust in _DOUBTFUL,
        lacks_symbols=frame.get("missing_symbols") is True,
    )


def describe_function(frame: Mapping[str, Any]) -> str:
    """Give the function; else the place in the source, the module, an unloaded module, or the bare address."""
    if function := text(frame.get("function"), limit=MAX_FUNCTION):
        return tidy_function(function)
    file, line = text(frame.get("file"), limit=MAX_PATH), whole_number(frame.get("line"))
    if file and line is not None:
        return f"{file}#{line}"
    module, offset = text(frame.get("module"), limit=200), short_hex(frame.get("module_offset"))
    if module:
        return f"{module}@{offset or short_hex(frame.get('offset'))}"
    for unloaded in map(mapping, sequence(frame.get("unloaded_modules"))):
        offsets = sequence(unloaded.get("offsets"))
        return (
            f"(unloaded {text(unloaded.get('module'), limit=200)}@{short_hex(offsets[0]) if offsets else ''})"
        )
    address = short_hex(frame.get("offset"))
    return f"@{address}" if address else ""


def tidy_function(function: str) -> str:
    """Write a function the way people do: no blank before ``*``, ``&`` and commas, one after commas."""
    for blank in (" *", " &", " ,"):
        function = function.replace(blank, blank[1:])
    return ", ".join(part.lstrip(" ") for part in function.split(","))


def short_hex(value: Any) -> str:
    """Drop the leading zeros of ``0x000012ab``; other text stays as it is."""
    shown = text(value, limit=100)
    return f"0x{shown[2:].lstrip('0') or '0'}" if shown.startswith("0x") else shown


def emphasize(function: str) -> tuple[Part, ...]:
    """Part ``ns::f<int>(char) const`` so that ``ns::f`` stands out from template and call arguments.

    What lies in brackets is an argument, except in ``(anonymous namespace)``, and in operators made of brackets.
    A name that is all brackets, as ``<lambda()>``, stands out whole; what a blank parts from the brackets does not.
    """
    parts = tuple(
        Part("".join(token for token, _ in tokens), is_name)
        for is_name, tokens in groupby(_classify(function), key=itemgetter(1))
    )
    return parts if any(part.is_name for part in parts) else (Part(function, True),)


def _classify(function: str) -> Iterator[tuple[str, bool]]:
    """Give each token with whether it belongs to the name."""
    depth = 0
    for token in _TOKENS.findall(function):
        depth -= token in _CLOSING and depth > 0
        yield token, depth == 0 and token not in _OPENING | _CLOSING and not token.startswith(" ")
        depth += token in _OPENING


def describe_source(frame: Mapping[str, Any]) -> tuple[str, str]:
    """Give ``path:line`` and the web address of that line, each "" when unknown.

    A file is ``kind:root:path:revision`` when the symbols name a repository, a plain path otherwise.
    """
    file, line = text(frame.get("file"), limit=MAX_PATH), whole_number(frame.get("line"))
    if not file:
        return "", ""
    line_text = "" if line is None else f":{line}"
    parts = file.split(":")
    if len(parts) != 4:
        return f"{file}{line_text}", ""
    kind, root, path, revision = parts
    shown = _HASH_FOLDER.sub("", path)
    return f"{shown}{line_text}", _repository_link(kind, root, path, revision, line)


def _repository_link(kind: str, root: str, path: str, revision: str, line: int | None) -> str:
    host, _, repository = root.partition("/")
    plain = all(part and "/../" not in f"/{part}/" for part in (repository, path, revision))
    if not plain or set('"<>\\ ?#') & set(root + path + revision):
        return ""
    if kind == "hg" and host == "hg.mozilla.org":
        return f"https://{root}/file/{revision}/{path}" + (f"#l{line}" if line else "")
    if kind == "git" and host == "github.com":
        return f"https://{root}/blob/{revision}/{path}" + (f"#L{line}" if line else "")
    return ""
