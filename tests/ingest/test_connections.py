"""What clients can do to one another over the same collector, below the level of submissions."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers import gthread

from ingest.client import ClientSocket
from ingest.server import CollectorWorker
from tests.gaps import gap
from tests.ingest.process import CHECKOUT, CollectorProcess, CouldNotStart, read_response, run_collector
from tests.ingest.reports import Request, chunked, dump, encode, text, valid
from tests.waiting import wait_until

HEARTBEAT = b"GET /__lbheartbeat__ HTTP/1.1\r\nHost: a\r\n\r\n"
TOO_LARGE = Request(b"the beginning", {"Content-Length": "30000000"}).encode()


@pytest.fixture(scope="module")
def narrow(collector_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """A collector with two threads, of which a submission takes one, and 25 MB for a submission."""
    with run_collector(
        tmp_path_factory.mktemp("narrow"),
        collector_database,
        COLLECTOR_THREADS="2",
        COLLECTOR_REQUESTS="1",
        COLLECTOR_REQUEST_BYTES="26214400",
        COLLECTOR_CLIENT_GRACE="600",
        COLLECTOR_DEDUPLICATE_SECONDS="0",
    ) as running:
        yield running


@pytest.fixture
def few_places(collector_database: str, tmp_path: Path) -> Iterator[CollectorProcess]:
    """A collector that holds eight connections open, and waits long for each."""
    with run_collector(
        tmp_path,
        collector_database,
        COLLECTOR_CLIENT_CONNECTIONS="8",
        COLLECTOR_THREADS="4",
        COLLECTOR_REQUESTS="3",
        COLLECTOR_CLIENT_GRACE="600",
    ) as running:
        yield running


def held(collector: CollectorProcess, clients: list[socket.socket]) -> int:
    """Give to how many of the clients the collector holds a connection."""
    (worker,) = collector.workers()
    ports = {client.getsockname()[1] for client in clients}
    return sum(1 for known in worker.net_connections("tcp") if known.raddr and known.raddr.port in ports)


def opened(
    collector: CollectorProcess, stack: ExitStack, count: int, data: bytes = b""
) -> list[socket.socket]:
    """Open connections that have sent so much."""
    connections = [stack.enter_context(collector.connect()) for _ in range(count)]
    for connection in connections:
        connection.sendall(data)
    return connections


def read_head(connection: socket.socket) -> bytes:
    """Read up to the end of an answer's headers."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        assert piece, data
        data += piece
    return data


class TestThreads:
    def test_clients_that_go_on_sending_what_was_refused_hold_none(self, narrow: CollectorProcess) -> None:
        def others_are_served_beside_them() -> bool:
            with ExitStack() as stack:
                clients = opened(narrow, stack, 8, TOO_LARGE)
                for client in clients:
                    assert read_head(client).startswith(b"HTTP/1.1 413 ")
                assert narrow.get("/__lbheartbeat__").status == 200
                return held(narrow, clients) == 8

        wait_until(
            others_are_served_beside_them
        )  # once all of it fits in the seconds for which they are held

    def test_clients_that_go_on_sending_can_read_why_they_are_refused(self, narrow: CollectorProcess) -> None:
        with narrow.connect() as connection:
            connection.sendall(TOO_LARGE)
            connection.sendall(bytes(2_000_000))
            assert read_response(connection).text == "Discarded=too_large_request"

    @pytest.mark.parametrize("missing_bytes", [50, len(valid().body)])
    def test_submissions_that_hardly_come_give_way_to_others(
        self, collector_database: str, tmp_path: Path, missing_bytes: int
    ) -> None:
        one = {"COLLECTOR_REQUESTS": "1", "COLLECTOR_CLIENT_GRACE": "600"}
        with run_collector(tmp_path, collector_database, **one) as collector, ExitStack() as stack:
            (client,) = opened(collector, stack, 1, valid().encode()[:-missing_bytes])
            wait_until(lambda: collector.metric("collector_requests_begun_total") >= 1)
            wait_until(lambda: collector.send(valid()).status == 200)
            assert read_head(client).startswith(b"HTTP/1.1 408 ")
            wait_until(lambda: collector.metric('collector_turned_away_total{reason="gave_way"}') == 1)
            assert collector.metric("collector_slow_clients_total") == 0

    def test_heads_without_an_end_hold_none(self, narrow: CollectorProcess) -> None:
        endless = b"POST /submit HTTP/1.1\r\n" + b"".join(
            b"X-%d: %b\r\n" % (n, b"x" * 8000) for n in range(20)
        )
        with ExitStack() as stack:
            for client in opened(narrow, stack, 8, endless):
                response = read_response(client)
                assert (response.status, response.text) == (431, "Discarded=malformed_request")

    def test_without_room_for_another_those_that_there_are_do_the_work(
        self, few_places: CollectorProcess
    ) -> None:
        (worker,) = few_places.workers()
        if not hasattr(worker, "rlimit"):
            gap("only Linux changes the limits of another process")
        usual = worker.rlimit(psutil.RLIMIT_AS)
        too_little_for_a_thread = worker.memory_info().vms + 6_000_000
        worker.rlimit(psutil.RLIMIT_AS, (too_little_for_a_thread, usual[1]))
        request = valid().encode()
        with ExitStack() as stack:
            clients = opened(few_places, stack, 3, request[:-50])
            wait_until(lambda: "no room for another thread" in few_places.log)
            for client in clients:  # nobody knows which of them has the thread
                client.sendall(request[-50:])
            for client in clients:
                assert read_response(client).crash_id
        assert few_places.workers() == [worker]

    def test_a_system_without_room_for_one_is_said_at_the_start(self) -> None:
        program = """
import resource
from ingest.server import Threads
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + 1_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
Threads(1000).start_one()
"""
        if not Path("/proc/self/statm").exists():
            gap("only Linux says how much address space a process has")
        ended = subprocess.run(
            [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=False
        )
        assert "ValueError: the system allows this process no thread" in ended.stderr


class TestPlaces:
    def test_clients_that_say_nothing_keep_nobody_out(self, few_places: CollectorProcess) -> None:
        with ExitStack() as stack:
            silent = opened(few_places, stack, 40)
            assert few_places.send(valid()).crash_id
            assert silent[0].recv(1) == b""
            assert held(few_places, silent[-5:]) == 5
        assert "all 8 places for connections are taken" in few_places.log

    def test_nor_do_those_that_never_finish_their_head(self, few_places: CollectorProcess) -> None:
        with ExitStack() as stack:
            opened(few_places, stack, 40, b"POST /submit HTTP/1.1\r\nX-Head")
            assert few_places.send(valid()).crash_id

    def test_nor_those_that_could_ask_for_more(self, few_places: CollectorProcess) -> None:
        with ExitStack() as stack:
            for client in (stack.enter_context(few_places.connect()) for _ in range(40)):
                client.sendall(HEARTBEAT)
                read_head(client)
            assert few_places.send(valid()).crash_id

    def test_nor_those_that_were_refused(self, few_places: CollectorProcess) -> None:
        with ExitStack() as stack:
            for client in (stack.enter_context(few_places.connect()) for _ in range(40)):
                client.sendall(Request(b"x", {"Content-Length": "300000000"}).encode())
                assert read_head(client).startswith(b"HTTP/1.1 413 ")
            assert few_places.send(valid()).crash_id

    def test_however_clients_end_their_places_become_free(self, few_places: CollectorProcess) -> None:
        report = valid().encode()
        beginnings = [
            b"",
            b"GET",
            HEARTBEAT,
            HEARTBEAT * 3 + b"GET",
            report,
            report[:-9],
            chunked(valid()).encode()[:-9],
            Request(b"x", {"Content-Length": "300000000"}).encode(),
            b"no HTTP\r\n\r\n",
            b"X" * 50_000,
        ]
        for beginning in beginnings:
            for ending in ("close", "reset", "half", "read"):
                with few_places.connect() as client:
                    client.sendall(beginning)
                    if ending == "reset":  # closing sends RST. Source: SO_LINGER in socket(7)
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    elif ending != "close":
                        client.shutdown(socket.SHUT_WR)
                    with suppress(ConnectionError):
                        while ending == "read" and client.recv(65536):
                            pass
        (worker,) = few_places.workers()
        wait_until(lambda: all(not known.raddr for known in worker.net_connections("tcp")))
        assert few_places.send(valid(Notes="last")).crash_id

    def test_a_submission_in_hand_keeps_its_place(self, few_places: CollectorProcess) -> None:
        request = valid().encode()
        with ExitStack() as stack:
            (first,) = opened(few_places, stack, 1, request[:-50])
            wait_until(lambda: few_places.metric("collector_requests_begun_total") >= 1)
            opened(few_places, stack, 40)
            assert few_places.get("/__lbheartbeat__").status == 200
            first.sendall(request[-50:])
            assert read_response(first).crash_id

    @pytest.mark.parametrize(
        ("settings", "error"),
        [
            ({"COLLECTOR_CLIENT_CONNECTIONS": "1000000000"}, "COLLECTOR_CLIENT_CONNECTIONS=1000000000 with"),
            ({"COLLECTOR_THREADS": "28"}, "COLLECTOR_REQUESTS=28 is not below COLLECTOR_THREADS=28"),
            (
                {"COLLECTOR_CLIENT_CONNECTIONS": "32"},
                "COLLECTOR_THREADS=32 is not below COLLECTOR_CLIENT_CONN",
            ),
        ],
    )
    def test_numbers_that_do_not_go_together_are_refused_at_the_start(
        self, collector_database: str, tmp_path: Path, settings: dict[str, str], error: str
    ) -> None:
        with (
            pytest.raises(CouldNotStart, match=f"ValueError: {error}"),
            run_collector(tmp_path, collector_database, **settings),
        ):
            pass

    def test_a_system_that_is_out_of_files_ends_nothing_but_new_connections(
        self, few_places: CollectorProcess
    ) -> None:
        (worker,) = few_places.workers()
        if not hasattr(worker, "rlimit"):
            gap("only Linux changes the limits of another process")
        usual = worker.rlimit(psutil.RLIMIT_NOFILE)
        worker.rlimit(psutil.RLIMIT_NOFILE, (worker.num_fds() + 2, usual[1]))
        with ExitStack() as stack:
            opened(few_places, stack, 5)
            wait_until(lambda: "a connection could not be taken" in few_places.log)
        worker.rlimit(psutil.RLIMIT_NOFILE, usual)
        assert few_places.send(valid()).crash_id
        assert few_places.workers() == [worker]

    def test_at_the_end_silent_clients_are_not_waited_for_as_long_as_a_submission(
        self, few_places: CollectorProcess
    ) -> None:
        request = valid().encode()
        with ExitStack() as stack:
            (first,) = opened(few_places, stack, 1, request[:-50])
            (silent,) = opened(few_places, stack, 1)
            wait_until(lambda: few_places.metric("collector_requests_begun_total") >= 1)
            few_places.process.terminate()
            assert silent.recv(1) == b""
            first.sendall(request[-50:])
            assert read_response(first).crash_id


class FullPoller(selectors.DefaultSelector):
    """One that takes no more, as when the system's memory for it is used up. Source: ENOSPC in epoll_ctl(2)."""

    def register(self, *_: object) -> selectors.SelectorKey:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class TestNoRoomToWait:
    @pytest.fixture
    def connection(self) -> Iterator[tuple[CollectorWorker, Any, socket.socket]]:
        """A worker whose poller takes nothing, a connection it has taken, and the client's side of that."""
        config = Config()
        worker = CollectorWorker(1, os.getpid(), [], None, 30, config, Logger(config))
        ours, theirs = socket.socketpair()
        sock = ClientSocket(ours.family, ours.type, ours.proto, fileno=ours.detach())
        theirs.settimeout(30)
        with FullPoller() as worker.poller, sock, theirs:
            worker.nr_conns = 1
            yield worker, gthread.TConn(config, sock, None, None), theirs
        worker.tmp.close()

    def closed(self, worker: CollectorWorker, client: socket.socket) -> bool:
        worker.murder_pending()
        worker.murder_keepalived(force=True)
        return worker.nr_conns == 0 and client.recv(1) == b""

    def test_a_new_connection_is_closed(self, connection: tuple[CollectorWorker, Any, socket.socket]) -> None:
        worker, conn, client = connection
        conn.sock.grace_seconds = 0
        worker.enqueue_req(conn)
        assert self.closed(worker, client)

    @pytest.mark.parametrize("stays", [False, True])
    def test_so_is_one_that_has_its_answer(
        self, connection: tuple[CollectorWorker, Any, socket.socket], stays: bool
    ) -> None:
        worker, conn, client = connection
        conn.init()
        conn.sock.stays = stays
        served: Future[bool] = Future()
        served.set_result(stays)
        worker.finish_request(conn, served)
        assert self.closed(worker, client)


class TestLeave:
    @pytest.fixture
    def pair(self) -> Iterator[tuple[ClientSocket, socket.socket]]:
        ours, theirs = socket.socketpair()
        with ClientSocket(ours.family, ours.type, ours.proto, fileno=ours.detach()) as client, theirs:
            theirs.settimeout(30)
            yield client, theirs

    def test_an_answer_that_is_read_late_keeps_nobody_waiting_and_is_whole(
        self, pair: tuple[ClientSocket, socket.socket]
    ) -> None:
        client, reader = pair
        answer = bytes(range(256)) * 20_000
        for at in range(0, len(answer), 1_000_000):
            client.sendall(answer[at : at + 1_000_000])
        assert client.owes
        received = b""
        while client.take_leave() == selectors.EVENT_WRITE:
            received += reader.recv(1_000_000)
        received += b"".join(iter(lambda: reader.recv(1_000_000), b""))
        assert received == answer

    def test_the_end_is_said_and_then_what_still_comes_is_swallowed_up_to_a_limit(
        self, pair: tuple[ClientSocket, socket.socket]
    ) -> None:
        client, sender = pair
        client.sendall(b"answer")
        swallowed = 0
        while client.take_leave() == selectors.EVENT_READ:
            swallowed += sender.send(bytes(50_000))
        assert sender.recv(100) == b"answer"
        assert sender.recv(100) == b""
        assert 3_500_000 < swallowed < 4_500_000

    def test_what_comes_behind_the_last_request_does_not_take_its_answer_away(
        self, narrow: CollectorProcess
    ) -> None:
        body = encode([text("ProductName", "x"), dump(content=bytes(9000))])
        request = Request(body, {"Content-Length": str(len(body) - 2)}).encode()
        with narrow.connect() as connection:
            connection.sendall(request)
            wait_until(lambda: held(narrow, [connection]) == 0)  # then it may have been reset
            assert b"CrashID=bp-" in b"".join(iter(lambda: connection.recv(65536), b""))

    @pytest.mark.parametrize("ending", ["closed", "half closed", "read to the end"])
    def test_a_client_that_has_ended_is_not_waited_for(
        self, pair: tuple[ClientSocket, socket.socket], ending: str
    ) -> None:
        client, other = pair
        if ending == "closed":
            other.close()
        elif ending == "half closed":
            other.shutdown(socket.SHUT_WR)
        else:
            client.unread = False
        assert client.take_leave() == 0


class TestLeaveToSend:
    def waiting(self, request: Request) -> bytes:
        """Give the head of a request that waits for leave to send its body."""
        request.headers["Expect"] = "100-continue"
        return request.encode().removesuffix(request.body)

    def test_a_body_that_is_too_large_gets_none(self, narrow: CollectorProcess) -> None:
        with narrow.connect() as connection:
            connection.sendall(self.waiting(Request(b"", {"Content-Length": "30000000"})))
            assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")

    def test_nor_does_one_that_nobody_wants(self, narrow: CollectorProcess) -> None:
        head = self.waiting(valid()).replace(b"/submit", b"/elsewhere")
        with narrow.connect() as connection:
            connection.sendall(head)
            assert connection.recv(65536).startswith(b"HTTP/1.1 404 ")

    @pytest.mark.parametrize("make", [valid, lambda: chunked(valid())], ids=["length", "chunks"])
    def test_one_that_is_wanted_gets_it_once(self, narrow: CollectorProcess, make) -> None:
        request = make()
        with narrow.connect() as connection:
            connection.sendall(self.waiting(request))
            assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(request.body[:30])
            connection.sendall(request.body[30:])
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"CrashID=" in answer

    def test_what_is_too_large_is_not_told_to_come_again(self, narrow: CollectorProcess) -> None:
        request = valid().encode()
        with narrow.connect() as other:
            before = narrow.metric("collector_requests_begun_total")
            other.sendall(request[:-50])
            wait_until(lambda: narrow.metric("collector_requests_begun_total") > before)
            assert narrow.send(TOO_LARGE).status == 413
            other.sendall(request[-50:])
            assert read_response(other).crash_id  # and with that its place is free again


class TestChunks:
    def in_chunks(self, body: bytes) -> Request:
        return Request(body, {"Content-Length": None, "Transfer-Encoding": "chunked"})

    def large(self) -> Request:
        return Request(encode([text("ProductName", "x"), dump(content=bytes(range(256)) * 4000)]))

    @pytest.mark.parametrize("chunk_bytes", [600, 65_537, 2_000_000])
    def test_a_large_report_in_chunks_of_many_sizes_is_stored_whole(
        self, narrow: CollectorProcess, chunk_bytes: int
    ) -> None:
        crash_id = narrow.send(chunked(self.large(), chunk_bytes)).crash_id
        with narrow.storage.open_dump(crash_id, "upload_file_minidump") as file:
            assert file.read() == bytes(range(256)) * 4000
        stored = narrow.storage.get_raw_crash(crash_id)
        assert stored["metadata"]["payload_size"] == len(self.large().body)

    @pytest.mark.parametrize("chunk_bytes", [1, 30])
    def test_a_large_report_in_crumbs_is_refused(self, narrow: CollectorProcess, chunk_bytes: int) -> None:
        response = narrow.send(chunked(self.large(), chunk_bytes))
        assert (response.status, response.text) == (400, "Discarded=malformed_invalid_payload_structure")

    def test_what_is_said_beside_the_chunks_is_bounded(self, narrow: CollectorProcess) -> None:
        body = valid().body
        extended = b"".join(b"1;%b\r\n%c\r\n" % (b"x" * 4000, byte) for byte in body) + b"0\r\n\r\n"
        assert narrow.send(self.in_chunks(extended)).status == 400

    def test_extensions_and_trailing_headers_are_ignored_and_the_next_request_is_read(
        self, narrow: CollectorProcess
    ) -> None:
        body = valid().body
        framed = b'%X ;a=b;c="d;e"\r\n%b\r\n000\r\nX-Sum: 1\r\nHost: b\r\n\r\n' % (len(body), body)
        request = self.in_chunks(framed)
        request.headers["Connection"] = "keep-alive"
        last = b"GET /__lbheartbeat__ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        with narrow.connect() as connection:
            connection.sendall(request.encode() * 2 + last)
            answers = b"".join(iter(lambda: connection.recv(65536), b""))
        assert (answers.count(b"HTTP/1.1 200 OK"), answers.count(b"CrashID=")) == (3, 2)

    @pytest.mark.parametrize(
        "framing",
        [b"", b"-1", b"+1", b"0x10", b"1 1", b"g", b"1\n", b"\r", b"1;\x00", b"f" * 16, b"1" * 9000],
        ids=lambda framing: repr(framing[:20]),
    )
    def test_a_size_that_is_none_is_refused(self, narrow: CollectorProcess, framing: bytes) -> None:
        response = narrow.send(self.in_chunks(framing + b"\r\nx\r\n0\r\n\r\n"))
        assert (response.status, response.text) == (400, "Discarded=malformed_invalid_payload_structure")

    def test_a_chunk_longer_than_its_size_is_refused(self, narrow: CollectorProcess) -> None:
        request = chunked(valid(), 100)
        request.body = request.body.replace(b"\r\n64\r\n", b"x\r\n64\r\n", 1)
        assert narrow.send(request).status == 400

    @pytest.mark.parametrize("missing_bytes", [2, 5, 9])
    def test_a_report_is_whole_when_its_client_has_closed_before_the_last_chunk(
        self, narrow: CollectorProcess, missing_bytes: int
    ) -> None:
        with narrow.connect() as connection:
            connection.sendall(chunked(valid()).encode()[:-missing_bytes])
            connection.shutdown(socket.SHUT_WR)
            assert read_response(connection).crash_id

    @pytest.mark.parametrize(
        "coding", ["gzip, chunked", "deflate,chunked", "identity, chunked", "chunked, gzip"]
    )
    def test_another_transfer_coding_is_refused(self, narrow: CollectorProcess, coding: str) -> None:
        request = chunked(valid())
        request.headers["Transfer-Encoding"] = coding
        response = narrow.send(request)
        assert (response.status, response.text) == (400, "Discarded=malformed_request")
