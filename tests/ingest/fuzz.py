"""Look for submissions that harm the collector: ``python -m tests.ingest.fuzz --minutes 20 --cases 50000``.

First its parser alone, in process, guided by coverage (`Explorer`); then mutated requests, and what the exploration
kept, to a real collector: none may be answered 5xx, hang, or make the worker grow. The tests run a little of both.
"""

from __future__ import annotations

import argparse
import gzip
import io
import random
import re
import socket
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from itertools import chain
from pathlib import Path

from ingest import decoding, multipart, payload
from ingest.errors import MalformedPayload, PayloadTooLarge, UnsupportedEncoding
from ingest.limits import Limits
from ingest.payload import CrashReport, parse_boundary, parse_payload
from tests.ingest.guided import Explorer, Trail
from tests.ingest.outages import database
from tests.ingest.process import CollectorProcess, run_collector
from tests.ingest.reports import Part, Request, chunked, dump, encode, extra, gzipped, text, valid
from tests.ingest.test_clients import CLIENTS, LOG, MINIDUMP

_zstd = decoding.load_zstd()
_SENDERS = 4
_NOISE = bytes(range(256)) * 20
_LONGEST_BODY = 30_000
_TELLING = (
    b"\r\n", b"\n", b"\r", b"--", b"\0", b'"', b"\\", b";", b"=", b":", b"%", b"{", b"}", b"[" * 500, b"9" * 5000,
    b"\xff", b"\xef\xbb\xbf", b"\r\n\r\n", b"name=", b"filename*=utf-8''", b"Content-Type: application/json",
    b"charset=utf-7", b"charset=idna", b"charset=undefined", b"charset=hex", b"charset=unicode_escape",
    b"Content-Transfer-Encoding: base64", b"NaN", b"1e999", b'{"uuid": 1}', b"\\ud800",
)  # fmt: skip
_WORDS = (
    *_TELLING, b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n', b'; filename="b"', b"; name=c", b"binary",
    b"Content-Type: text/plain; charset=utf-16", b"Content-Type: application/octet-stream", b"raw_crash",
    b"dump", b"[]", b"extra", b"[" * 3000, b'{"a":' * 900, b"hex", b"undefined", b"utf-7", b"idna", b"text/plain", b"1",
    b"upload_file_minidump", b'{"a": [1, 2.5, null, "\\u00e9"]}', b"," * 300, b"x" * 3000, b"x" * 9000, b"boundary=",
    b"multipart/mixed", b"\x1f\x8b\x08", b"\x1f\x8b\x08\x1f", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18\1\0\0\0",
    b"\x78\x9c", gzip.compress(b""), zlib.compress(b""), _zstd.compress(b""),
)  # fmt: skip

_WORD = re.compile(rb"[A-Za-z0-9_/.+-]+|[\"\[{;=]")
_PARSER_FILES = frozenset(str(module.__file__) for module in (decoding, multipart, payload))
_LIMITS = Limits(
    wire_bytes=1_000_000,
    body_bytes=25_000,
    annotation_bytes=5000,
    all_annotations_bytes=8000,
    dump_bytes=10_000,
    parts=20,
    ratio=20,
    ratio_free_bytes=10_000,
    memory_bytes=500,
)
_REFUSALS = frozenset(
    {
        "malformed_no_content_type", "malformed_wrong_content_type", "malformed_no_boundary", "malformed_bad_gzip",
        "malformed_bad_deflate", "malformed_bad_zstd", "malformed_invalid_payload_structure", "malformed_invalid_json",
        "malformed_invalid_json_value", "malformed_invalid_dump_name", "malformed_no_annotations", "too_large_body",
        "too_large_compression_ratio", "too_large_parts", "too_large_one_annotation", "too_large_all_annotations",
        "too_large_one_dump", "unsupported_encoding",
    }
)  # fmt: skip
#: Lines that decoding and parsing may run for any body, for each piece of one, and for each byte sent or decoded.
_FREE_STEPS = 5000
_STEPS_PER_PIECE = 50
_STEPS_PER_BYTE = 1

_PARSER_ERRORS = "collector_parser_errors_total"
#: A worker of eight threads grows by some 20 MB until each thread has met everything, and then no more.
_MOST_GROWTH_BYTES = 30 * 2**20
_FEW_THREADS = {"COLLECTOR_THREADS": "8", "COLLECTOR_REQUESTS": "7"}

_PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": lambda body: gzip.compress(body, 1, mtime=0),
    "gzip members": lambda body: b"".join(
        gzip.compress(body[at : at + 2000], 1, mtime=0) for at in range(0, len(body), 2000)
    ),
    "deflate": zlib.compress,
    "bare deflate": lambda body: zlib.compress(body)[2:-4],
    "zstd": _zstd.compress,
}


@dataclass(frozen=True)
class Submission:
    """What the parser gets: two headers, and a body that is packed in some way before it is sent."""

    content_type: str
    encoding: str
    packing: str
    body: bytes

    @cached_property
    def wire(self) -> bytes:
        return _PACKINGS[self.packing](self.body)

    def request(self) -> bytes:
        return Request(
            self.wire, {"Content-Type": self.content_type, "Content-Encoding": self.encoding}
        ).encode()


@dataclass(frozen=True)
class Parsed:
    """All that a report holds, to be compared."""

    annotations: dict[str, object]
    dumps: dict[str, bytes]
    notes: list[str]
    digest: bytes


def parse(pieces: Iterator[bytes], boundary: bytes, limits: Limits, spool: Path) -> Parsed | str:
    """Give what a decoded body becomes, or the code of its refusal.

    Raises: AssertionError when a limit is not kept, a hash is wrong, or a file is left; what the parser may not.
    """
    report = CrashReport()
    try:
        with report:
            parse_payload(pieces, boundary, report, limits, spool)
            parsed = _parsed(report, limits)
    except MalformedPayload as exc:
        parsed = f"malformed_{exc}"
    except PayloadTooLarge as exc:
        parsed = f"too_large_{exc}"
    assert not list(spool.iterdir()), "a file was left in the spool"
    assert not isinstance(parsed, str) or parsed in _REFUSALS, f"{parsed} is no known refusal"
    return parsed


def _parsed(report: CrashReport, limits: Limits) -> Parsed:
    in_memory = sum(len(d.content) for d in report.dumps.values() if isinstance(d.content, bytes))
    dumps = {
        name: d.content if isinstance(d.content, bytes) else d.content.read_bytes()
        for name, d in report.dumps.items()
    }
    assert report.body_bytes <= limits.body_bytes
    assert in_memory <= limits.memory_bytes
    assert all(len(content) <= limits.dump_bytes for content in dumps.values())
    assert all(sha256(content).hexdigest() == report.dumps[name].sha256 for name, content in dumps.items())
    assert len(dumps) + len(report.notes) <= 2 * limits.parts + 1
    assert report.has_json or len(report.annotations) <= limits.parts
    return Parsed(report.annotations, dumps, report.notes, report.digest())


class Examiner:
    """Tries out submissions: decodes and parses each at once, cut into small pieces, and arriving slowly."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool
        #: CPU seconds of the slowest submission, and that submission.
        self.slowest: tuple[float, Submission | None] = (0.0, None)

    def __call__(self, case: Submission) -> set[Hashable]:
        """Give what a submission did.

        Raises: AssertionError when the three ways differ or take too many steps; what `parse` raises.
        """
        size = 1 + zlib.crc32(case.body) % 50 + len(case.body) // 300
        with Trail(_PARSER_FILES) as trail:
            whole, _ = self._outcome(case)
            cut, pieces = self._outcome(case, piece_bytes=size)
            slow, _ = self._outcome(case, wire_bytes=size)
        assert cut == whole or _depends_on_pieces(cut, whole), f"in pieces of {size}: {cut}, not {whole}"
        # The ratio counts what has come so far; and what is noticed first in a broken stream depends on its pieces.
        if "too_large_compression_ratio" not in (whole, slow):
            assert slow == whole or _are_refusals(slow, whole), f"arriving by {size}: {slow}, not {whole}"
        allowed = _STEPS_PER_PIECE * pieces.count + _STEPS_PER_BYTE * (pieces.bytes + len(case.wire))
        assert trail.steps <= _FREE_STEPS + allowed, f"{trail.steps} steps"
        self._take_time(case)
        return {*trail.ways(), whole if isinstance(whole, str) else "accepted"}

    def _outcome(
        self, case: Submission, wire_bytes: int = 1_000_000, piece_bytes: int = 1_000_000
    ) -> tuple[Parsed | str, Counted]:
        """Give what a submission becomes that arrives and is parsed in such pieces, and what pieces those were."""
        counted = Counted((), piece_bytes)
        try:
            boundary = parse_boundary(case.content_type)
            pieces = decoding.pieces(case.encoding, _arriving(case.wire, wire_bytes), _LIMITS)
        except MalformedPayload as exc:
            return f"malformed_{exc}", counted
        except UnsupportedEncoding:
            return "unsupported_encoding", counted
        counted = Counted(pieces, piece_bytes)
        return parse(iter(counted), boundary, _LIMITS, self._spool), counted

    def _take_time(self, case: Submission) -> None:
        """Note the slowest: what takes long without taking steps of ours, such as a regular expression."""
        started = time.thread_time()
        self._outcome(case)
        seconds = time.thread_time() - started
        if seconds > self.slowest[0]:
            self.slowest = (seconds, case)


def _are_refusals(one: Parsed | str, other: Parsed | str) -> bool:
    return isinstance(one, str) and isinstance(other, str)


def _depends_on_pieces(one: Parsed | str, other: Parsed | str) -> bool:
    """Tell whether two refusals are for sizes.

    Sizes are counted by the piece. A large piece can be over two limits at once, and nothing else is noticed in it.
    """
    both = [code for code in (one, other) if isinstance(code, str)]
    return len(both) == 2 and ("too_large_body" in both or all(code.startswith("too_large") for code in both))


class Counted:
    """Pieces of at most some size, and how many there were of how many bytes together."""

    def __init__(self, pieces: Iterable[bytes], piece_bytes: int) -> None:
        self._pieces = pieces
        self._piece_bytes = piece_bytes
        self.count = 0
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            for at in range(0, len(piece), self._piece_bytes):
                self.count += 1
                self.bytes += len(piece[at : at + self._piece_bytes])
                yield piece[at : at + self._piece_bytes]


def _arriving(body: bytes, piece_bytes: int) -> decoding.Read:
    stream = io.BytesIO(body)
    return lambda size: stream.read(min(size, piece_bytes))


def submissions() -> list[Submission]:
    """Give what the field's clients send, and bodies packed in every way; dumps are cut short, they hide the rest."""
    requests = [make() for make, *_ in CLIENTS.values()] + seeds() + [Request(encode([extra([1])]))]
    found = [
        Submission(headers["Content-Type"], headers.get("Content-Encoding", ""), "", _sent_body(request))
        for request in requests
        for headers in [{name.title(): value for name, value in request.all_headers().items()}]
    ]
    found = [
        replace(case, packing="gzip", body=gzip.decompress(case.body)) if case.encoding else case
        for case in found
    ]
    for noise, rest in ((MINIDUMP, MINIDUMP[:30] + MINIDUMP[-10:]), (_NOISE, _NOISE[:600]), (LOG, LOG[:40])):
        found = [replace(case, body=case.body.replace(noise, rest)) for case in found]
    packed = [
        replace(
            found[0],
            encoding=packing.split()[-1] if "deflate" in packing else packing.split()[0],
            packing=packing,
        )
        for packing in _PACKINGS
        if packing
    ]
    sent_packed = [replace(case, body=case.wire, packing="") for case in packed]
    large = valid(
        dump("a", random.Random(1).randbytes(9000)), dump("b", bytes(9000)), dump("c", b"ab" * 4500)
    )
    return [
        *found,
        *packed,
        *sent_packed,
        replace(packed[0], content_type=large.all_headers()["Content-Type"], body=large.body),
    ]


def _sent_body(request: Request) -> bytes:
    """Give the body without its chunks."""
    if "Transfer-Encoding" not in request.headers:
        return request.body
    body, rest = b"", request.body
    while size := int(rest[: rest.index(b"\r\n")], 16):
        start = rest.index(b"\r\n") + 2
        body += rest[start : start + size]
        rest = rest[start + size + 2 :]
    return body


def change(case: Submission, other: Submission, dice: random.Random) -> Submission:
    """Change a header, the packing, or most often the body."""
    delimiter = b"--" + case.content_type.partition("boundary=")[2].encode("latin-1")
    match dice.randrange(16):
        case 0:
            changed = mutate(case.content_type.encode("latin-1"), dice).decode("latin-1")
            return replace(case, content_type=changed)
        case 1:
            return replace(case, encoding=dice.choice(("", "gzip", "x-gzip", "deflate", "zstd", "br")))
        case 2:
            return replace(case, packing=dice.choice(list(_PACKINGS)))
        case 3:
            return replace(other, body=case.body)
        case 4:
            start, end = dice.randrange(len(case.body) + 1), dice.randrange(len(other.body) + 1)
            body = case.body[:start] + other.body[end:]
        case 5 | 6 | 7:
            body = _with_parts_moved(case.body, other.body, delimiter, dice)
        case 8 | 9 | 10 | 11 | 12:
            body = _with_word_replaced(case.body, dice)
        case _:
            ends = (b"\r\n" + delimiter, b"\r\n" + delimiter + b"\r\n", b"\r\n" + delimiter + b"--")
            body = mutate(case.body, dice, (*_WORDS, *ends))
    return replace(case, body=body[:_LONGEST_BODY])


def _with_parts_moved(body: bytes, other: bytes, delimiter: bytes, dice: random.Random) -> bytes:
    """Repeat or leave out some parts, or put in some from another body."""
    parts, others = body.split(delimiter), other.split(b"\r\n--")
    start = dice.randrange(len(parts))
    end = start + dice.randrange(4)
    match dice.randrange(3):
        case 0:
            parts[start:end] = parts[start:end] * dice.choice((0, 2, 5, 20))
        case 1:
            parts[start:start] = [b"\r\n" + dice.choice(others).partition(b"\r\n")[2] + b"\r\n"]
        case _:
            dice.shuffle(parts)
    return delimiter.join(parts)


def _with_word_replaced(body: bytes, dice: random.Random) -> bytes:
    words = list(_WORD.finditer(body))
    if not words:
        return body
    match = dice.choice(words)
    return body[: match.start()] + dice.choice(_WORDS) + body[match.end() :]


def smaller(case: Submission) -> Iterator[Submission]:
    """Give the submission without some of its body, large parts first."""
    size = len(case.body)
    while size:
        for at in range(0, len(case.body), size):
            yield replace(case, body=case.body[:at] + case.body[at + size :])
        size //= 2


def explorer(examiner: Examiner, number: int) -> Explorer[Submission]:
    """Give an exploration that has seen what clients send. Args: ``number`` makes it another one."""
    exploration = Explorer(examiner, change, smaller, random.Random(number))
    for case in submissions():
        exploration.try_out(case)
    return exploration


def seeds() -> list[Request]:
    everything = Request(
        encode(
            [
                text("ProductName", "Firefox"),
                extra({"Version": "1", "n": [1, {"a": None}], "é": "\ud800"}),
                Part("Notes", "Größe".encode("latin-1"), content_type="text/plain; charset=latin-1"),
                dump(),
                dump("upload_file_minidump_content", _NOISE),
            ]
        )
    )
    plain = valid(uuid="0b1ec0de-7a11-4f00-8a5e-1c3f50260801")
    return [plain, everything, gzipped(valid()), chunked(valid(), 100), chunked(gzipped(everything), 77)]


def mutate(data: bytes, dice: random.Random, words: Sequence[bytes] = _TELLING) -> bytes:
    """Change a few places: flip, cut, double, move, insert something telling."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        at = dice.randrange(len(changed) + 1)
        match dice.randrange(6):
            case 0 if changed:
                changed[at % len(changed)] ^= 1 << dice.randrange(8)
            case 1:
                del changed[at : at + dice.choice((1, 2, 10, 300))]
            case 2:
                changed[at:at] = changed[at : at + dice.choice((1, 20, 200))]
            case 3:
                changed = changed[at:] + changed[:at]
            case _:
                changed[at:at] = dice.choice(words)
    return bytes(changed)


def make_case(number: int) -> bytes:
    """Give the bytes of one request: mutated in its body, before its compression, or below the request line."""
    dice = random.Random(number)
    seed = dice.choice(seeds())
    match dice.randrange(4):
        case 0:
            line, _, rest = seed.encode().partition(b"\r\n")
            return line + b"\r\n" + mutate(rest, dice)
        case 1:
            body = gzip.compress(mutate(valid().body, dice), 1)
            return Request(
                body, {"Content-Encoding": dice.choice(("gzip", "deflate", "zstd", "x-gzip"))}
            ).encode()
        case _:
            return Request(mutate(seed.body, dice), seed.headers, seed.boundary).encode()


def run(collector: CollectorProcess, requests: Iterable[tuple[str, bytes]]) -> Counter[int]:
    """Send requests, each with its name; give how often each status came (0: closed without an answer).

    Raises: AssertionError with the name of one that was answered 5xx, or not within 30 s.
    """
    waiting = iter(requests)
    lock = threading.Lock()
    statuses: Counter[int] = Counter()
    failures: list[str] = []

    def send() -> None:
        while not failures:
            with lock:
                name, request = next(waiting, ("", b""))
            if not request:
                return
            try:
                status = _status(collector, request)
            except TimeoutError:
                failures.append(f"{name}: no answer")
                return
            with lock:
                statuses[status] += 1
            if status >= 500:
                failures.append(f"{name}: answered {status}")

    senders = [threading.Thread(target=send) for _ in range(_SENDERS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert not failures, failures
    return statuses


@dataclass(frozen=True)
class Harm:
    """What requests did to a collector of one worker process; ``statuses`` are those of `run`."""

    statuses: Counter[int]
    unforeseen_errors: float
    grown_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.statuses.total()} requests: {dict(self.statuses)}; "
            f"unforeseen errors {self.unforeseen_errors:g}; worker grew {self.grown_bytes / 2**20:.1f} MB"
        )

    def is_none(self) -> bool:
        return self.unforeseen_errors == 0 and self.grown_bytes <= _MOST_GROWTH_BYTES


def harm(collector: CollectorProcess, requests: Iterable[tuple[str, bytes]]) -> Harm:
    """Send requests, and look at what they have done. Raises: what `run` raises."""
    (worker,) = collector.workers()
    errors, size = collector.metric(_PARSER_ERRORS), worker.memory_info().rss
    statuses = run(collector, requests)
    return Harm(statuses, collector.metric(_PARSER_ERRORS) - errors, worker.memory_info().rss - size)


def mutated_requests(first: int, cases: int) -> Iterator[tuple[str, bytes]]:
    """Give the cases with these numbers; each is the same every time."""
    return ((f"case {number}", make_case(number)) for number in range(first, first + cases))


def kept_requests(exploration: Explorer[Submission]) -> Iterator[tuple[str, bytes]]:
    return ((repr(case), case.request()) for case in exploration.kept)


def _status(collector: CollectorProcess, request: bytes) -> int:
    with collector.connect() as connection:
        answer = b""
        with suppress(ConnectionError):
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while len(answer) < 12 and (piece := connection.recv(65536)):
                answer += piece
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Explore the collector's parser, and send mutated submissions."
    )
    parser.add_argument("--minutes", type=float, default=5, help="how long to explore the parser")
    parser.add_argument(
        "--cases", type=int, default=50_000, help="how many to send to a collector of its own"
    )
    parser.add_argument("--first", type=int, default=1_000_000, help="another number makes it another run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crashstats-fuzz-") as folder:
        exploration = _explore(Path(folder), options.minutes, options.first)
    with (
        database() as server,
        tempfile.TemporaryDirectory(prefix="crashstats-fuzz-") as var,
        run_collector(Path(var), server.url, **_FEW_THREADS) as collector,
    ):
        done = harm(
            collector, chain(kept_requests(exploration), mutated_requests(options.first, options.cases))
        )
    print(done)  # noqa: T201
    if not done.is_none():
        sys.exit(
            f"expected no unforeseen error, and no growth by more than {_MOST_GROWTH_BYTES / 2**20:g} MB"
        )


def _explore(spool: Path, minutes: float, number: int) -> Explorer[Submission]:
    """Explore for some time, and tell now and then how it goes."""
    examiner = Examiner(spool)
    exploration = explorer(examiner, number)
    deadline = time.monotonic() + minutes * 60
    told = 0.0
    while (now := time.monotonic()) < deadline:
        exploration.explore(100)
        if now - told > 30 or time.monotonic() >= deadline:
            told = now
            seconds, slowest = examiner.slowest
            print(  # noqa: T201
                f"{exploration.cases} explored, {len(exploration.kept)} kept; "
                f"slowest {seconds * 1000:.1f} ms: {slowest!r:.300}",
                flush=True,
            )
    return exploration


if __name__ == "__main__":
    main()
