"""What the collector does with clients that are slow, many, large, or send twice; and what it tells operators."""

from __future__ import annotations

import gzip
import json
import math
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from django.conf import settings

from ingest import collector as collector_module
from ingest import malformed
from ingest.admission import Gate, Ticket
from ingest.client import ClientSocket
from ingest.collector import SaveRetries
from ingest.errors import GaveWay, Overloaded
from ingest.limits import Limits
from ingest.malformed import MalformedSamples
from ingest.metrics import METRICS, Statsd
from ingest.payload import CrashReport, parse_payload
from tests.ingest.make_limits import make_limits
from tests.ingest.process import CHECKOUT, CollectorProcess, read_response, run_collector
from tests.ingest.reports import BOUNDARY, Part, Request, chunked, dump, encode, extra, text, valid
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def statsd() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(30)
        yield receiver


@pytest.fixture(scope="module")
def small_collector(
    collector_database: str, statsd: socket.socket, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CollectorProcess]:
    """Takes two submissions at a time, and little of each client's time; remembers reports; allows 110 MB."""
    with run_collector(
        tmp_path_factory.mktemp("small"),
        collector_database,
        COLLECTOR_REQUESTS="2",
        COLLECTOR_CLIENT_GRACE="1",
        COLLECTOR_CLIENT_RATE="1000000",
        COLLECTOR_REQUEST_BYTES=str(110 * 1024 * 1024),
        STATSD_HOST="127.0.0.1",
        STATSD_PORT=str(statsd.getsockname()[1]),
        HOST_TAG="node1",
    ) as running:
        yield running


def drip(connection: socket.socket, data: bytes) -> bytes:
    """Send one byte whenever nothing has come for a short while; give the answer."""
    connection.settimeout(0.02)
    for at in range(len(data)):
        try:
            return connection.recv(65536)
        except TimeoutError:
            connection.sendall(data[at : at + 1])
    raise AssertionError("the collector waited for every byte")


class TestSlowClients:
    def test_a_body_that_drips_is_given_up(self, small_collector: CollectorProcess) -> None:
        head, _, body = valid().encode().partition(b"\r\n\r\n")
        with small_collector.connect() as connection:
            connection.sendall(head + b"\r\n\r\n")
            assert drip(connection, body).startswith(b"HTTP/1.1 408 ")

    def test_chunks_that_drip_are_given_up(self, small_collector: CollectorProcess) -> None:
        head, _, body = chunked(valid()).encode().partition(b"\r\n\r\n")
        with small_collector.connect() as connection:
            connection.sendall(head + b"\r\n\r\n")
            assert drip(connection, body).startswith(b"HTTP/1.1 408 ")

    def test_headers_that_drip_are_given_up_without_an_answer(
        self, small_collector: CollectorProcess
    ) -> None:
        with small_collector.connect() as connection:
            assert drip(connection, b"POST /submit HTTP/1.1\r\n" + b"X-Header: x\r\n" * 50) == b""

    def test_clients_that_never_finish_their_headers_keep_nobody_waiting(
        self, collector_database: str, tmp_path: Path
    ) -> None:
        few = {"COLLECTOR_WORKERS": "1", "COLLECTOR_THREADS": "4", "COLLECTOR_REQUESTS": "3"}
        with (
            run_collector(tmp_path, collector_database, COLLECTOR_CLIENT_GRACE="600", **few) as collector,
            ExitStack() as idle,
        ):
            for number in range(40):
                connection = idle.enter_context(collector.connect())
                connection.sendall(b"POST /submit HTTP/1.1\r\nX-Head" if number % 2 else b"")
            assert collector.send(valid()).crash_id

    def test_headers_that_come_in_two_halves_are_one_request(self, small_collector: CollectorProcess) -> None:
        request = valid(Notes="halves").encode()
        with small_collector.connect() as connection:
            for piece in (request[:30], request[30:60]):
                connection.sendall(piece)
                connection.settimeout(0.05)
                with pytest.raises(TimeoutError):  # no answer yet, and the connection stands
                    connection.recv(1)
            connection.settimeout(30)
            connection.sendall(request[60:])
            assert read_response(connection).crash_id

    def test_half_a_head_behind_a_request_keeps_nobody_waiting(
        self, collector_database: str, tmp_path: Path
    ) -> None:
        few = {"COLLECTOR_WORKERS": "1", "COLLECTOR_THREADS": "4", "COLLECTOR_REQUESTS": "3"}
        first = b"GET /__lbheartbeat__ HTTP/1.1\r\nHost: a\r\n\r\n"
        with (
            run_collector(tmp_path, collector_database, COLLECTOR_CLIENT_GRACE="600", **few) as collector,
            ExitStack() as idle,
        ):
            for _ in range(8):
                connection = idle.enter_context(collector.connect())
                connection.sendall(first + b"G")
                assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
            assert collector.send(valid()).crash_id

    def test_clients_that_read_no_answers_keep_nobody_waiting(
        self, collector_database: str, tmp_path: Path
    ) -> None:
        few = {"COLLECTOR_WORKERS": "1", "COLLECTOR_THREADS": "2", "COLLECTOR_REQUESTS": "1"}
        requests = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 60_000
        with run_collector(tmp_path, collector_database, **few) as collector, ExitStack() as idle:
            for _ in range(2):
                connection = idle.enter_context(collector.connect())
                connection.settimeout(0.2)
                with suppress(TimeoutError, ConnectionError):  # at some time it takes no more
                    connection.sendall(requests)
            assert collector.send(valid()).crash_id

    @pytest.mark.parametrize("path", ["/nope", "/__lbheartbeat__"])
    def test_a_body_that_nobody_wants_ends_the_connection(
        self, collector: CollectorProcess, path: str
    ) -> None:
        head = f"GET {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999\r\n\r\n"
        with collector.connect() as connection:
            connection.sendall(head.encode() + b"x")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert b"Connection: close" in answer

    def test_submissions_sent_without_waiting_for_answers_are_each_taken_once(
        self, collector: CollectorProcess
    ) -> None:
        first, second = (
            Request(valid(Notes=notes).body, {"Connection": "keep-alive"}).encode() for notes in ("1", "2")
        )
        last = b"GET /__lbheartbeat__ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        with collector.connect() as connection:
            connection.sendall(first + second)
            answers = b""
            while answers.count(b"CrashID=") < 2:
                answers += connection.recv(65536)
            connection.sendall(last)
            answers += b"".join(iter(lambda: connection.recv(65536), b""))
        assert (answers.count(b"CrashID="), answers.count(b"HTTP/1.1 ")) == (2, 3)

    @pytest.mark.parametrize("first_bytes", [30, 0])
    def test_many_requests_on_one_connection_are_answered_in_order(
        self, collector: CollectorProcess, first_bytes: int
    ) -> None:
        request = b"GET /__lbheartbeat__ HTTP/1.1\r\nHost: a\r\n\r\n"
        last = b"GET /__version__ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        whole = request * 400 + last
        with collector.connect() as connection:
            if first_bytes:
                connection.sendall(whole[:first_bytes])
                connection.settimeout(0.1)
                with pytest.raises(TimeoutError):  # no answer: the collector has the half, and waits
                    connection.recv(1)
                connection.settimeout(30)
            connection.sendall(whole[first_bytes:])
            answers = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answers.count(b"HTTP/1.1 200 OK") == 401

    def test_long_headers_and_the_next_request_behind_them_are_both_read(
        self, small_collector: CollectorProcess
    ) -> None:
        padding = b"".join(b"X-Padding-%d: %s\r\n" % (number, b"x" * 4000) for number in range(6))
        first = b"GET /__lbheartbeat__ HTTP/1.1\r\nHost: a\r\n" + padding + b"\r\n"
        second = b"GET /__version__ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        with small_collector.connect() as connection:
            connection.sendall(first + second)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.count(b"HTTP/1.1 200 OK") == 2

    def test_a_client_that_keeps_the_pace_is_heard_to_the_end(
        self, small_collector: CollectorProcess
    ) -> None:
        request = Request(encode([text("ProductName", "x"), dump(content=bytes(2_000_000))])).encode()
        with small_collector.connect() as connection:
            for at in range(0, len(request), 100_000):
                connection.sendall(request[at : at + 100_000])
            assert read_response(connection).crash_id


class TestRetries:
    def retries(self) -> SaveRetries:
        return SaveRetries(budget_seconds=1, first_wait_seconds=0.2, pause_seconds=5)

    def test_storage_that_is_up_is_asked_again_within_the_budget(self) -> None:
        assert list(self.retries().attempts()) == [0.0, 0.2, 0.4, 0.8]

    def test_storage_that_is_down_is_not_asked_but_by_one_after_a_pause(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 100.0
        monkeypatch.setattr(collector_module.time, "monotonic", lambda: now)
        retries = self.retries()
        assert next(failing := retries.attempts()) == 0.0
        now += 12  # it hung
        assert list(failing) == []
        assert list(retries.attempts()) == []
        now += 6
        assert next(probe := retries.attempts()) == 0.0
        assert list(retries.attempts()) == []
        assert list(probe) == []
        now += 6
        assert next(retries.attempts()) == 0.0
        retries.succeeded()
        assert next(retries.attempts()) == 0.0
        assert next(retries.attempts()) == 0.0


class Sender:
    """A client that sends at a certain pace."""

    def __init__(self, pace: float = math.inf) -> None:
        self._pace = pace
        self.given_up = False

    def pace(self) -> float:
        return self._pace

    def give_up(self) -> None:
        self.given_up = True


class TestManyClients:
    def test_one_too_many_is_told_when_to_come_back_and_the_heartbeat_goes_on(
        self, collector_database: str, tmp_path: Path
    ) -> None:
        one = {"COLLECTOR_REQUESTS": "1", "COLLECTOR_CLIENT_RATE": "1"}
        with run_collector(tmp_path, collector_database, **one) as collector:
            request = valid().encode()
            with collector.connect() as first:
                first.sendall(request[:-50])
                wait_until(lambda: collector.metric("collector_requests_begun_total") >= 1)
                response = collector.send(valid())
                assert (response.status, response.headers["retry-after"]) == (503, "60")
                assert collector.get("/__heartbeat__").status == 200
                first.sendall(request[-50:])
                assert read_response(first).crash_id
            assert collector.send(valid(Notes="2")).crash_id

    def test_the_gate_counts_requests_and_bytes(self) -> None:
        gate, client = Gate(requests=2, wire_bytes=100, memory_bytes=100, client_rate=1), Sender()
        with gate.enter(60, client):
            with pytest.raises(Overloaded, match="bytes"):
                gate.enter(60, client)
            with gate.enter(30, client) as second:
                with pytest.raises(Overloaded, match="submissions"):
                    gate.enter(0, client)
                second.grow_to(40)
                with pytest.raises(Overloaded, match="bytes"):
                    second.grow_to(41)
                second.hold(100)
                with pytest.raises(Overloaded, match="annotations"):
                    second.hold(1)
        assert (gate.requests, gate.wire_bytes, gate.memory_bytes) == (0, 0, 0)
        with gate.enter(1000, client) as alone:
            alone.grow_to(2000)
        assert not client.given_up

    def test_the_slowest_of_too_many_gives_way_when_it_is_slow(self) -> None:
        gate = Gate(requests=2, wire_bytes=100, memory_bytes=100, client_rate=1)
        slow, slower, newcomer = Sender(7), Sender(6), Sender()
        with gate.enter(60, slow) as first, gate.enter(20, slower) as second:
            second.hold(50)
            with gate.enter(30, newcomer) as third:
                assert (slow.given_up, slower.given_up) == (False, True)
                third.grow_to(30)
                assert (gate.requests, gate.wire_bytes, gate.memory_bytes) == (2, 90, 0)
                third.grow_to(50)
                assert slow.given_up
                assert (gate.requests, gate.wire_bytes) == (1, 50)
                for given_up in (first, second):
                    with pytest.raises(GaveWay):
                        given_up.grow_to(10)
                    with pytest.raises(GaveWay):
                        given_up.hold(10)
        assert (gate.requests, gate.wire_bytes, gate.memory_bytes) == (0, 0, 0)

    def test_large_submissions_leave_room_for_small_ones(self) -> None:
        gate = Gate(requests=4, wire_bytes=100, memory_bytes=100, client_rate=1, small_bytes=20)
        with gate.enter(60, Sender()), gate.enter(40, Sender()), gate.enter(10, Sender()) as small:
            small.grow_to(20)
            with pytest.raises(Overloaded, match="bytes"):
                small.grow_to(21)
            with pytest.raises(Overloaded, match="bytes"):
                gate.enter(21, Sender())
        assert gate.wire_bytes == 0

    def test_nobody_is_given_up_in_vain(self) -> None:
        gate = Gate(requests=4, wire_bytes=100, memory_bytes=100, client_rate=1)
        slow, fast = Sender(1), Sender(8)
        with gate.enter(20, slow) as first, gate.enter(20, slow), gate.enter(50, fast) as third:
            first.hold(30)
            third.hold(60)
            with pytest.raises(Overloaded, match="bytes"):
                gate.enter(60, Sender())
            with gate.enter(10, Sender()) as fourth:
                with pytest.raises(Overloaded, match="annotations"):
                    fourth.hold(50)
                with pytest.raises(Overloaded, match="bytes"):
                    gate.enter(60, Sender())
                with pytest.raises(Overloaded, match="bytes"):
                    fourth.grow_to(60)
            assert not slow.given_up

    def test_what_is_announced_takes_nobodys_room_before_it_comes(self) -> None:
        gate = Gate(requests=3, wire_bytes=100, memory_bytes=100, client_rate=1)
        slow, slower = Sender(7), Sender(6)
        with gate.enter(40, slow), gate.enter(40, slower), gate.enter(90, Sender()) as newcomer:
            newcomer.grow_to(20)
            assert (slow.given_up, slower.given_up, gate.wire_bytes) == (False, False, 100)
            newcomer.grow_to(21)
            assert (slow.given_up, slower.given_up, gate.wire_bytes) == (False, True, 61)
            newcomer.grow_to(90)
            assert (slow.given_up, gate.wire_bytes) == (True, 90)


class TestMemory:
    def test_a_dump_of_100_mb_takes_little_of_it(self, small_collector: CollectorProcess) -> None:
        content = bytes(range(256)) * 400_000
        (worker,) = small_collector.workers()
        small_collector.send(valid(Notes="warm"))
        at_rest = worker.memory_info().rss
        assert at_rest < 60 * 1024 * 1024
        peaks = []
        request = Request(encode([text("ProductName", "x"), dump(content=content)])).encode()
        with small_collector.connect() as connection:
            for at in range(0, len(request), 5_000_000):
                connection.sendall(request[at : at + 5_000_000])
                peaks.append(worker.memory_info().rss)
            crash_id = read_response(connection).crash_id
        peaks.append(worker.memory_info().rss)
        assert max(peaks) - at_rest < 8 * 1024 * 1024
        with small_collector.storage.open_dump(crash_id, "upload_file_minidump") as file:
            assert file.read() == content


class TestDuplicates:
    def test_the_same_report_from_the_same_client_gets_its_first_id(
        self, collector_database: str, tmp_path: Path
    ) -> None:
        report = valid(Notes="lost answer")
        reordered = Request(
            encode(
                [dump(), text("Notes", "lost answer"), text("Version", "1"), text("ProductName", "Firefox")]
            )
        )
        with run_collector(tmp_path, collector_database, COLLECTOR_WORKERS="2") as collector:
            first = collector.send(report).crash_id
            for again in (report, chunked(report), reordered):
                assert [collector.send(again).crash_id for _ in range(4)] == [first] * 4
            assert collector.metric("collector_duplicates_total") == 12
        with run_collector(tmp_path, collector_database) as collector:
            assert collector.send(report).crash_id == first
            assert collector.queued().count(("standard", first)) == 1
            other_agent = Request(report.body, {"User-Agent": "another client"})
            behind_proxy = Request(report.body, {"X-Forwarded-For": "198.51.100.7"})
            other_dump = Request(report.body.replace(b"abcd1234", b"abcd1235"))
            others = [collector.send(request).crash_id for request in (other_agent, behind_proxy, other_dump)]
            assert len({first, *others}) == 4


class TestMetrics:
    def test_statsd_gets_the_fields_names_with_the_host(
        self, small_collector: CollectorProcess, statsd: socket.socket
    ) -> None:
        statsd.setblocking(False)
        while True:  # what earlier tests have sent
            try:
                statsd.recv(4096)
            except BlockingIOError:
                break
        statsd.settimeout(30)
        report = valid(Notes="statsd")
        small_collector.send(report)
        received: set[str] = set()
        while not any("on_post.time" in line for line in received):
            received.add(statsd.recv(4096).decode())
        shapes = {re.sub(r":[\d.e+-]+\|", ":N|", line) for line in received if "gunicorn" not in line}
        resource, mover = "socorro.collector.breakpad_resource", "socorro.collector.crashmover"
        assert {
            f"{resource}.incoming_crash:N|c|#host:node1",
            f"{resource}.throttle_rule:N|c|#host:node1,rule:accept_everything",
            f"{resource}.throttle:N|c|#host:node1,result:accept",
            f"{resource}.crash_size:N|h|#host:node1,payload:uncompressed",
            f"{resource}.on_post.time:N|ms|#host:node1",
            f"{mover}.crash_save.time:N|ms|#host:node1",
            f"{mover}.crash_publish.time:N|ms|#host:node1",
            f"{mover}.crash_handling.time:N|ms|#host:node1",
            f"{mover}.save_crash.count:N|c|#host:node1",
        } == shapes
        assert f"{resource}.crash_size:{len(report.body)}|h|#host:node1,payload:uncompressed" in received

    def test_prometheus_gets_sums_over_all_workers(self, collector_database: str, tmp_path: Path) -> None:
        with run_collector(tmp_path, collector_database, COLLECTOR_WORKERS="3") as collector:
            for number in range(10):
                collector.send(valid(Notes=str(number)))
            collector.send(Request(b"junk"))
            assert [collector.metric("collector_incoming_total") for _ in range(6)] == [10] * 6
            assert collector.metric('collector_malformed_total{reason="invalid_payload_structure"}') == 1
            assert collector.metric('collector_answers_total{status="200"}') == 10
            for worker in collector.workers():
                worker.kill()
            wait_until(lambda: collector.get("/metrics").status == 200)
            assert collector.metric("collector_incoming_total") == 10
            for number in range(10, 20):
                collector.send(valid(Notes=str(number)))
            assert [collector.metric("collector_incoming_total") for _ in range(6)] == [20] * 6
            assert len(list((collector.var / "collector" / "metrics").iterdir())) <= 3

    def test_every_metric_is_documented(self) -> None:
        documentation = (CHECKOUT / "docs" / "collector.md").read_text()
        missing = [metric.name for metric in METRICS if f"`collector_{metric.name}" not in documentation]
        assert missing == []
        assert [metric.statsd for metric in METRICS if metric.statsd not in documentation] == []

    def test_a_statsd_that_is_away_holds_up_nobody(self) -> None:
        statsd = Statsd("127.0.0.1", 9, host_tag="x")
        for _ in range(3):
            statsd.send("a", 1, "c")
        statsd.close()


class TestMalformedSamples:
    def test_a_sample_says_how_it_was_sent_and_leaves_out_files_and_addresses(
        self, collector_database: str, tmp_path: Path
    ) -> None:
        body = encode([text("Notes", "x"), dump(content=b"SECRETDUMP")])[:-10]
        headers = {"X-Forwarded-For": "203.0.113.77", "Authorization": "Bearer secret"}
        with run_collector(tmp_path, collector_database) as collector:
            collector.send(Request(gzip.compress(body), {**headers, "Content-Encoding": "gzip"}))
        (path,) = (tmp_path / "collector" / "malformed").iterdir()
        assert path.stat().st_mode & 0o777 == 0o600
        sample = json.loads(path.read_text())
        assert sample["reason"] == "invalid_payload_structure"
        assert sample["headers"]["Content-Encoding"] == "gzip"
        assert 'name="Notes"' in sample["body_starts"]
        for private in ("SECRETDUMP", "203.0.113.77", "Bearer"):
            assert private not in path.read_text()

    def test_old_and_surplus_samples_go(self, tmp_path: Path) -> None:
        samples = MalformedSamples(tmp_path, keep_files=3)
        (tmp_path / "1000000000-old.json").write_text("{}")
        for number in range(5):
            (tmp_path / f"99999999{number}0-new.json").write_text("{}")
        samples.keep("junk", {}, b"")
        assert len(list(tmp_path.iterdir())) == 3
        assert not (tmp_path / "1000000000-old.json").exists()

    def test_a_flood_leaves_one_sample_a_second(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 100.0
        monkeypatch.setattr(malformed.time, "monotonic", lambda: now)
        samples = MalformedSamples(tmp_path)
        for seconds, kept in ((0.0, 1), (0.9, 1), (1.0, 2)):
            now = 100.0 + seconds
            for _ in range(100):
                samples.keep("junk", {}, b"x")
            assert len(list(tmp_path.iterdir())) == kept


def test_json_may_say_anything_about_the_product(collector: CollectorProcess) -> None:
    """The ledger wants text without NUL or halves of pairs; reports are not so choosy."""
    for product in ("a\0b", "\ud800", "x" * 10_000, None, {"a": 1}, ""):
        crash_id = collector.send(Request(encode([extra({"ProductName": product, "n": "1"})]))).crash_id
        assert collector.ledger(crash_id)
        assert collector.storage.get_raw_crash(crash_id)["ProductName"] == product


class TestClientSocket:
    @pytest.fixture
    def pair(self) -> Iterator[tuple[ClientSocket, socket.socket]]:
        ours, theirs = socket.socketpair()
        with ClientSocket(ours.family, ours.type, ours.proto, fileno=ours.detach()) as client, theirs:
            yield client, theirs

    def test_who_was_fast_may_not_be_silent_for_longer_than_others(
        self, pair: tuple[ClientSocket, socket.socket]
    ) -> None:
        client, sender = pair
        client.grace_seconds, client.minimum_rate = 0.05, 1
        client.start_request()
        sender.sendall(b"x" * 1000)
        assert client.recv(2000) == b"x" * 1000
        assert client.recv(2000) == b""
        assert client.timed_out

    def test_a_new_request_has_its_own_time(self, pair: tuple[ClientSocket, socket.socket]) -> None:
        client, sender = pair
        client.grace_seconds = 0.01
        client.start_request()
        assert client.recv(10) == b""
        client.start_request()
        sender.sendall(b"next")
        assert client.recv(10) == b"next"

    def test_a_buffer_is_filled_from_the_head_and_from_however_many_packets(
        self, pair: tuple[ClientSocket, socket.socket]
    ) -> None:
        client, sender = pair
        sender.sendall(b"head\r\n\r\nbo")
        assert client.head_has_come()
        client.start_request()
        buffer = bytearray(18)
        filling = threading.Thread(target=lambda: lengths.append(client.fill(memoryview(buffer))))
        lengths: list[int] = []
        filling.start()
        for piece in (b"d", b"y of 12"):
            sender.sendall(piece)
        filling.join(30)
        assert (bytes(buffer), lengths) == (b"head\r\n\r\nbody of 12", [18])

    @pytest.mark.parametrize("end", ["closed", "silent"])
    def test_a_buffer_that_is_not_filled_says_how_far_it_is(
        self, pair: tuple[ClientSocket, socket.socket], end: str
    ) -> None:
        client, sender = pair
        client.grace_seconds = 0.05
        client.start_request()
        sender.sendall(b"half")
        if end == "closed":
            sender.close()
        buffer = bytearray(8)
        assert client.fill(memoryview(buffer)) == 4
        assert client.timed_out is (end == "silent")
        assert client.fill(memoryview(buffer)) == 0

    def test_closing_twice_is_closing_once(self, pair: tuple[ClientSocket, socket.socket]) -> None:
        client, _ = pair
        client.close()
        client.setblocking(True)
        client.close()


def test_a_statsd_host_that_nobody_knows_keeps_nobody_from_starting(
    collector_database: str, tmp_path: Path
) -> None:
    with run_collector(tmp_path, collector_database, STATSD_HOST="nowhere.invalid") as collector:
        assert collector.send(valid()).crash_id
        assert "STATSD_HOST='nowhere.invalid' is not known" in collector.log


def test_what_large_annotations_take_of_memory_is_bounded(uploads: Path) -> None:
    gate = Gate(requests=2, wire_bytes=100_000_000, memory_bytes=40_000_000, client_rate=1)
    body = encode([text("Notes", "x" * 9_000_000), dump(content=bytes(5_000_000))])

    def parse(ticket: Ticket) -> None:
        with CrashReport() as report:
            parse_payload(iter([body]), BOUNDARY.encode(), report, make_limits(), uploads, ticket.hold)
            assert report.is_large

    with gate.enter(1000, Sender()) as first, gate.enter(1000, Sender()) as second:
        parse(first)
        assert 30_000_000 < gate.memory_bytes < 36_000_000
        with pytest.raises(Overloaded, match="large annotations"):
            parse(second)
    assert (gate.wire_bytes, gate.memory_bytes) == (0, 0)


@pytest.mark.parametrize(
    "parts",
    [
        [text("🦊" + "n" * 8000 + str(number), "") for number in range(1500)],
        [extra({str(number): [[], {}] for number in range(8000)})],
    ],
    ids=["long names", "many small values"],
)
def test_what_takes_memory_beside_the_values_of_annotations_is_counted(
    parts: list[Part | bytes], uploads: Path
) -> None:
    held: list[int] = []
    with CrashReport() as report:
        body = encode(parts)
        parse_payload(iter([body]), BOUNDARY.encode(), report, make_limits(), uploads, held.append)
        assert report.is_large
    assert sum(held) > 5_000_000


def test_how_much_a_submission_may_be_is_said_by_the_settings_alone() -> None:
    without_default = {field.name for field in fields(Limits) if field.default is MISSING}
    assert without_default == settings.COLLECTOR["limits"].keys()
