"""What `ingest.decoding` makes of compressed bodies: usual, odd, broken and hostile ones."""

from __future__ import annotations

import gzip
import random
import socket
import struct
import tracemalloc
import zlib

import pytest

from ingest import decoding
from ingest.decoding import PIECE_BYTES, load_zstd
from ingest.errors import ClientTimeout, MalformedPayload, PayloadTooLarge, UnsupportedEncoding
from ingest.limits import Limits
from tests.ingest.make_limits import make_limits
from tests.ingest.process import CollectorProcess, read_response
from tests.ingest.reports import Request, valid

zstd = load_zstd()
TEXT = b"".join(b"annotation %d of many, " % number for number in range(20_000))


class Wire:
    """A body that arrives in pieces of some size; counts what is taken of it."""

    def __init__(self, body: bytes, piece_bytes: int = 65_536) -> None:
        self.body = body
        self.piece_bytes = piece_bytes
        self.taken = 0

    def read(self, size: int) -> bytes:
        piece = self.body[self.taken : self.taken + min(size, self.piece_bytes)]
        self.taken += len(piece)
        return piece


def decoded(encoding: str, body: bytes, piece_bytes: int = 65_536, limits: Limits | None = None) -> bytes:
    return b"".join(decoding.pieces(encoding, Wire(body, piece_bytes).read, limits or make_limits()))


def refusal(encoding: str, body: bytes, piece_bytes: int = 65_536) -> str:
    with pytest.raises(MalformedPayload) as caught:
        decoded(encoding, body, piece_bytes)
    return str(caught.value)


def bare_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


def zstd_with_window(log_bytes: int) -> bytes:
    """Give a zstd stream of TEXT that asks for so large a window, since it does not say how long it is."""
    stream = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log_bytes})
    return stream.compress(TEXT, stream.FLUSH_BLOCK) + stream.flush()


def gzip_with(flags: int, fields: bytes) -> bytes:
    """Give a gzip stream of TEXT whose header has these flags and fields (RFC 1952, section 2.3)."""
    return b"\x1f\x8b\x08%c\0\0\0\0\0\3" % flags + fields + GZIP[10:]


GZIP = gzip.compress(TEXT)
#: A frame of three bytes for somebody else (RFC 8878, section 3.1.2).
SKIPPABLE = b"\x50\x2a\x4d\x18\x03\0\0\0abc"
FULL_HEADER = b"\x1f\x8b\x08\x1e\0\0\0\0\0\3\x05\0extraname\0comment\0"
HEADERS = {
    "extra": gzip_with(0x04, b"\x05\0extra"),
    "name": gzip_with(0x08, b"body.bin\0"),
    "comment": gzip_with(0x10, b"sent by a crash reporter\0"),
    "text": gzip_with(0x01, b""),
    "all, with their checksum": FULL_HEADER + struct.pack("<H", zlib.crc32(FULL_HEADER) & 0xFFFF) + GZIP[10:],
}
BROKEN = {
    "wrong checksum": GZIP[:-8] + bytes(4) + GZIP[-4:],
    "wrong length": GZIP[:-4] + b"\1\0\0\0",
    "wrong header checksum": FULL_HEADER + b"\0\0" + GZIP[10:],
    "a flag that is reserved": gzip_with(0x20, b""),
    "another method": GZIP[:2] + b"\x07" + GZIP[3:],
    "a block of no kind": GZIP[:10] + b"\x07" + GZIP[11:],
    "a second member that is broken": GZIP + gzip_with(0x20, b""),
    "a second member that is cut": GZIP + GZIP[:-1],
    "no gzip": TEXT,
    "nothing": b"",
}


class TestUsualBodies:
    @pytest.mark.parametrize("piece_bytes", [1, 7, 1000, 65_536])
    @pytest.mark.parametrize(
        ("encoding", "body"),
        [
            ("", TEXT),
            (" Identity ", TEXT),
            ("gzip", GZIP),
            ("X-GZip", GZIP),
            ("deflate", zlib.compress(TEXT)),
            ("deflate", bare_deflate(TEXT)),
            ("zstd", zstd.compress(TEXT)),
            ("zstd", zstd.compress(TEXT[:100]) + zstd.compress(TEXT[100:])),
        ],
        ids=["none", "identity", "gzip", "x-gzip", "deflate", "bare deflate", "zstd", "two zstd frames"],
    )
    def test_they_are_decoded_however_they_arrive(self, encoding: str, body: bytes, piece_bytes: int) -> None:
        assert decoded(encoding, body, piece_bytes) == TEXT

    @pytest.mark.parametrize("encoding", ["", "gzip", "deflate", "zstd"])
    def test_one_that_fits_in_memory_comes_as_one_piece(self, encoding: str) -> None:
        data = random.Random(1).randbytes(400_000) + bytes(300_000)
        compress = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress}
        body = compress[encoding](data) if encoding else data
        limits = make_limits(memory_bytes=1_000_000)
        for announced, pieces in ((len(body), 1), (0, 6)):
            wire = Wire(body, 1_000_000)
            decoded = list(decoding.pieces(encoding, wire.read, limits, announced_bytes=announced))
            assert b"".join(decoded) == data
            assert len(decoded) == pieces

    @pytest.mark.parametrize("piece_bytes", [1, 65_536])
    @pytest.mark.parametrize("case", HEADERS)
    def test_every_field_of_a_gzip_header_is_understood(self, case: str, piece_bytes: int) -> None:
        assert decoded("gzip", HEADERS[case], piece_bytes) == TEXT

    def test_other_encodings_are_refused_before_anything_is_read(self) -> None:
        wire = Wire(TEXT)
        with pytest.raises(UnsupportedEncoding):
            decoding.pieces("br", wire.read, make_limits())
        assert wire.taken == 0

    def test_what_reading_raises_comes_through(self) -> None:
        def read(size: int) -> bytes:
            raise ClientTimeout

        for encoding in ("", "gzip", "deflate", "zstd"):
            with pytest.raises(ClientTimeout):
                list(decoding.pieces(encoding, read, make_limits()))

    def test_pieces_are_neither_large_nor_many(self) -> None:
        for encoding, body in (("", TEXT), ("gzip", GZIP), ("deflate", zlib.compress(TEXT))):
            for piece_bytes in (1, 10_000_000):
                sizes = [
                    len(piece)
                    for piece in decoding.pieces(encoding, Wire(body, piece_bytes).read, make_limits())
                ]
                assert max(sizes) <= PIECE_BYTES
                assert len(sizes) <= len(TEXT) // 16_384 + 2


class TestBrokenBodies:
    @pytest.mark.parametrize("piece_bytes", [1, 65_536])
    @pytest.mark.parametrize("case", BROKEN)
    def test_gzip_that_is_broken_is_refused(self, case: str, piece_bytes: int) -> None:
        assert refusal("gzip", BROKEN[case], piece_bytes) == "bad_gzip"

    def test_streams_that_are_cut_anywhere_are_refused(self) -> None:
        data = TEXT[:300]
        for encoding, body in (
            ("gzip", gzip.compress(data)),
            ("deflate", zlib.compress(data)),
            ("deflate", bare_deflate(data)),
            ("zstd", zstd.compress(data)),
            ("zstd", zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})),
        ):
            assert decoded(encoding, body) == data
            for piece_bytes in (1, 65_536):
                refusals = {refusal(encoding, body[:length], piece_bytes) for length in range(len(body))}
                assert refusals == {f"bad_{encoding}"}

    def test_zstd_that_is_broken_or_wants_a_large_window_is_refused(self) -> None:
        whole = zstd.compress(TEXT, options={zstd.CompressionParameter.checksum_flag: 1})
        assert refusal("zstd", whole[:-1] + b"?") == "bad_zstd"
        assert refusal("zstd", TEXT) == "bad_zstd"
        assert decoded("zstd", zstd_with_window(23)) == TEXT
        assert refusal("zstd", zstd_with_window(24)) == "bad_zstd"

    @pytest.mark.parametrize("magic", range(0xFD2FB522, 0xFD2FB528))
    def test_zstd_from_before_its_format_was_settled_is_refused(self, magic: int) -> None:
        assert refusal("zstd", struct.pack("<I", magic) + bytes(100)) == "bad_zstd"


class TestMembers:
    def test_all_members_of_a_gzip_stream_are_read(self) -> None:
        assert decoded("gzip", gzip.compress(b"a") + gzip.compress(b"") + GZIP, 1) == b"a" + TEXT

    @pytest.mark.parametrize("more_bytes", range(-9, 12))
    def test_a_member_may_begin_in_one_piece_and_go_on_in_the_next(self, more_bytes: int) -> None:
        data = random.Random(1).randbytes(20_000)
        first = gzip.compress(data)
        assert decoded("gzip", first + GZIP, piece_bytes=len(first) + more_bytes) == data + TEXT

    def test_a_thousand_members_are_enough(self) -> None:
        member = gzip.compress(b"x")
        assert decoded("gzip", member * 1000) == b"x" * 1000
        assert refusal("gzip", member * 1001) == "bad_gzip"

    def test_so_are_a_thousand_frames_of_zstd(self) -> None:
        frame = zstd.compress(b"x")
        assert decoded("zstd", frame * 1000) == b"x" * 1000
        assert refusal("zstd", frame * 1001) == "bad_zstd"

    @pytest.mark.parametrize(
        ("encoding", "member"),
        [("gzip", gzip.compress(b"")), ("zstd", zstd.compress(b"")), ("zstd", SKIPPABLE)],
        ids=["gzip members", "zstd frames", "skippable zstd frames"],
    )
    def test_a_flood_of_empty_ones_is_not_read_to_its_end(self, encoding: str, member: bytes) -> None:
        wire = Wire(member * 500_000)
        with pytest.raises(MalformedPayload, match=f"bad_{encoding}"):
            list(decoding.pieces(encoding, wire.read, make_limits()))
        assert wire.taken <= PIECE_BYTES

    def test_zstd_frames_that_are_to_be_skipped_are(self) -> None:
        body = SKIPPABLE + zstd.compress(TEXT[:9]) + SKIPPABLE + zstd.compress(TEXT[9:]) + SKIPPABLE
        assert decoded("zstd", body, 1) == decoded("zstd", body) == TEXT

    def test_a_zstd_frame_that_is_cut_behind_a_whole_one_is_refused(self) -> None:
        whole, second = zstd.compress(TEXT), zstd.compress(b"more")
        for length in range(1, len(second)):
            assert refusal("zstd", whole + second[:length]) == "bad_zstd"
        assert refusal("zstd", whole + SKIPPABLE[:-1]) == "bad_zstd"

    @pytest.mark.parametrize("rest", [b"\x1f", b"\0" * 600_000, b"\x1f\x8a" * 300_000])
    @pytest.mark.parametrize("encoding", ["gzip", "deflate"])
    def test_what_follows_is_read_but_means_nothing(self, encoding: str, rest: bytes) -> None:
        wire = Wire((GZIP if encoding == "gzip" else zlib.compress(TEXT)) + rest)
        assert b"".join(decoding.pieces(encoding, wire.read, make_limits())) == TEXT
        assert wire.taken == len(wire.body)

    def test_a_connection_can_be_used_again_after_it(self, collector: CollectorProcess) -> None:
        body = gzip.compress(valid().body) + bytes(500_000)
        first = Request(body, {"Content-Encoding": "gzip", "Connection": "keep-alive"})
        with collector.connect() as connection:
            connection.sendall(first.encode())
            assert b" 200 OK\r\n" in _first_answer(connection)
            connection.sendall(valid(Notes="again").encode())
            assert read_response(connection).crash_id


def _first_answer(connection: socket.socket) -> bytes:
    answer = b""
    while b"CrashID=" not in answer or not answer.endswith(b"\n"):
        piece = connection.recv(65_536)
        assert piece, answer
        answer += piece
    return answer


class TestBombs:
    LIMITS = make_limits(ratio=10, ratio_free_bytes=PIECE_BYTES * 10)

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
    def test_they_are_left_as_soon_as_they_have_grown_too_large(self, encoding: str) -> None:
        zeros = bytes(50_000_000)
        compress = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress}[encoding]
        wire = Wire(compress(zeros), 1000)
        seen = 0
        with pytest.raises(PayloadTooLarge, match="compression_ratio"):
            for piece in decoding.pieces(encoding, wire.read, self.LIMITS):
                seen += len(piece)
        assert seen <= self.LIMITS.ratio_free_bytes
        assert wire.taken <= PIECE_BYTES

    def test_one_of_500_mb_takes_little_memory(self) -> None:
        bomb = gzip.compress(bytes(10_000_000)) * 50
        generous = make_limits(ratio=10_000)
        tracemalloc.start()
        try:
            size = sum(len(piece) for piece in decoding.pieces("gzip", Wire(bomb).read, generous))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert size == 500_000_000
        assert peak < 1_500_000

    def test_the_ratio_counts_what_came_over_the_wire_to_the_byte(self) -> None:
        limits = make_limits(ratio=500, ratio_free_bytes=1000)
        body = bytes(2_000_000)
        wire = gzip.compress(body).ljust(4000, b"\0")
        assert decoded("gzip", wire, limits=limits) == body
        with pytest.raises(PayloadTooLarge, match="compression_ratio"):
            decoded("gzip", wire[:-1], limits=limits)
        assert decoded("gzip", gzip.compress(bytes(1000)), limits=make_limits(ratio=1, ratio_free_bytes=1000))
