from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Hashable
from itertools import chain
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from ingest import decoding
from ingest.errors import MalformedPayload
from tests.ingest import fuzz
from tests.ingest.guided import Explorer, Finding, Trail
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


@given(body=bodies, cuts=st.lists(st.integers(1, 40), min_size=1, max_size=30))
@settings(max_examples=800, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_body_means_the_same_however_it_arrives(uploads: Path, body: bytes, cuts: list[int]) -> None:
    pieces, at = [], 0
    while at < len(body):
        size = cuts[len(pieces) % len(cuts)]
        pieces.append(body[at : at + size])
        at += size
    boundary = BOUNDARY.encode()
    whole = fuzz.parse(iter([body] if body else []), boundary, SMALL, uploads)
    assert fuzz.parse(iter(pieces), boundary, SMALL, uploads) == whole


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


@pytest.fixture(scope="module")
def exploration(tmp_path_factory: pytest.TempPathFactory) -> Explorer[fuzz.Submission]:
    """1,000 submissions that were tried out in process without a finding."""
    examiner = fuzz.Examiner(tmp_path_factory.mktemp("spool"))
    found = fuzz.explorer(examiner, number=1)
    found.explore(1000)
    return found


def test_the_exploration_gets_around(exploration: Explorer[fuzz.Submission]) -> None:
    outcomes = {done for done in exploration.seen if isinstance(done, str)}
    assert "accepted" in outcomes
    assert len(outcomes) > 10
    assert len(exploration.kept) > 2 * len(fuzz.submissions())


def test_mutated_submissions_cause_no_error_of_ours(
    collector: CollectorProcess, exploration: Explorer[fuzz.Submission]
) -> None:
    harm = fuzz.harm(collector, chain(fuzz.kept_requests(exploration), fuzz.mutated_requests(0, 2500)))
    assert harm.is_none(), str(harm)
    statuses = harm.statuses
    assert set(statuses) <= {0, 200, 400, 401, 408, 413, 415}
    assert statuses[200] > 100
    assert statuses[400] > 500
    assert not re.search(r"Traceback(?!.*intentional)", collector.log.split("intentional exception")[-1])


def test_unforeseen_errors_and_growth_are_harm() -> None:
    assert fuzz.Harm(Counter(), unforeseen_errors=0, grown_bytes=15_000_000).is_none()
    assert not fuzz.Harm(Counter(), unforeseen_errors=1, grown_bytes=0).is_none()
    assert not fuzz.Harm(Counter(), unforeseen_errors=0, grown_bytes=40_000_000).is_none()


class TestExplorer:
    @staticmethod
    def _crash_on_magic(data: bytes) -> None:
        if data[:1] != b"M":
            return
        if data[1:2] != b"D":
            return
        if data[2:3] != b"M":
            return
        if data[3:4] == b"P":
            raise ZeroDivisionError

    def _run(self, data: bytes) -> set[Hashable]:
        with Trail({__file__}) as trail:
            self._crash_on_magic(data)
        return trail.ways()

    @staticmethod
    def _change(data: bytes, other: bytes, dice: random.Random) -> bytes:
        at = dice.randrange(len(data))
        return data[:at] + dice.randbytes(1) + data[at + 1 :]

    @staticmethod
    def _smaller(data: bytes) -> list[bytes]:
        return [data[:-1]] if data else []

    def test_it_goes_where_only_step_by_step_leads_and_gives_the_smallest_such_input(self) -> None:
        exploration = Explorer(self._run, self._change, self._smaller, random.Random(1))
        exploration.try_out(b"????????")
        with pytest.raises(Finding, match=r"b'MDMP'$") as caught:
            exploration.explore(50_000)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)

    def test_watching_leaves_other_watchers_alone(self) -> None:
        before = sys.gettrace()
        with Trail({__file__}) as trail:
            self._crash_on_magic(b"M")
        assert trail.steps > 1
        assert sys.gettrace() is before

    def test_a_submission_that_breaks_a_promise_is_found(self, tmp_path: Path) -> None:
        (tmp_path / "left behind").touch()
        with pytest.raises(AssertionError, match="left in the spool"):
            fuzz.Examiner(tmp_path)(fuzz.submissions()[0])
