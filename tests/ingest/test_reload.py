"""SIGHUP gives a running collector new worker processes: no submission is lost by it, and the rules stay the same."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.ingest.process import CollectorProcess, read_response, run_collector
from tests.ingest.reports import valid
from tests.waiting import wait_until

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
