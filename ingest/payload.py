"""From the body of a submission to a `CrashReport`, piece by piece, within limits.

The parser is our own: see ``docs/collector.md`` for how libraries compare.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from encodings.aliases import aliases
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from ingest.decoding import Piece
from ingest.errors import MalformedPayload, Overloaded, PayloadTooLarge
from ingest.jsonmarks import count_marks
from ingest.limits import Limits
from ingest.malformed import HEAD_BYTES
from ingest.multipart import MultipartReader, PartHeaders, PartKind, parameters
from processing.storage import keys

_MEDIA_TYPES = ("multipart/form-data", "multipart/mixed")
_LONGEST_BOUNDARY = 70
_LONGEST_DUMP_NAME = 30
_DEEPEST_JSON = 100
#: Reading and writing a number takes time by the square of its digits. None that anybody counts has so many.
_MOST_DIGITS = 100
#: What Python itself reads as a number, and so what the field's collectors took.
_MOST_DIGITS_OF_A_TEXT = 4300
#: Bounds both memory and time: a compressed report of 7 KB can have ever so many values, each read and written twice.
_MOST_JSON_MARKS = 50_000
#: A comma, an opening bracket, or a whole string, also one that does not end. From each quotation mark on there is a
#: match, and what has matched is not looked at again, so this takes linear time.
_JSON_MARK = re.compile(r'[\[{,]|"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
#: No real report's annotations take more. Those that do are handled one after the other.
_USUAL_ANNOTATION_BYTES = 512 * 1024
#: A text takes up to four bytes for each byte sent (one character beyond the Basic Multilingual Plane is enough).
_MEMORY_PER_BYTE = 4
#: An object of one value, and its place in the list or object around it.
_MEMORY_PER_JSON_MARK = 250
_CHARSETS = frozenset(aliases) | frozenset(aliases.values())
_NOT_IN_DUMP_NAMES = re.compile(r"[^A-Za-z0-9_]+")

_in_order = json.JSONEncoder(sort_keys=True).encode

_BAD_NAME_NOTE = "skipped: a part whose name is not UTF-8"
BOTH_KINDS_NOTE = "includes annotations in both json-encoded extra and formdata parts"


@dataclass(slots=True)
class Dump:
    """A file of a report: its bytes or the spool file that holds them, and the SHA-256 in lower-case hex."""

    content: bytes | memoryview | Path
    sha256: str

    def discard(self) -> None:
        if isinstance(self.content, Path):
            self.content.unlink(missing_ok=True)


@dataclass(slots=True)
class CrashReport:
    """What a client sent. As a context manager it removes its spool files at the end."""

    annotations: dict[str, Any] = field(default_factory=dict)
    dumps: dict[str, Dump] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    has_json: bool = False
    #: Whether the annotations take unusually much memory.
    is_large: bool = False
    body_bytes: int = 0
    #: How the decoded body starts, for samples of malformed ones.
    head: bytes = b""

    def __enter__(self) -> CrashReport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        for dump in self.dumps.values():
            dump.discard()

    def digest(self) -> bytes:
        """Give 32 bytes that are the same for the same annotations and dumps, in whatever order they came."""
        names, dumps = sorted(self.annotations), sorted(self.dumps)
        values = [self.annotations[name] for name in names]
        checksums = [self.dumps[name].sha256 for name in dumps]
        no_texts: list[int] = []
        if self.has_json:
            no_texts = [place for place, value in enumerate(values) if not isinstance(value, str)]
            for place in no_texts:
                values[place] = _in_order(values[place])
        # This says where each text begins and of what kind it is, so that no two reports give the same bytes.
        shape = [no_texts, *([*map(len, texts)] for texts in (names, values, dumps))]
        content = "".join([repr(shape), *names, *values, *dumps, *checksums])
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()


def parse_boundary(content_type: str) -> bytes:
    """Give the boundary that a Content-Type header names.

    Raises: MalformedPayload ``no_content_type``, ``wrong_content_type`` or ``no_boundary``.
    """
    if not content_type.strip():
        raise MalformedPayload("no_content_type")
    media_type, _, rest = content_type.partition(";")
    if media_type.strip().lower() not in _MEDIA_TYPES:
        raise MalformedPayload("wrong_content_type")
    boundary = parameters(b";" + rest.encode("latin-1", "replace")).get(b"boundary", b"")
    if not 1 <= len(boundary) <= _LONGEST_BOUNDARY:
        raise MalformedPayload("no_boundary")
    return boundary


def parse_payload(
    pieces: Iterator[Piece],
    boundary: bytes,
    report: CrashReport,
    limits: Limits,
    spool: Path,
    hold: Callable[[int], None] = lambda size: None,
) -> None:
    """Fill ``report`` from a decoded body.

    Args: ``pieces`` are those of `ingest.decoding.pieces`; ``spool`` is the folder for dumps that do not fit in memory;
    ``hold`` is told of bytes of memory that annotations take beyond the usual, and may raise Overloaded.
    Raises: MalformedPayload, PayloadTooLarge, and what reading ``pieces`` raises. The report must be closed even then.
    """
    reader = MultipartReader(_counted(pieces, report, limits), boundary)
    builder = _Builder(report, limits, spool, hold)
    builder.read(reader)
    reader.drain()
    builder.finish()


def _counted(pieces: Iterator[Piece], report: CrashReport, limits: Limits) -> Iterator[Piece]:
    for piece in pieces:
        if not report.body_bytes:
            report.head = bytes(piece[:HEAD_BYTES])
        report.body_bytes += len(piece)
        if report.body_bytes > limits.body_bytes:
            raise PayloadTooLarge("body")
        yield piece


class _Builder:
    """Puts parts into a report, one after the other."""

    def __init__(self, report: CrashReport, limits: Limits, spool: Path, hold: Callable[[int], None]) -> None:
        self._hold = hold
        self._held_bytes = 0
        self._report = report
        self._limits = limits
        self._spool = spool
        self._annotation_bytes = 0
        self._json_memory_bytes = 0
        self._unchecked_bytes = min(
            _USUAL_ANNOTATION_BYTES, limits.annotation_bytes, limits.all_annotations_bytes
        )
        self._memory_left = limits.memory_bytes
        self._has_text = False

    def read(self, reader: MultipartReader) -> None:
        """Add all parts."""
        for number, (headers, text) in enumerate(reader, 1):
            if number > self._limits.parts:
                raise PayloadTooLarge("parts")
            if text is not None:
                self._add_text(headers, text)
                continue
            if headers.kind is PartKind.TEXT:
                self._add_text(headers, self._collect(reader, is_file=False))
            elif headers.kind is PartKind.JSON:
                self._add_json(self._collect(reader, is_file=headers.has_filename))
            else:
                self._add_dump(headers, reader.content(is_file=True))
            if reader.line_break_missing:
                self._note("tolerated: no line break after a file")

    def finish(self) -> None:
        report = self._report
        report.is_large = self._held_bytes > 0
        if report.has_json and self._has_text:
            self._note(BOTH_KINDS_NOTE)
        if not report.annotations:
            raise MalformedPayload("no_annotations")
        if keys.MAIN_DUMP in report.dumps and keys.MAIN_DUMP_OBJECT in report.dumps:
            raise MalformedPayload("invalid_dump_name")

    def _note(self, note: str) -> None:
        if note not in self._report.notes:
            self._report.notes.append(note)

    def _collect(self, reader: MultipartReader, *, is_file: bool) -> bytes:
        """Collect the content of a text or JSON part, which stays in memory."""
        pieces: list[memoryview] = []
        size = 0
        for piece in reader.content(is_file=is_file):
            size += len(piece)
            self._check_annotations(size, self._annotation_bytes + size)
            pieces.append(piece)
        return b"".join(pieces)

    def _check_annotations(self, one: int, together: int) -> None:
        """Check the bytes of one annotation, and of all that have come. Raises: PayloadTooLarge, Overloaded."""
        if one > self._limits.annotation_bytes:
            raise PayloadTooLarge("one_annotation")
        if together > self._limits.all_annotations_bytes:
            raise PayloadTooLarge("all_annotations")
        needed = (together - _USUAL_ANNOTATION_BYTES) * _MEMORY_PER_BYTE + self._json_memory_bytes
        if needed > self._held_bytes:
            self._hold(needed - self._held_bytes)
            self._held_bytes = needed

    def _add_text(self, headers: PartHeaders, content: Piece) -> None:
        self._has_text = True
        name = headers.name
        self._annotation_bytes += len(content) + len(name or "")
        if self._annotation_bytes > self._unchecked_bytes:
            self._check_annotations(len(content), self._annotation_bytes)
        if not name:
            if name is None:
                self._note(_BAD_NAME_NOTE)
            return
        try:
            text = _decode(content, headers.charset) if headers.charset else content.decode()
        except (UnicodeError, LookupError):
            # The charset is the client's text: only what a charset's name may look like is repeated.
            charset = headers.charset or "utf-8"
            shown = charset if re.fullmatch(r"[\w.:+-]{1,40}", charset, re.ASCII) else "unprintable"
            self._note(f"extract payload text part exception: invalid text or charset: {shown}")
        else:
            self._report.annotations[name] = text

    def _add_json(self, content: bytes) -> None:
        self._annotation_bytes += len(content)
        marks = count_marks(content)
        self._json_memory_bytes += marks * _MEMORY_PER_JSON_MARK
        self._check_annotations(len(content), self._annotation_bytes)
        annotations = parse_json_annotations(content, marks)
        self._report.has_json = True
        self._report.annotations = annotations

    def _add_dump(self, headers: PartHeaders, content: Iterator[memoryview]) -> None:
        if headers.name is None:
            self._note(_BAD_NAME_NOTE)
        sent_name = headers.name or ""
        name = _NOT_IN_DUMP_NAMES.sub("", sent_name)[:_LONGEST_DUMP_NAME]
        if sent_name and (not name or name in keys.RESERVED_DUMP_NAMES):
            raise MalformedPayload("invalid_dump_name")
        sink = _DumpSink(self._spool, self._memory_left, self._limits.dump_bytes)
        try:
            for piece in content:
                sink.write(piece)
        except BaseException:
            sink.close().discard()
            raise
        dump = sink.close()
        if not name:
            dump.discard()
            return
        if headers.content_type != "application/octet-stream":
            content_type = headers.content_type or "text/plain"
            self._note(f"unknown content type: {sent_name[:200]} {content_type[:200]}")
        if not isinstance(dump.content, Path):
            self._memory_left -= len(dump.content)
        if name in self._report.dumps:
            self._report.dumps[name].discard()
        self._report.dumps[name] = dump


def _decode(content: Piece, charset: str) -> str:
    """Decode text by a charset that Python has another name for, too; that leaves out its slow and odd ones.

    Python remembers for ever each name that it has looked up in vain, so clients must not make it look up any name.

    Raises: LookupError, UnicodeError.
    """
    if charset.lower().replace("-", "_") not in _CHARSETS:
        raise LookupError(charset)
    return content.decode(charset)


class _DumpSink:
    """Takes a dump in pieces: counts, hashes, and keeps it in memory while it is small, else in a file."""

    def __init__(self, spool: Path, memory_bytes: int, limit_bytes: int) -> None:
        self._spool = spool
        self._memory_bytes = memory_bytes
        self._limit_bytes = limit_bytes
        self._pieces: list[memoryview] = []
        self._size = 0
        self._hash = hashlib.sha256()
        self._path: Path | None = None
        self._file: BinaryIO | None = None

    def write(self, piece: memoryview) -> None:
        self._size += len(piece)
        if self._size > self._limit_bytes:
            raise PayloadTooLarge("one_dump")
        self._hash.update(piece)
        self._pieces.append(piece)
        if self._size > self._memory_bytes:
            try:
                self._write_to_file()
            except OSError as exc:
                raise Overloaded("the folder for large dumps cannot be written") from exc

    def _write_to_file(self) -> None:
        if self._file is None:
            self._path = self._spool / f"{os.getpid()}-{secrets.token_hex(16)}.dump"
            self._file = self._path.open("xb")
        for piece in self._pieces:
            self._file.write(piece)
        self._pieces.clear()

    def close(self) -> Dump:
        if self._file is not None and self._path is not None:
            try:
                self._file.close()
            except OSError as exc:
                self._path.unlink(missing_ok=True)
                raise Overloaded("the folder for large dumps cannot be written") from exc
            return Dump(self._path, self._hash.hexdigest())
        return Dump(_together(self._pieces), self._hash.hexdigest())


def _together(pieces: list[memoryview]) -> bytes | memoryview:
    """Give pieces as one; a single one without copying, unless that would keep far more in memory."""
    if len(pieces) == 1 and pieces[0].nbytes * 2 > memoryview(pieces[0].obj).nbytes:
        return pieces[0]
    return b"".join(pieces)


def parse_json_annotations(text: bytes, marks: int) -> dict[str, Any]:
    """Read annotations that came as one JSON object.

    Args: ``marks`` are those that `count_marks` finds in the text.
    ``NaN`` and infinities, which JSON does not know, become texts, and so do whole numbers of more than 100 digits.
    Raises: MalformedPayload ``invalid_json`` (also for more than 100 levels, for several 10,000 values (up to 50,000
    commas and opening brackets always pass), or for a whole number of more than 4,300 digits), ``invalid_json_value``
    (no object).
    """
    if marks > _MOST_JSON_MARKS and _has_many_values(text):
        raise MalformedPayload("invalid_json")
    try:
        annotations = json.loads(
            text, parse_constant=str, parse_float=_finite_or_text, parse_int=_short_or_text
        )
    except (ValueError, RecursionError):
        raise MalformedPayload("invalid_json") from None
    if not isinstance(annotations, dict):
        raise MalformedPayload("invalid_json_value")
    if _is_deeper(annotations, _DEEPEST_JSON):
        raise MalformedPayload("invalid_json")
    return annotations


def _has_many_values(text: bytes) -> bool:
    """Tell whether JSON would take far more memory than its text: an empty list takes two bytes there, 64 as an object.

    Strings are counted, and marks outside of them: that takes longer than counting all marks, which nearly always says
    that there are few.
    """
    try:
        decoded = text.decode(json.detect_encoding(text), "surrogatepass")
    except UnicodeDecodeError:
        return False  # reading it fails, too
    marks = islice(_JSON_MARK.finditer(decoded), _MOST_JSON_MARKS + 1)
    return sum(1 for _ in marks) > _MOST_JSON_MARKS


def _finite_or_text(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _short_or_text(digits: str) -> int | str:
    """Raises: ValueError."""
    if len(digits) <= _MOST_DIGITS:
        return int(digits)
    if len(digits) > _MOST_DIGITS_OF_A_TEXT:
        raise ValueError("a number of too many digits")
    return digits


def _is_deeper(value: Any, levels: int) -> bool:
    """Tell whether lists and objects are nested more deeply than that; without recursion."""
    level = [value]
    while level and levels:
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        levels -= 1
    return bool(level)
