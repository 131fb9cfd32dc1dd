"""Bodies of requests, read straight from their client's socket.

gunicorn's own `wsgi.input` copies every byte several times on its way; for large dumps that costs more than hashing
them. It is left as if it had been read, so that the connection can be used again.
"""

from __future__ import annotations

import re
from typing import Any

from gunicorn.http.body import ChunkedReader  # type: ignore[import-untyped]

from ingest.client import ClientSocket
from ingest.errors import MalformedPayload

_LINE_PIECE = 4096
_LONGEST_LINE = 8190
#: A chunk costs as much as a kilobyte of usual content, however little it holds. So the lines that frame the chunks may
#: take this much, ten thousand chunks of a byte, and a 64th of the content, any number of half a kilobyte.
_FRAMING_BYTES = 64 * 1024
_FRAMING_SHARE = 64
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")


def body_of(environ: dict[str, Any]) -> LengthBody | ChunkedBody:
    """Give the body of a request that is served by `ingest.server.CollectorWorker`."""
    sock, reader = environ["gunicorn.socket"], environ["wsgi.input"].reader
    return ChunkedBody(sock, reader) if isinstance(reader, ChunkedReader) else LengthBody(sock, reader)


class LengthBody:
    """A body whose length is known."""

    def __init__(self, sock: ClientSocket, reader: Any) -> None:
        self._sock = sock
        self._reader = reader

    def read(self, size: int) -> bytes | bytearray:
        """Give ``size`` bytes, fewer at the end; waits for them as `ClientSocket` does.

        They are received straight into one buffer, for each piece that is handed on for itself costs as much as
        copying 50 KB.
        """
        size = min(size, self._reader.length)
        if not size:
            return b""
        buffer = bytearray(size)
        with memoryview(buffer) as view:
            filled = self._sock.fill(view)
        del buffer[filled:]
        self._reader.length -= filled
        return buffer


class ChunkedBody:
    """A body in chunks, of a length that nobody knows before its end. Source: RFC 9112, section 7.1."""

    def __init__(self, sock: ClientSocket, reader: Any) -> None:
        self._sock = sock
        self._reader = reader
        self._received = bytearray(sock.take_back())
        self._left = 0  # of the chunk at hand
        self._in_chunk = False  # also while its end has not been read
        self._ended = False
        self._content_bytes = 0
        self._framing_bytes = 0

    def read(self, size: int) -> bytearray:
        """Give ``size`` bytes of content, fewer at the end; waits for them as `ClientSocket` does.

        Raises: MalformedPayload for chunks that are none, or so small that their framing outweighs them.
        """
        content = bytearray(size)
        filled = 0
        with memoryview(content) as view:
            while filled < size and (self._left or self._begin_chunk()):
                taken = self._take(view[filled : filled + self._left])
                if not taken:
                    break  # the client has closed, or is too slow
                filled += taken
                self._left -= taken
        del content[filled:]
        return content

    def _begin_chunk(self) -> bool:
        """Go on to the content of the next chunk. Give whether there is any."""
        if self._ended or (self._in_chunk and not self._end_chunk()):
            return False
        line = self._line()
        if line is None:
            return False
        size = _CHUNK_SIZE.fullmatch(line)
        if not size:
            raise MalformedPayload("invalid_payload_structure")
        self._left = int(size[1], 16)
        self._content_bytes += self._left
        self._in_chunk = self._left > 0
        if not self._in_chunk:
            self._skip_trailer()
        return self._in_chunk

    def _end_chunk(self) -> bool:
        line = self._line()
        if line:
            raise MalformedPayload("invalid_payload_structure")
        self._in_chunk = line is None
        return not self._in_chunk

    def _skip_trailer(self) -> None:
        """Read to the end of the body. What headers behind it say is of no use here."""
        while line := self._line():
            pass
        if line is not None:
            self._ended = True
            self._reader.parser = None
            self._sock.give_back(bytes(self._received))
            self._received.clear()

    def _line(self) -> bytes | None:
        """Give the next line of what frames the chunks, without its end; None when the client has closed."""
        while (length := self._received.find(b"\r\n")) < 0:
            if len(self._received) > _LONGEST_LINE:
                raise MalformedPayload("invalid_payload_structure")
            received = self._receive()
            if not received:
                return None
            self._received += received
        line = bytes(self._received[:length])
        del self._received[: length + 2]
        self._framing_bytes += length + 2
        if self._framing_bytes > _FRAMING_BYTES + self._content_bytes // _FRAMING_SHARE:
            raise MalformedPayload("invalid_payload_structure")
        return line

    def _receive(self) -> bytes:
        try:
            return self._sock.recv(_LINE_PIECE)
        except OSError:
            return b""  # the client has closed; what came before may be whole

    def _take(self, content: memoryview) -> int:
        if not self._received:
            return self._sock.fill(content)
        size = min(len(content), len(self._received))
        content[:size] = self._received[:size]
        del self._received[:size]
        return size
