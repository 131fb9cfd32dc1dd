from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from ingest import decoding
from ingest.errors import MalformedPayload, PayloadTooLarge
from ingest.payload import CrashReport, parse_payload
from tests.ingest import fuzz
from tests.ingest.make_limits import make_limits
from tests.ingest.process import CollectorProcess
from tests.ingest.reports import BOUNDARY, encode, valid

SMALL = make_limits(
    annotation_bytes=5000, all_annotations_bytes=8000, dump_bytes=10_000, memory_bytes=500, parts=20
)

fragments = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [b"--" + BOUNDARY.encode(), b"\r\n", b"--", b"\r\n--" + BOUNDARY.encode(), b"\r\n\r\n", b"{}"]
    ),
    st.sampled_from(
        [
            b'\r\nContent-Disposition: form-data; name="a"\r\n\r\nvalue\r\n',
            b'\r\nContent-Disposition: form-data; name="b"; filename="b"\r\n\r\n' + b"x" * 700,
            b"\r\nContent-Disposition: form-data; name=c\r\nContent-Type: application/json\r\n\r\n",
            b'"a": [1, "b", null]',
        ]
    ),
)
bodies = st.lists(fragments, max_size=25).map(b"".join) | st.lists(fragments, max_size=8).map(
    lambda parts: encode([*parts]) if parts else b""
)


def outcome(pieces: Iterator[bytes], spool: Path) -> object:
    """Give what a body becomes: its annotations, dumps and notes, or the code of its refusal."""
    with CrashReport() as report:
        try:
            parse_payload(pieces, BOUNDARY.encode(), report, SMALL, spool)
        except (MalformedPayload, PayloadTooLarge) as exc:
            return str(exc)
        dumps = {
            name: dump.content if isinstance(dump.content, bytes) else dump.content.read_bytes()
            for name, dump in report.dumps.items()
        }
        return report.annotations, dumps, report.notes


@given(body=bodies, cuts=st.lists(st.integers(1, 40), min_size=1, max_size=30))
@settings(max_examples=800, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_body_means_the_same_however_it_arrives(uploads: Path, body: bytes, cuts: list[int]) -> None:
    pieces, at = [], 0
    while at < len(body):
        size = cuts[len(pieces) % len(cuts)]
        pieces.append(body[at : at + size])
        at += size
    whole = outcome(iter([body] if body else []), uploads)
    assert outcome(iter(pieces), uploads) == whole
    assert list(uploads.iterdir()) == []


@given(data=st.binary(max_size=3000), coding=st.sampled_from(["gzip", "deflate", "zstd"]))
@settings(max_examples=300, deadline=None)
def test_bytes_that_are_no_compression_are_refused_by_name(data: bytes, coding: str) -> None:
    stream = [data]
    try:
        for _ in decoding.pieces(coding, lambda size: stream.pop() if stream else b"", make_limits()):
            pass
    except MalformedPayload as exc:
        assert str(exc) == f"bad_{coding}"


@pytest.mark.parametrize("level", [1, 9])
def test_compressed_bodies_survive_any_cut(level: int) -> None:
    import gzip

    data = valid().body * 50
    compressed = gzip.compress(data, level)
    for size in (1, 7, 100, 65_536):
        stream = iter([compressed[at : at + size] for at in range(0, len(compressed), size)])
        assert (
            b"".join(decoding.pieces("gzip", lambda _, stream=stream: next(stream, b""), make_limits()))
            == data
        )


def test_mutated_submissions_cause_no_error_of_ours(collector: CollectorProcess) -> None:
    statuses = fuzz.run(collector, 0, 2500)
    assert set(statuses) <= {0, 200, 400, 401, 408, 413, 415}
    assert statuses[200] > 100
    assert statuses[400] > 500
    assert collector.metric("collector_parser_errors_total") == 0
    assert not re.search(r"Traceback(?!.*intentional)", collector.log.split("intentional exception")[-1])
