"""SIGHUP gives a running collector new worker processes: no submission is lost by it, and the rules stay the same."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import psutil

from ingest.server import MethodQueue
from tests.ingest.process import CollectorProcess, read_response, run_collector
from tests.ingest.reports import Request, dump, encode, text, valid
from tests.waiting import wait_until

PATIENT = {"COLLECTOR_CLIENT_GRACE": "600"}
RULE = '[[rule]]\nname = "{}"\nresult = "reject"\n'


def answer(collector: CollectorProcess) -> str:
    return collector.send(valid()).text


def pids(collector: CollectorProcess) -> set[int]:
    return {worker.pid for worker in collector.workers()}


def test_submissions_in_hand_are_finished_by_the_old_workers(collector_database: str, tmp_path: Path) -> None:
    with run_collector(tmp_path, collector_database) as collector, collector.connect() as connection:
        request = valid().encode()
        connection.sendall(request[:-100])
        wait_until(lambda: collector.metric("collector_requests_begun_total") >= 1)
        old = pids(collector)
        collector.process.send_signal(signal.SIGHUP)
        wait_until(lambda: pids(collector) - old)
        assert collector.send(valid(Notes="new worker")).crash_id
        connection.sendall(request[-100:])
        assert collector.storage.get_raw_crash(read_response(connection).crash_id)
        wait_until(lambda: not pids(collector) & old)


def test_old_workers_have_longer_for_that_than_a_collector_that_ends(
    collector_database: str, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 6_000
    small = [valid(Notes=str(number)).encode() for number in range(10)]
    large = [
        Request(encode([text("Notes", str(number)), dump(content=content)])).encode() for number in range(9)
    ]
    settings = {**PATIENT, "GUNICORN_CMD_ARGS": "--graceful-timeout=1"}
    with run_collector(tmp_path, collector_database, **settings) as collector, ExitStack() as stack:
        to_small = [(stack.enter_context(collector.connect()), request) for request in small]
        to_large = [(stack.enter_context(collector.connect()), request) for request in large]
        for connection, request in to_small + to_large:
            connection.sendall(request[:500])
        kept = stack.enter_context(collector.connect())
        kept.sendall(b"GET /__lbheartbeat__ HTTP/1.1\r\nHost: a\r\n\r\n")
        assert kept.recv(65536).startswith(b"HTTP/1.1 200 OK")
        wait_until(lambda: collector.metric("collector_requests_begun_total") == 19)
        old = pids(collector)
        collector.process.send_signal(signal.SIGHUP)
        assert kept.recv(1) == b""  # two seconds later, or when the old worker has given up waiting
        for connection, request in to_large:
            connection.sendall(request[500:1_300_000])
        wait_until(lambda: len(collector.uploads()) == 9)
        for connection, request in to_small:
            connection.sendall(request[500:])
            assert collector.storage.get_raw_crash(read_response(connection).crash_id)
        for connection, request in to_large:
            connection.sendall(request[1_300_000:])
            crash_id = read_response(connection).crash_id
            with collector.storage.open_dump(crash_id, "upload_file_minidump") as file:
                assert file.read() == content
        wait_until(lambda: not pids(collector) & old)


def test_what_does_not_come_in_that_time_is_given_up(collector_database: str, tmp_path: Path) -> None:
    settings = {**PATIENT, "GUNICORN_CMD_ARGS": "--graceful-timeout=0"}
    with (
        run_collector(tmp_path, collector_database, **settings) as collector,
        collector.connect() as connection,
    ):
        connection.sendall(valid().encode()[:-100])
        wait_until(lambda: collector.metric("collector_requests_begun_total") == 1)
        old = pids(collector)
        collector.process.send_signal(signal.SIGHUP)
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
        wait_until(lambda: not pids(collector) & old)
        assert collector.send(valid()).crash_id


def test_workers_whose_collector_was_killed_leave_its_address_and_finish(
    collector_database: str, tmp_path: Path
) -> None:
    with (
        run_collector(tmp_path, collector_database, **PATIENT) as collector,
        collector.connect() as connection,
    ):
        request = valid().encode()
        connection.sendall(request[:-100])
        wait_until(lambda: collector.metric("collector_requests_begun_total") == 1)
        (worker,) = collector.workers()
        collector.process.kill()
        wait_until(lambda: not listens(worker))
        connection.sendall(request[-100:])
        assert collector.storage.get_raw_crash(read_response(connection).crash_id)


def listens(process: psutil.Process) -> bool:
    return any(known.status == psutil.CONN_LISTEN for known in process.net_connections("tcp"))


def test_threads_that_are_still_at_work_write_to_nothing_but_their_own_pipe() -> None:
    queue = MethodQueue()
    queue.init()
    queue.close()
    queue.defer(lambda: None)
    assert os.read(queue.fileno(), 10) == b"\0"


def test_new_workers_decide_as_the_old_ones_did_while_the_rules_are_wrong(
    collector_database: str, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULE.format("of_the_start"))
    with run_collector(tmp_path, collector_database, THROTTLE_RULES=str(rules)) as collector:
        assert answer(collector) == "Discarded=rule_of_the_start"
        rules.write_text(RULE.format("changed"))
        wait_until(lambda: answer(collector) == "Discarded=rule_changed")
        rules.write_text("broken")
        wait_until(lambda: answer(collector) and "the changed file is not used" in collector.log)
        old = pids(collector)
        collector.process.send_signal(signal.SIGHUP)
        wait_until(lambda: pids(collector) and not pids(collector) & old)
        log = collector.log
        wait_until(
            lambda: answer(collector) and collector.log.count("is not used") > log.count("is not used")
        )
        assert answer(collector) == "Discarded=rule_changed"
