"""The collector's numbers: exact, seen by all its processes at once, kept when one is killed, and bounded."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf, nan
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ingest import numbers
from ingest.metrics import Metrics, Statsd
from ingest.numbers import take_file
from tests.ingest.process import CHECKOUT, run_collector

PREPARE = """
import os, signal, sys
from pathlib import Path
from ingest.metrics import Metrics
metrics = Metrics(folder=Path(sys.argv[1]))
"""
KILL = "os.kill(os.getpid(), signal.SIGKILL)"


@contextmanager
def process(folder: Path, *lines: str) -> Iterator[subprocess.Popen[str]]:
    """Run lines of Python in a process of its own that has ``metrics`` of a folder.

    After a minute it is killed with all that it has forked.
    """
    command = [sys.executable, "-W", "ignore", "-c", PREPARE + "\n".join(lines), str(folder)]
    child = subprocess.Popen(
        command,
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        start_new_session=True,
    )
    watchdog = threading.Timer(60, os.killpg, [child.pid, signal.SIGKILL])
    watchdog.start()
    try:
        yield child
    finally:
        child.communicate()
        watchdog.cancel()


def run(folder: Path, *lines: str) -> int:
    """Run lines of Python to their end; give the exit code."""
    with process(folder, *lines) as child:
        return child.wait()


def samples(metrics: Metrics) -> dict[tuple[str, str], float]:
    """Give what a scrape shows, by name and value of the label (of a bucket its bound besides)."""
    return {
        (sample.name, " ".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
    }


class TestOneProcess:
    def test_the_text_is_the_one_that_prometheus_own_library_gives(self) -> None:
        registry, metrics = CollectorRegistry(), Metrics()
        saved = Counter("collector_saved", "Crashes saved and published.", registry=registry)
        malformed = Counter(
            "collector_malformed", "Submissions that are not understood.", ["reason"], registry=registry
        )
        bounds = (1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8)
        body = Histogram(
            "collector_body_bytes",
            "Size of one body after decompression.",
            ["payload"],
            registry=registry,
            buckets=bounds,
        )
        for reason in ("bad_gzip", "bad_json", "bad_gzip"):
            malformed.labels(reason).inc()
            metrics.count("malformed", reason)
        for value in (0, 1, 9_999.5, 10_000, 10_001, 33_000, 99_999_999, 2e8):
            body.labels("compressed").observe(value)
            metrics.observe("body", value, "compressed")
        saved.inc()
        metrics.count("saved")
        wanted = [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]
        shown = metrics.exposition().decode().splitlines()
        assert [
            line for line in shown if any(f"collector_{n}" in line for n in ("saved", "malformed", "body"))
        ] == [
            *(line for line in wanted if "body" in line),
            *(line for line in wanted if "malformed" in line),
            *(line for line in wanted if "saved" in line),
        ]

    def test_what_has_no_label_is_there_as_zero_from_the_start(self) -> None:
        shown = samples(Metrics())
        assert shown["collector_saved_total", ""] == 0
        assert shown["collector_save_seconds_bucket", "+Inf"] == 0
        assert shown["collector_save_seconds_sum", ""] == 0
        assert "collector_answers" not in Metrics().exposition().decode()

    def test_threads_lose_nothing(self, tmp_path: Path) -> None:
        metrics = Metrics(folder=tmp_path)
        start = threading.Barrier(8)

        def work(number: int) -> None:
            start.wait()
            for label in range(200):
                metrics.count("throttle_rule", f"rule{label}")
                metrics.observe("save", 0.5)

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        shown = samples(metrics)
        assert [shown["collector_throttle_rule_total", f"rule{label}"] for label in range(200)] == [8] * 200
        assert shown["collector_save_seconds_count", ""] == 1600
        assert shown["collector_save_seconds_sum", ""] == 800

    @pytest.mark.parametrize("value", [-1.0, -inf, nan, inf])
    def test_a_wrong_measurement_is_counted_and_spoils_no_sum(self, value: float) -> None:
        metrics = Metrics()
        metrics.observe("save", 0.25)
        metrics.observe("save", value)
        shown = samples(metrics)
        assert shown["collector_save_seconds_sum", ""] == 0.25
        assert shown["collector_save_seconds_count", ""] == 2
        assert shown["collector_save_seconds_bucket", "0.001"] == 1

    @pytest.mark.parametrize(
        "label", ['"', "\\", "\n", "a\r\n# TYPE b counter\nb 1", "\0", "ö 🦊", "\\n", "{}", " "]
    )
    def test_labels_of_any_characters_come_out_as_they_went_in(self, tmp_path: Path, label: str) -> None:
        metrics = Metrics(folder=tmp_path)
        metrics.count("malformed", label)
        metrics.count("malformed", "other")
        assert samples(metrics)["collector_malformed_total", label] == 1
        assert samples(metrics)["collector_malformed_total", "other"] == 1

    def test_labels_that_no_text_can_hold_are_added_up(self, tmp_path: Path) -> None:
        metrics = Metrics(folder=tmp_path)
        metrics.count("malformed", "\ud800")
        metrics.count("malformed", "\udfff")
        assert samples(metrics)["collector_malformed_total", "?"] == 2

    def test_a_name_that_is_not_in_the_list_is_an_error(self) -> None:
        metrics = Metrics()
        with pytest.raises(KeyError):
            metrics.count("unheard_of")
        with pytest.raises(KeyError):
            metrics.count("save")
        with pytest.raises(KeyError):
            metrics.observe("saved", 1)
        with pytest.raises(ValueError, match="'surplus'"):
            metrics.count("saved", "surplus")

    def test_too_many_labels_are_left_out_and_the_log_says_so_once(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        metrics = Metrics(folder=tmp_path)
        metrics.count("saved")
        for label in range(5000):
            metrics.count("throttle_rule", f"rule{label}")
        metrics.observe("body", 10, "compressed")
        metrics.count("saved")
        metrics.count("throttle_rule", "rule1")
        shown = samples(metrics)
        assert shown["collector_saved_total", ""] == 2
        assert shown["collector_throttle_rule_total", "rule1"] == 2
        kept = [label for name, label in shown if name == "collector_throttle_rule_total"]
        assert 1000 < len(kept) < 2048
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "leaves out new labels of collector_throttle_rule" in caplog.text
        assert (tmp_path / "0").stat().st_size == 65_536

    def test_a_label_that_is_too_long_is_left_out_alone(self, tmp_path: Path) -> None:
        metrics = Metrics(folder=tmp_path)
        metrics.count("malformed", "x" * 100_000)
        metrics.count("malformed", "short")
        assert [label for name, label in samples(metrics) if name == "collector_malformed_total"] == ["short"]


class TestStatsd:
    def test_sizes_are_sent_to_the_last_digit_and_times_in_milliseconds(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            receiver.settimeout(30)
            statsd = Statsd(*receiver.getsockname(), host_tag="node1")
            metrics = Metrics(statsd)
            metrics.observe("body", 209_715_201, "compressed")
            metrics.observe("save", 12.3456789)
            received = [receiver.recv(4096).decode() for _ in range(2)]
            statsd.close()
        assert received == [
            "socorro.collector.breakpad_resource.crash_size:209715201|h|#host:node1,payload:compressed",
            "socorro.collector.crashmover.crash_save.time:12345.6789|ms|#host:node1",
        ]

    def test_gunicorn_sends_its_own_numbers_and_a_statsd_that_is_away_fills_no_log(
        self, collector_database: str, tmp_path: Path
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            receiver.settimeout(30)
            settings = {"STATSD_HOST": "127.0.0.1", "STATSD_PORT": str(receiver.getsockname()[1])}
            with run_collector(tmp_path, collector_database, HOST_TAG="node1", **settings) as collector:
                assert collector.get("/__lbheartbeat__").status == 200
                prefix, end, received = "socorro.collector.gunicorn.", "|c|@1.0|#host:node1", ""
                while f"{prefix}request.status.200:1{end}" not in received:
                    received += receiver.recv(4096).decode()
                assert f"{prefix}requests:1{end}" in received
                assert re.search(rf"{prefix}request\.duration:[\d.]+\|ms\|#host:node1", received)
                receiver.close()
                for _ in range(3):
                    assert collector.get("/__lbheartbeat__").status == 200
        assert "statsd" not in collector.log


class TestSeveralProcesses:
    def test_a_number_is_seen_by_the_others_at_once(self, tmp_path: Path) -> None:
        metrics = Metrics(folder=tmp_path)
        metrics.count("saved")
        counting = "for _ in sys.stdin: metrics.count('saved'); print('counted', flush=True)"
        with process(tmp_path, counting) as child:
            assert child.stdin and child.stdout
            for number in range(1, 4):
                child.stdin.write("go on\n")
                assert child.stdout.readline() == "counted\n"
                assert samples(metrics)["collector_saved_total", ""] == 1 + number

    def test_what_a_killed_process_counted_is_kept_and_the_next_one_goes_on_with_its_file(
        self, tmp_path: Path
    ) -> None:
        for number in range(3):
            label = f"metrics.count('malformed', 'reason {number}')"
            assert run(tmp_path, "metrics.count('saved')", label, "metrics.observe('save', 0.5)", KILL) == -9
        shown = samples(Metrics(folder=tmp_path))
        assert shown["collector_saved_total", ""] == 3
        assert shown["collector_save_seconds_sum", ""] == 1.5
        assert [shown["collector_malformed_total", f"reason {number}"] for number in range(3)] == [1, 1, 1]
        assert [path.name for path in tmp_path.iterdir()] == ["0"]
        assert (tmp_path / "0").read_bytes().count(b'["saved"') == 1

    def test_a_process_that_is_forked_counts_for_itself(self, tmp_path: Path) -> None:
        fork_while_a_thread_counts = (
            "metrics.count('saved')",
            "metrics._lock.acquire()",
            "child = os.fork()",
            "child and metrics._lock.release()",
            "for _ in range(1000): metrics.count('saved'); metrics.observe('save', 1)",
            "if child: os.waitpid(child, 0)",
        )
        assert run(tmp_path, *fork_while_a_thread_counts) == 0
        shown = samples(Metrics(folder=tmp_path))
        assert shown["collector_saved_total", ""] == 2001
        assert shown["collector_save_seconds_sum", ""] == 2000
        assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]

    def test_the_file_of_a_living_process_is_not_taken_though_its_forked_children_have_gone(
        self, tmp_path: Path
    ) -> None:
        lines = (
            "metrics.count('saved')",
            "child = os.fork()",
            "metrics.count('saved')",
            "if not child: os._exit(0)",
            "os.waitpid(child, 0)",
            "print('forked', flush=True)",
            "sys.stdin.read()",
        )
        with process(tmp_path, *lines) as child:
            assert child.stdout and child.stdout.readline() == "forked\n"
            metrics = Metrics(folder=tmp_path)
            metrics.count("saved")
            metrics.count("malformed", "x")
            assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]
            assert b"malformed" not in (tmp_path / "0").read_bytes()
            assert samples(metrics)["collector_saved_total", ""] == 4

    def test_two_collectors_count_apart(self, tmp_path: Path) -> None:
        folders = [tmp_path / "first", tmp_path / "second"]
        for folder in folders:
            numbers.start_from_zero(folder)
        both = [Metrics(folder=folder) for folder in folders]
        both[0].count("saved")
        assert [samples(metrics)["collector_saved_total", ""] for metrics in both] == [1, 0]

    def test_a_collector_starts_from_zero_while_processes_of_the_one_before_still_count(
        self, tmp_path: Path
    ) -> None:
        folder = tmp_path / "metrics"
        numbers.start_from_zero(folder)
        before = Metrics(folder=folder)
        before.count("saved")
        numbers.start_from_zero(folder)
        after = Metrics(folder=folder)
        before.count("saved")
        after.count("answers", "200")
        assert samples(after)["collector_saved_total", ""] == 0
        assert samples(after)["collector_answers_total", "200"] == 1

    def test_a_file_that_is_being_made_is_passed_over(self, tmp_path: Path) -> None:
        metrics = Metrics(folder=tmp_path)
        metrics.count("saved")
        (tmp_path / "1").write_bytes(b'["saved","",32,1]\n')
        assert samples(metrics)["collector_saved_total", ""] == 1

    @pytest.mark.parametrize(
        "torn",
        [
            b'["malformed","hal',
            b'["malformed","ha\0\0",33,1]\n',
            b'["malformed","half",33,1]',
            b"[",
            b"\0\0]\n",
        ],
    )
    def test_a_name_during_which_its_process_was_killed_harms_no_other(
        self, tmp_path: Path, torn: bytes
    ) -> None:
        assert run(tmp_path, "metrics.count('saved')", KILL) == -9
        with (tmp_path / "0").open("r+b") as file:
            file.seek(len(file.read().partition(b"\0")[0]))
            file.write(torn)
        assert samples(Metrics(folder=tmp_path))["collector_saved_total", ""] == 1
        count_all = "for label in ('first', 'half', 'last'): metrics.count('malformed', label)"
        assert run(tmp_path, "metrics.count('saved')", count_all, KILL) == -9
        shown = samples(Metrics(folder=tmp_path))
        assert shown["collector_saved_total", ""] == 2
        labels = {
            label: count for (name, label), count in shown.items() if name == "collector_malformed_total"
        }
        assert labels == {"first": 1, "half": 1, "last": 1}

    def test_a_name_that_was_cut_off_where_there_is_no_more_room_is_ended(self, tmp_path: Path) -> None:
        names_bytes = 48 * 1024
        full = take_file(tmp_path)
        for length in range(200, 0, -1):
            while full.place("malformed", f"{full.values[0]:x<{length}}", 1) != numbers.NOWHERE:
                full.values[0] += 1
        known = len(full.sums())
        del full
        content = bytearray((tmp_path / "0").read_bytes())
        assert content[names_bytes - 2 : names_bytes] == b"\n\0"
        content[names_bytes - 2] = ord("{")
        (tmp_path / "0").write_bytes(content)
        again = take_file(tmp_path)
        assert again.place("malformed", "new", 1) == numbers.NOWHERE
        assert len(again.sums()) == known - 1

    def test_a_collector_loads_the_library_before_its_workers_are_made(self, tmp_path: Path) -> None:
        settings = (
            "os.environ['DJANGO_SETTINGS_MODULE'] = 'crashstats.collector_settings'",
            "os.environ |= {'VAR_DIR': sys.argv[1], 'DATABASE_URL': 'postgresql:///x?host=/nowhere'}",
        )
        loaded = "import ingest.wsgi; sys.exit('prometheus_client' not in sys.modules)"
        assert run(tmp_path, *settings, loaded) == 0

    def test_who_only_counts_does_not_load_the_library(self, tmp_path: Path) -> None:
        counted = "import ingest.build; metrics.count('saved'); before = 'prometheus_client' in sys.modules"
        asked = "metrics.exposition(); sys.exit(before or 'prometheus_client' not in sys.modules)"
        settings = "os.environ['DJANGO_SETTINGS_MODULE'] = 'crashstats.collector_settings'"
        assert run(tmp_path, settings, counted, asked) == 0
