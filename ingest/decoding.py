"""Undo ``Content-Encoding`` while the body arrives, never holding more than a piece of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, cast

from zlib_ng import zlib_ng

from ingest.errors import MalformedPayload, PayloadTooLarge, UnsupportedEncoding
from ingest.limits import Limits

Piece = bytes | bytearray
#: Gives at most so many bytes, none only at the end. May raise what `ingest.errors` lists.
Read = Callable[[int], Piece]

PIECE_BYTES = 128 * 1024
_CRUMB_BYTES = 16 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
#: Members of gzip and frames of zstd, each of which costs as much as 400 bytes of usual data, even when it gives none.
_MOST_MEMBERS = 1000
_ZSTD_WINDOW_LOG = 23
_InflateError = cast("type[Exception]", zlib_ng.error)  # declared there as an exception, not as its type


@dataclass(slots=True)
class Clock:
    """Adds up how long decoding took, waiting for the client left out."""

    seconds: float = 0.0


def pieces(
    encoding: str, read: Read, limits: Limits, clock: Clock | None = None, *, announced_bytes: int = 0
) -> Iterator[Piece]:
    """Give the decoded body in pieces of about 128 KB; of ``limits.memory_bytes`` when that will hold what is sent.

    Args: ``encoding`` is the header's value: none, ``identity``, ``gzip``, ``x-gzip``, ``deflate`` or ``zstd``, in any
    case; ``announced_bytes`` is the length of the body as it is sent, 0 when it is not known.
    Raises: UnsupportedEncoding at once for another one; while reading MalformedPayload ``bad_gzip``, ``bad_deflate`` or
    ``bad_zstd`` for a body that is not what it says, is cut short, or has more than 1,000 members or frames,
    PayloadTooLarge for one that grows too large, and what ``read`` raises.
    """
    encoding = encoding.strip().lower()
    read = _without_crumbs(read)
    piece_bytes = limits.memory_bytes if 0 < announced_bytes <= limits.memory_bytes else PIECE_BYTES
    if encoding in ("", "identity"):
        return iter(partial(read, piece_bytes), b"")
    try:
        decode = _DECODERS[encoding]
        if decode is _unzstd:
            load_zstd()
    except (KeyError, ImportError):
        raise UnsupportedEncoding("the body's Content-Encoding is not one of gzip, deflate, zstd") from None
    return _bounded(lambda source: decode(source, piece_bytes), read, limits, clock or Clock())


def load_zstd() -> ModuleType:
    """Load Python's module for zstd: with the first such body, for most collectors never see one.

    Raises: ImportError when this Python was built without it.
    """
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def is_compressed(encoding: str) -> bool:
    return encoding.strip().lower() not in ("", "identity")


def _without_crumbs(read: Read) -> Read:
    """Wait for 16 KB where a client sends a few bytes at a time: the smallest piece costs as much as a large one."""

    def gathered(size: int) -> Piece:
        enough = min(_CRUMB_BYTES, size)
        piece = read(size)
        if not piece or len(piece) >= enough:
            return piece
        crumbs = bytearray(piece)
        while len(crumbs) < enough and (piece := read(size - len(crumbs))):
            crumbs += piece
        return crumbs

    return gathered


def _bounded(
    decode: Callable[[Read], Iterator[Piece]], read: Read, limits: Limits, clock: Clock
) -> Iterator[Piece]:
    """Stop decoding as soon as the body has grown too large, absolutely or compared with what came over the wire."""
    wire = body = 0

    def counted(size: int) -> Piece:
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


def _gunzip(read: Read, piece_bytes: int) -> Iterator[Piece]:
    """All members of a gzip stream; what follows the last one is ignored, as the field's collectors do."""
    data = read(piece_bytes)
    for _ in range(_MOST_MEMBERS):
        member = zlib_ng.decompressobj(zlib_ng.MAX_WBITS | 16)
        yield from _inflate(member, data, read, piece_bytes, "bad_gzip")
        data = member.unused_data
        if len(data) < len(_GZIP_MAGIC):
            data += read(piece_bytes)
        if not data.startswith(_GZIP_MAGIC):
            _skip_rest(read)
            return
    raise MalformedPayload("bad_gzip")


def _undeflate(read: Read, piece_bytes: int) -> Iterator[Piece]:
    """``deflate`` is zlib's format by the book (RFC 9110), and the bare stream from those who never read it."""
    data = read(piece_bytes)
    by_the_book = len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
    stream = zlib_ng.decompressobj(zlib_ng.MAX_WBITS if by_the_book else -zlib_ng.MAX_WBITS)
    yield from _inflate(stream, data, read, piece_bytes, "bad_deflate")
    _skip_rest(read)


def _inflate(stream: Any, data: Piece, read: Read, piece_bytes: int, code: str) -> Iterator[Piece]:
    try:
        while True:
            piece = stream.decompress(data, piece_bytes)
            if piece:
                yield piece
            if stream.eof:
                return
            data = stream.unconsumed_tail
            if not data and len(piece) < piece_bytes:
                data = read(piece_bytes)
                if not data:
                    raise MalformedPayload(code)
    except _InflateError:
        raise MalformedPayload(code) from None


def _skip_rest(read: Read) -> None:
    """Leave nothing on the connection: its client may not read the answer before all is sent, and may send again."""
    while read(PIECE_BYTES):
        pass


def _unzstd(read: Read, piece_bytes: int) -> Iterator[Piece]:
    """All frames of a zstd stream, one of which it has at least, and nothing else."""
    zstd = load_zstd()
    options = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
    data = read(piece_bytes)
    try:
        for _ in range(_MOST_MEMBERS):
            frame = zstd.ZstdDecompressor(options=options)
            yield from _unzstd_frame(frame, data, read, piece_bytes)
            data = frame.unused_data or read(piece_bytes)
            if not data:
                return
    except zstd.ZstdError:
        raise MalformedPayload("bad_zstd") from None
    raise MalformedPayload("bad_zstd")


def _unzstd_frame(frame: Any, data: Piece, read: Read, piece_bytes: int) -> Iterator[Piece]:
    while True:
        piece = frame.decompress(data, piece_bytes)
        if piece:
            yield piece
        if frame.eof:
            return
        data = b""
        if frame.needs_input:
            data = read(piece_bytes)
            if not data:
                raise MalformedPayload("bad_zstd")


_DECODERS: dict[str, Callable[[Read, int], Iterator[Piece]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _undeflate,
    "zstd": _unzstd,
}
