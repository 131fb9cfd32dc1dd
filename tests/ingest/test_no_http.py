"""What is no HTTP gets one line of text, and leaves neither an address nor its own words in the log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ingest.process import CollectorProcess, run_collector
from tests.ingest.reports import Request, valid

REQUESTS = {
    "no HTTP at all": (b"\x16\x03\x01SECRET\r\n\r\n", 400),
    "a header without a colon": (b"POST /submit HTTP/1.1\r\nHost: x\r\nSECRET\r\n\r\n", 400),
    "a length that is none": (Request(valid().body, {"Content-Length": "SECRET"}).encode(), 400),
    "an unknown transfer encoding": (Request(valid().body, {"Transfer-Encoding": "SECRET"}).encode(), 400),
    "a long address": (b"POST /" + b"SECRET" * 2000 + b" HTTP/1.1\r\n\r\n", 414),
    "too many headers": (b"POST /submit HTTP/1.1\r\n" + b"SECRET: x\r\n" * 200 + b"\r\n", 431),
    "an expectation": (Request(valid().body, {"Expect": "SECRET"}).encode(), 417),
}


@pytest.fixture(scope="module")
def collector(
    collector_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CollectorProcess]:
    with run_collector(tmp_path_factory.mktemp("no_http"), collector_database) as running:
        yield running


@pytest.mark.parametrize("case", REQUESTS)
def test_it_is_refused_in_one_line(collector: CollectorProcess, case: str) -> None:
    request, status = REQUESTS[case]
    response = collector.send(request)
    assert (response.status, response.text) == (status, "Discarded=malformed_request")
    assert "refused a request that is no HTTP" in collector.log
    for private in ("SECRET", "127.0.0.1:", "=127.0.0.1"):
        assert private not in collector.log.partition("Booting worker")[2]
