"""Send mutated submissions to a real collector: ``python -m tests.ingest.fuzz --cases 50000``.

No case may be answered 5xx, hang, or make the worker grow. The test suite runs a few thousand of them.
"""

from __future__ import annotations

import argparse
import gzip
import random
import socket
import tempfile
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.ingest.outages import database
from tests.ingest.process import CollectorProcess, run_collector
from tests.ingest.reports import Part, Request, chunked, dump, encode, extra, gzipped, text, valid

_SENDERS = 4
_TELLING = (
    b"\r\n", b"\n", b"\r", b"--", b"\0", b'"', b"\\", b";", b"=", b":", b"%", b"{", b"}", b"[" * 500, b"9" * 5000,
    b"\xff", b"\xef\xbb\xbf", b"\r\n\r\n", b"name=", b"filename*=utf-8''", b"Content-Type: application/json",
    b"charset=utf-7", b"charset=idna", b"charset=undefined", b"charset=hex", b"charset=unicode_escape",
    b"Content-Transfer-Encoding: base64", b"NaN", b"1e999", b'{"uuid": 1}', b"\\ud800",
)  # fmt: skip


def seeds() -> list[Request]:
    everything = Request(
        encode(
            [
                text("ProductName", "Firefox"),
                extra({"Version": "1", "n": [1, {"a": None}], "é": "\ud800"}),
                Part("Notes", "Größe".encode("latin-1"), content_type="text/plain; charset=latin-1"),
                dump(),
                dump("upload_file_minidump_content", bytes(range(256)) * 20),
            ]
        )
    )
    plain = valid(uuid="0b1ec0de-7a11-4f00-8a5e-1c3f50260801")
    return [plain, everything, gzipped(valid()), chunked(valid(), 100), chunked(gzipped(everything), 77)]


def mutate(data: bytes, dice: random.Random) -> bytes:
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
                changed[at:at] = dice.choice(_TELLING)
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


def run(collector: CollectorProcess, first: int, cases: int) -> Counter[int]:
    """Send the cases with these numbers; give how often each status came (0: closed without an answer).

    Raises: AssertionError with the number of a case that was answered 5xx, or not within 30 s.
    """
    numbers = iter(range(first, first + cases))
    lock = threading.Lock()
    statuses: Counter[int] = Counter()
    failures: list[str] = []

    def send() -> None:
        while not failures:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                status = _status(collector, make_case(number))
            except TimeoutError:
                failures.append(f"case {number}: no answer")
                return
            with lock:
                statuses[status] += 1
            if status >= 500:
                failures.append(f"case {number}: answered {status}")

    senders = [threading.Thread(target=send) for _ in range(_SENDERS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert not failures, failures
    return statuses


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
    parser = argparse.ArgumentParser(description="Send mutated submissions to a collector of its own.")
    parser.add_argument("--cases", type=int, default=50_000)
    parser.add_argument("--first", type=int, default=1_000_000, help="the number of the first case")
    options = parser.parse_args()
    with (
        database() as server,
        tempfile.TemporaryDirectory(prefix="crashstats-fuzz-") as var,
        run_collector(Path(var), server.url) as collector,
    ):
        (worker,) = collector.workers()
        run(collector, 0, 1000)
        before = worker.memory_info().rss
        statuses = run(collector, options.first, options.cases)
        grown = worker.memory_info().rss - before
        unforeseen = collector.metric("collector_parser_errors_total")
    print(  # noqa: T201
        f"{options.cases} cases: {dict(statuses)}; "
        f"unforeseen errors {unforeseen:g}; worker grew {grown / 2**20:.1f} MB"
    )


if __name__ == "__main__":
    main()
