"""Read a multipart body as it arrives, as tolerantly as the field's crash reporters need it.

Tolerated: a file that ends without CRLF before the delimiter (Breakpad for Windows and macOS), headers without a space
after the colon, unquoted names (Firefox for Android), text before the first delimiter and after the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from ingest.errors import MalformedPayload

_LONGEST_HEADERS = 8192
_CACHEABLE_HEADERS = 128
_PARAMETER = re.compile(rb';\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)', re.DOTALL)
_ESCAPED = re.compile(rb'\\(["\\])')


class PartHeaders(NamedTuple):
    """What a part's headers say: bytes as sent, empty when there are none."""

    name: bytes
    has_filename: bool
    content_type: bytes
    charset: bytes
    transfer_encoding: bytes


class MultipartReader:
    """Goes through the parts of a body in order: `next_part`, then its `content` (to the end), then the next.

    Raises, every method: MalformedPayload ``invalid_payload_structure`` when the body ends before its end marker or is
    no multipart body; and whatever the source of pieces raises.
    """

    def __init__(self, pieces: Iterator[bytes], boundary: bytes) -> None:
        self._pieces = pieces
        self._delimiter = b"--" + boundary
        self._text_end = b"\r\n" + self._delimiter
        self._buffer = b""
        self._at = 0
        self._started = False
        #: Whether the content read last ended without a line break before the delimiter.
        self.line_break_missing = False

    def next_part(self) -> PartHeaders | None:
        """Give the headers of the next part, None after the end marker."""
        if not self._started:
            self._started = True
            self._skip_preamble()
        at = self._at
        if self._buffer.startswith(b"--", at):
            return None
        end = self._find_end_of_headers(at + 2)
        block = self._buffer[self._at + 2 : end]
        self._at = end + 4
        if not block or block.startswith(b"\r\n") or self._delimiter in block:
            raise MalformedPayload("invalid_payload_structure")
        return _cached_headers(block) if len(block) <= _CACHEABLE_HEADERS else _headers(block)

    def text(self) -> bytes | None:
        """Give the content of a text part when all of it has come already, as it nearly always has; else None."""
        found = self._buffer.find(self._text_end, self._at - 2)
        after = found + len(self._text_end)
        if found < 0 or self._buffer[after : after + 2] not in (b"\r\n", b"--"):
            return None
        content = self._buffer[self._at : max(self._at, found)]
        self._at = after
        self.line_break_missing = False
        return content

    def content(self, *, is_file: bool) -> Iterator[memoryview]:
        """Give the content of the part whose headers came last, in pieces. Only a file may end without a line break."""
        needle = self._delimiter if is_file else self._text_end
        # The end of a piece may cut a line break, a delimiter and the two bytes after it.
        undecided = len(needle) + 4
        # An empty text may share its line break with the headers.
        search_from = self._at if is_file else self._at - 2
        self.line_break_missing = False
        while True:
            buffer = self._buffer
            found = buffer.find(needle, search_from)
            if found < 0:
                search_from = max(search_from, len(buffer) - undecided)
                end = max(self._at, search_from)
            else:
                after = found + len(needle)
                follows = buffer[after : after + 2]
                if follows in (b"\r\n", b"--"):
                    break
                if len(follows) == 2:
                    search_from = found + 1
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
        self._buffer = b"\r\n"
        self._at = 2
        for _ in self.content(is_file=False):
            pass

    def _find_end_of_headers(self, start: int) -> int:
        search_from = start
        while (found := self._buffer.find(b"\r\n\r\n", search_from)) < 0:
            if len(self._buffer) - self._at > _LONGEST_HEADERS:
                raise MalformedPayload("invalid_payload_structure")
            search_from = max(start, len(self._buffer) - 3)
            shift = self._read_more()
            search_from -= shift
            start -= shift
        if found - self._at > _LONGEST_HEADERS:
            raise MalformedPayload("invalid_payload_structure")
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


def _headers(block: bytes) -> PartHeaders:
    headers = {
        name.strip().lower(): value.strip()
        for line in block.split(b"\r\n")
        for name, _, value in [line.partition(b":")]
    }
    disposition = parameters(headers.get(b"content-disposition", b""))
    content_type = headers.get(b"content-type", b"")
    return PartHeaders(
        name=disposition.get(b"name", b""),
        has_filename=bool(disposition.get(b"filename") or disposition.get(b"filename*")),
        content_type=content_type.partition(b";")[0].strip(),
        charset=parameters(content_type).get(b"charset", b"") if b";" in content_type else b"",
        transfer_encoding=headers.get(b"content-transfer-encoding", b""),
    )


#: The same few hundred short headers come with almost every report.
_cached_headers = lru_cache(maxsize=1024)(_headers)
