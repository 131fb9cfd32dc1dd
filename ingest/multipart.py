"""Read a multipart body as it arrives, as tolerantly as the field's crash reporters need it.

Tolerated: a file that ends without CRLF before the delimiter (Breakpad for Windows and macOS), headers without a space
after the colon, unquoted names (Firefox for Android), text before the first delimiter and after the last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from ingest.decoding import Piece
from ingest.errors import MalformedPayload

_LONGEST_HEADERS = 8192
_CACHEABLE_HEADERS = 256
_FILENAME = re.compile(rb'(?<=; )filename="[^"\\\r]+"')
#: So many delimiters that are none are looked at one by one; a body with more is searched by a regular expression.
_FALSE_DELIMITERS = 8
_AFTER_DELIMITER = (b"\r\n", b"--")
_PARAMETER = re.compile(rb';\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)', re.DOTALL)
_ESCAPED = re.compile(rb'\\(["\\])')


class PartKind(Enum):
    """What a part's headers make of it."""

    TEXT = "one annotation"
    JSON = "all annotations"
    FILE = "a dump"


_TEXT = PartKind.TEXT


class PartHeaders(NamedTuple):
    """What a part's headers say; texts are empty when they say nothing, ``name`` is None when it is not UTF-8."""

    kind: PartKind
    name: str | None
    has_filename: bool
    content_type: str
    charset: str


class MultipartReader:
    """Goes through the parts of a body in order.

    Iterating gives each part's headers, and its content when it is a text that has come whole, as it nearly always has.
    Otherwise its `content` has to be read to the end before the next part is asked for.

    Raises, everywhere: MalformedPayload ``invalid_payload_structure`` when the body ends before its end marker or is
    no multipart body; and whatever the source of pieces raises.
    """

    def __init__(self, pieces: Iterator[Piece], boundary: bytes) -> None:
        self._pieces = pieces
        self._delimiter = b"--" + boundary
        self._text_end = b"\r\n" + self._delimiter
        self._buffer: Piece = b""
        #: Behind a delimiter, where a line break or ``--`` stands; or where a content starts.
        self._at = 0
        #: Whether the content read last ended without a line break before the delimiter.
        self.line_break_missing = False

    def __iter__(self) -> Iterator[tuple[PartHeaders, Piece | None]]:
        # Most parts of most reports pass here, and this is a third of what parsing costs: hence no further functions.
        text_end = self._text_end
        self._skip_preamble()
        buffer, at = self._buffer, self._at
        while not buffer.startswith(b"--", at):
            end = buffer.find(b"\r\n\r\n", at + 2)
            if end < 0:
                end = self._wait_for_end_of_headers()
                buffer, at = self._buffer, self._at
            block = bytes(buffer[at + 2 : end])
            headers = _cached_headers(block) if end - at <= _CACHEABLE_HEADERS else _headers(block)
            at = end + 4
            if headers.kind is _TEXT:
                # An empty text may share its line break with the headers.
                found = buffer.find(text_end, end + 2)
                after = found + len(text_end)
                if found >= 0 and buffer[after : after + 2] in _AFTER_DELIMITER:
                    yield headers, buffer[at:found]
                    at = self._at = after
                    continue
            self._at = at
            yield headers, None
            buffer, at = self._buffer, self._at

    def content(self, *, is_file: bool) -> Iterator[memoryview]:
        """Give the content of the part whose headers came last, in pieces. Only a file may end without a line break."""
        needle = self._delimiter if is_file else self._text_end
        # The end of a piece may cut a line break, a delimiter and the two bytes after it.
        undecided = len(needle) + 4
        search_from = self._at if is_file else self._at - 2
        find: Callable[[Piece, int], int] | None = None
        false_delimiters = 0
        self.line_break_missing = False
        while True:
            buffer = self._buffer
            found = find(buffer, search_from) if find else buffer.find(needle, search_from)
            if found < 0:
                search_from = max(search_from, len(buffer) - undecided)
                end = max(self._at, search_from)
            else:
                after = found + len(needle)
                follows = buffer[after : after + 2]
                if follows in _AFTER_DELIMITER:
                    break
                if len(follows) == 2:
                    search_from = found + 1
                    false_delimiters += 1
                    if false_delimiters == _FALSE_DELIMITERS:
                        find = _compiled_find(needle)
                    continue
                search_from = found
                end = max(self._at, found - 2)
            if end > self._at:
                yield memoryview(buffer)[self._at : end]
                self._at = end
            search_from -= self._read_more()
        end = found
        if is_file:
            if buffer[found - 2 : found] == b"\r\n" and found - 2 >= self._at:
                end = found - 2
            else:
                self.line_break_missing = True
        if end > self._at:
            yield memoryview(buffer)[self._at : end]
        self._at = after

    def drain(self) -> None:
        """Read the body to its end: a connection can be used again only when nothing is left on it."""
        for _ in self._pieces:
            pass

    def _skip_preamble(self) -> None:
        """Go behind the first delimiter. It needs no line break when it is the very first thing."""
        first = next(self._pieces, b"")
        if first.startswith((self._delimiter + b"\r\n", self._delimiter + b"--")):
            self._buffer, self._at = first, len(self._delimiter)
            return
        self._buffer, self._at = b"\r\n" + first, 2
        for _ in self.content(is_file=False):
            pass

    def _wait_for_end_of_headers(self) -> int:
        found = -1
        while found < 0:
            if len(self._buffer) - self._at > _LONGEST_HEADERS:
                raise MalformedPayload("invalid_payload_structure")
            search_from = max(self._at + 2, len(self._buffer) - 3)
            search_from -= self._read_more()
            found = self._buffer.find(b"\r\n\r\n", search_from)
        return found

    def _read_more(self) -> int:
        """Add a piece to the buffer and drop what was used of it; give by how much positions have moved."""
        piece = next(self._pieces, b"")
        if not piece:
            raise MalformedPayload("invalid_payload_structure")
        kept_from = max(0, self._at - 2)  # `content` looks two bytes back
        self._buffer = self._buffer[kept_from:] + piece
        self._at -= kept_from
        return kept_from


def parameters(header: bytes) -> dict[bytes, bytes]:
    """Give the parameters of a header such as ``form-data; name="a"``, their names in lower case."""
    return {
        match[1].lower(): _ESCAPED.sub(rb"\1", match[2][1:-1]) if match[2][:1] == b'"' else match[2].strip()
        for match in _PARAMETER.finditer(header)
    }


def _compiled_find(needle: bytes) -> Callable[[Piece, int], int]:
    """Give a search for delimiters that passes over false ones, but for one at the end that may yet become true."""
    pattern = re.compile(re.escape(needle) + rb"(?=\r\n|--|[\r-]?\Z)")

    def find(buffer: Piece, start: int) -> int:
        match = pattern.search(buffer, start)
        return match.start() if match else -1

    return find


def _headers(block: bytes) -> PartHeaders:
    """Read the headers of one part.

    Raises: MalformedPayload when there are none or too many, or when they say that the content's bytes are encoded.
    """
    # A line of two dashes is the next delimiter, or none that anybody sends.
    if not block or block.startswith((b"\r\n", b"--")) or b"\r\n--" in block or len(block) > _LONGEST_HEADERS:
        raise MalformedPayload("invalid_payload_structure")
    headers = {
        name.strip().lower(): value.strip()
        for line in block.split(b"\r\n")
        for name, _, value in [line.partition(b":")]
    }
    if headers.get(b"content-transfer-encoding", b"").lower() not in _UNENCODED:
        raise MalformedPayload("invalid_payload_structure")
    disposition = parameters(headers.get(b"content-disposition", b""))
    content_type, _, rest = headers.get(b"content-type", b"").partition(b";")
    content_type = content_type.strip()
    has_filename = bool(disposition.get(b"filename") or disposition.get(b"filename*"))
    return PartHeaders(
        kind=_kind(content_type.lower(), has_filename=has_filename),
        name=_name(disposition.get(b"name", b"")),
        has_filename=has_filename,
        content_type=content_type.decode("ascii", "replace"),
        charset=parameters(b";" + rest).get(b"charset", b"").decode("ascii", "replace") if rest else "",
    )


#: Transfer encodings by which a part's bytes are what they are (RFC 2045, 6.2).
_UNENCODED = (b"", b"binary", b"8bit", b"7bit")

_headers_of_any_file = lru_cache(maxsize=1024)(_headers)


#: The same few hundred short headers come with almost every report.
@lru_cache(maxsize=1024)
def _cached_headers(block: bytes) -> PartHeaders:
    """Give `_headers`; those of files are told apart by all but the file's name, which differs in every report."""
    return _headers_of_any_file(_FILENAME.sub(b'filename="-"', block))


def _kind(content_type: bytes, *, has_filename: bool) -> PartKind:
    if not has_filename and (not content_type or content_type.startswith(b"text/plain")):
        return PartKind.TEXT
    return PartKind.JSON if content_type.startswith(b"application/json") else PartKind.FILE


def _name(sent: bytes) -> str | None:
    try:
        return sent.decode()
    except UnicodeDecodeError:
        return None
