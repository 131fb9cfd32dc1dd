"""Undo ``Content-Encoding`` while the body arrives, never holding more than a piece of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, cast

from zlib_ng import zlib_ng

from ingest.errors import MalformedPayload, PayloadTooLarge, UnsupportedEncoding
from ingest.limits import Limits

#: Gives at most so many bytes, none only at the end. May raise what `ingest.errors` lists.
Read = Callable[[int], bytes]

PIECE_BYTES = 128 * 1024
_CRUMB_BYTES = 16 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
#: Each member costs as much as 400 bytes of usual gzip data, even when it takes 20 bytes and gives none.
_MOST_GZIP_MEMBERS = 1000
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
_InflateError = cast("type[Exception]", zlib_ng.error)  # declared there as an exception, not as its type


@dataclass(slots=True)
class Clock:
    """Adds up how long decoding took, waiting for the client left out."""

    seconds: float = 0.0


def pieces(encoding: str, read: Read, limits: Limits, clock: Clock | None = None) -> Iterator[bytes]:
    """Give the decoded body in pieces of at most about 128 KB.

    Args: ``encoding`` is the header's value: none, ``identity``, ``gzip``, ``x-gzip``, ``deflate`` or ``zstd``, in any
    case.
    Raises: UnsupportedEncoding at once for another one; while reading MalformedPayload ``bad_gzip`` (also for more than
    1,000 members), ``bad_deflate`` or ``bad_zstd`` for a body that is not what it says, PayloadTooLarge for one that
    grows too large, and what ``read`` raises.
    """
    encoding = encoding.strip().lower()
    read = _without_crumbs(read)
    if encoding in ("", "identity"):
        return iter(lambda: read(PIECE_BYTES), b"")
    try:
        decode = _DECODERS[encoding]
    except KeyError:
        raise UnsupportedEncoding("the body's Content-Encoding is not one of gzip, deflate, zstd") from None
    return _bounded(decode, read, limits, clock or Clock())


def is_compressed(encoding: str) -> bool:
    return encoding.strip().lower() not in ("", "identity")


def _without_crumbs(read: Read) -> Read:
    """Wait for 16 KB where a client sends a few bytes at a time: the smallest piece costs as much as a large one."""

    def gathered(size: int) -> bytes:
        piece = read(size)
        if not piece or len(piece) >= _CRUMB_BYTES:
            return piece
        crumbs = bytearray(piece)
        while len(crumbs) < _CRUMB_BYTES and (piece := read(size - len(crumbs))):
            crumbs += piece
        return bytes(crumbs)

    return gathered


def _bounded(
    decode: Callable[[Read], Iterator[bytes]], read: Read, limits: Limits, clock: Clock
) -> Iterator[bytes]:
    """Stop decoding as soon as the body has grown too large, absolutely or compared with what came over the wire."""
    wire = body = 0

    def counted(size: int) -> bytes:
        nonlocal wire
        started = time.perf_counter()
        data = read(size)
        clock.seconds -= time.perf_counter() - started
        wire += len(data)
        return data

    decoded = decode(counted)
    while True:
        started = time.perf_counter()
        piece = next(decoded, b"")
        clock.seconds += time.perf_counter() - started
        if not piece:
            return
        body += len(piece)
        if body > limits.ratio_free_bytes and body > wire * limits.ratio:
            raise PayloadTooLarge("compression_ratio")
        yield piece


def _gunzip(read: Read) -> Iterator[bytes]:
    """All members of a gzip stream; what follows the last one is ignored, as the field's collectors do."""
    data = read(PIECE_BYTES)
    for _ in range(_MOST_GZIP_MEMBERS):
        member = zlib_ng.decompressobj(zlib_ng.MAX_WBITS | 16)
        yield from _inflate(member, data, read, "bad_gzip")
        data = member.unused_data
        if len(data) < len(_GZIP_MAGIC):
            data += read(PIECE_BYTES)
        if not data.startswith(_GZIP_MAGIC):
            _skip_rest(read)
            return
    raise MalformedPayload("bad_gzip")


def _undeflate(read: Read) -> Iterator[bytes]:
    """``deflate`` is zlib's format by the book (RFC 9110), and the bare stream from those who never read it."""
    data = read(PIECE_BYTES)
    by_the_book = len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
    stream = zlib_ng.decompressobj(zlib_ng.MAX_WBITS if by_the_book else -zlib_ng.MAX_WBITS)
    yield from _inflate(stream, data, read, "bad_deflate")
    _skip_rest(read)


def _inflate(stream: Any, data: bytes, read: Read, code: str) -> Iterator[bytes]:
    try:
        while True:
            piece = stream.decompress(data, PIECE_BYTES)
            if piece:
                yield piece
            if stream.eof:
                return
            data = stream.unconsumed_tail
            if not data and len(piece) < PIECE_BYTES:
                data = read(PIECE_BYTES)
                if not data:
                    raise MalformedPayload(code)
    except _InflateError:
        raise MalformedPayload(code) from None


def _skip_rest(read: Read) -> None:
    """Leave nothing on the connection: its client may not read the answer before all is sent, and may send again."""
    while read(PIECE_BYTES):
        pass


class _Source:
    """A reading function as the file that zstandard wants."""

    def __init__(self, read: Read) -> None:
        self.read = read


def _unzstd(read: Read) -> Iterator[bytes]:
    import zstandard  # loaded with the first such body: most collectors never see one

    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    try:
        with decompressor.stream_reader(
            cast("IO[bytes]", _Source(read)), read_size=PIECE_BYTES, read_across_frames=True
        ) as stream:
            while piece := stream.read(PIECE_BYTES):
                yield piece
    except zstandard.ZstdError:
        raise MalformedPayload("bad_zstd") from None


_DECODERS: dict[str, Callable[[Read], Iterator[bytes]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _undeflate,
    "zstd": _unzstd,
}
