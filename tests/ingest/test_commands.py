"""The collector's commands, as people run them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.publisher import Publisher
from ingest.submission import CannotSubmit, Report, encode, load_report
from processing import crashid
from processing.errors import QueueError
from processing.storage import keys
from tests.ingest.process import CHECKOUT, CollectorProcess, run_collector
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def collector(
    collector_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CollectorProcess]:
    with run_collector(tmp_path_factory.mktemp("commands"), collector_database) as running:
        yield running


SAMPLES = "".join(
    f'[[rule]]\nname = "sample_{number}"\nsample = {{ percent = 50, then = "accept", otherwise = "continue" }}\n'
    for number in range(9)
)


@pytest.fixture(scope="module")
def sampling_collector(
    collector_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CollectorProcess]:
    """A collector whose rules are nine samples of a half, and an acceptance of the rest."""
    var = tmp_path_factory.mktemp("samples")
    rules = var / "rules.toml"
    rules.write_text(
        '[fill_in]\nProductName = ["prod"]\n' + SAMPLES + '[[rule]]\nname = "rest"\nresult = "accept"\n'
    )
    with run_collector(var, collector_database, THROTTLE_RULES=str(rules)) as running:
        yield running


def submit(collector: CollectorProcess, *arguments: str) -> list[str]:
    done = collector.manage("submitcrash", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [line.removeprefix("bp-") for line in done.stdout.split()]


@pytest.fixture
def report(tmp_path: Path) -> Path:
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "annotations.json").write_text(
        json.dumps({"ProductName": "WaterWolf", "Version": "1.0", "ü": "é\r\n"})
    )
    (folder / "upload_file_minidump").write_bytes(b"MDMP")
    (folder / "expected.json").write_text("{}")
    return folder


class TestSubmitCrash:
    def test_a_folder_is_sent_and_the_id_printed(self, collector: CollectorProcess, report: Path) -> None:
        (crash_id,) = submit(collector, str(report))
        raw_crash = collector.storage.get_raw_crash(crash_id)
        assert (raw_crash["ProductName"], raw_crash["ü"]) == ("WaterWolf", "é\r\n")
        assert collector.storage.get_dump_names(crash_id) == ["upload_file_minidump"]

    @pytest.mark.parametrize(
        "how", [[], ["--gzip"], ["--chunked"], ["--json"], ["--gzip", "--chunked", "--json"]]
    )
    def test_every_way_of_sending_arrives(
        self, collector: CollectorProcess, report: Path, how: list[str]
    ) -> None:
        crash_ids = submit(
            collector, str(report), "--count", "5", "--concurrency", "2", "--product", "Other", *how
        )
        assert len(set(crash_ids)) == 5
        stored = [collector.storage.get_raw_crash(crash_id) for crash_id in crash_ids]
        assert {crash["ProductName"] for crash in stored} == {"Other"}
        assert {crash["metadata"]["payload_compressed"] for crash in stored} == {
            "1" if "--gzip" in how else "0"
        }

    def test_identical_reports_get_one_id(self, collector: CollectorProcess, report: Path) -> None:
        crash_ids = submit(collector, str(report), "--identical", "--count", "3", "--concurrency", "1")
        assert len(crash_ids) == 3
        assert len(set(crash_ids)) == 1

    def test_files_are_sent_with_further_annotations(self, collector: CollectorProcess, report: Path) -> None:
        (crash_id,) = submit(
            collector,
            *("--annotations", str(report / "annotations.json")),
            *("--dump", f"log={report / 'upload_file_minidump'}"),
            *("--annotation", "Version=2=3"),
        )
        assert collector.storage.get_raw_crash(crash_id)["Version"] == "2=3"
        assert collector.storage.get_dump_names(crash_id) == ["log"]

    def test_every_sample_is_sent(self, collector: CollectorProcess) -> None:
        samples = [path for path in (CHECKOUT / "samples" / "reports").iterdir() if path.is_dir()]
        assert len(submit(collector, "--samples", "--rate", "1000")) == len(samples)

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (["missing-sample"], "missing-sample: neither a folder nor a sample; the samples are"),
            (["--annotation", "x"], "--annotation x: expected NAME=VALUE; nothing was sent"),
            (["--annotations", "/missing.json"], "/missing.json: No such file"),
            (["--url", "http://127.0.0.1:1/submit"], "Is the collector running there?"),
            (["--url", "nonsense"], "not an address such as http://"),
            (["--count", "0"], "expected 1 or more"),
        ],
    )
    def test_what_cannot_be_sent_is_said(
        self, collector: CollectorProcess, arguments: list[str], complaint: str
    ) -> None:
        done = collector.manage("submitcrash", *arguments)
        assert done.returncode != 0
        assert complaint in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_refusal_is_an_error_with_the_collectors_words(
        self, collector: CollectorProcess, report: Path
    ) -> None:
        url = collector.url.replace("/submit", "/elsewhere")
        done = collector.manage("submitcrash", str(report), "--url", url)
        assert done.returncode != 0
        assert "refused with 404" in done.stderr
        assert "1 of 1 reports were not accepted" in done.stderr

    def test_a_folder_that_is_no_report_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(CannotSubmit, match=r"annotations\.json"):
            load_report(tmp_path)
        (tmp_path / "annotations.json").write_text("[1]")
        with pytest.raises(CannotSubmit, match="one JSON object whose values are texts"):
            load_report(tmp_path)

    def test_names_are_encoded_so_that_they_stay_one_name(self) -> None:
        assert b'name="a%22b%0D%0Ac"' in encode(Report({'a"b\r\nc': "x"}, {}), "boundary")


class TestThrottle:
    def test_it_says_which_rule_fires_and_why(self, collector: CollectorProcess, tmp_path: Path) -> None:
        crash = tmp_path / "crash.json"
        crash.write_text(json.dumps({"ProductName": "Firefox", "Comments": "x", "Email": "y"}))
        done = collector.manage("throttle", "--rules", "mozilla", "--file", str(crash))
        assert done.returncode == 0, done.stderr
        assert "has_comments: match, by Comments: accept" in done.stdout
        assert "ACCEPT by has_comments" in done.stdout
        assert "would be removed: Email" in done.stdout

    def test_it_reads_standard_input_and_a_stored_raw_crash(
        self, collector: CollectorProcess, report: Path
    ) -> None:
        (crash_id,) = submit(collector, str(report))
        raw_crash = json.dumps(collector.storage.get_raw_crash(crash_id)).encode()
        done = collector.manage("throttle", "--file", "-", stdin=raw_crash)
        assert "ACCEPT by accept_everything" in done.stdout

    @pytest.mark.parametrize("how", [[], ["--json"]], ids=["form data", "JSON"])
    def test_a_stored_crash_draws_as_it_did_when_it_came(
        self, sampling_collector: CollectorProcess, report: Path, how: list[str]
    ) -> None:
        """By another digest one crash in three would come to the same rule by chance, so four are asked about."""
        annotations = {"prod": "WaterWolf", "url__1": "ab", "url__2": "cd"}
        (report / "annotations.json").write_text(json.dumps(annotations))
        for _ in range(4):
            (report / "upload_file_minidump").write_bytes(os.urandom(8))
            (crash_id,) = submit(sampling_collector, str(report), *how)
            raw_crash = sampling_collector.storage.get_raw_crash(crash_id)
            assert (raw_crash["ProductName"], raw_crash["url"]) == ("WaterWolf", "abcd")
            done = sampling_collector.manage("throttle", "--file", "-", stdin=json.dumps(raw_crash).encode())
            assert f"ACCEPT by {raw_crash['metadata']['throttle_rule']}\n" in done.stdout, done.stderr
            assert "taken for added by the collector: ProductName, url" in done.stdout
            assert "samples may have been drawn otherwise" not in done.stdout

    def test_other_rules_are_tried_on_what_was_sent_not_on_what_the_collector_made_of_it(
        self, sampling_collector: CollectorProcess, report: Path
    ) -> None:
        (report / "annotations.json").write_text(json.dumps({"prod": "Firefox"}))
        (crash_id,) = submit(sampling_collector, str(report))
        raw_crash = sampling_collector.storage.get_raw_crash(crash_id)
        assert raw_crash["ProductName"] == "Firefox"
        text = json.dumps(raw_crash).encode()
        done = sampling_collector.manage("throttle", "--rules", "mozilla", "--file", "-", stdin=text)
        assert "REJECT by unsupported_product" in done.stdout, done.stderr

    def test_a_stored_crash_is_decided_as_on_its_day(self, collector: CollectorProcess) -> None:
        raw_crash = {
            "ProductName": "Firefox",
            "BuildID": "20200101000000",
            "Version": "1",
            "metadata": {
                "collector_notes": ["Removed Email from raw crash.", "Removed a\nb from raw crash."],
                "dump_checksums": {},
            },
            "submitted_timestamp": "2020-01-02T00:00:00+00:00",
        }
        command = ("throttle", "--rules", "mozilla", "--file", "-")
        done = collector.manage(*command, stdin=json.dumps(raw_crash).encode())
        assert "ACCEPT by accept_everything" in done.stdout
        assert "decided as on 2020-01-02, the day it came" in done.stdout
        assert (
            "removed before it was stored, so samples may have been drawn otherwise: Email, 'a\\nb'"
            in done.stdout
        )
        del raw_crash["metadata"]
        done = collector.manage(*command, stdin=json.dumps(raw_crash).encode())
        assert "REJECT by has_old_buildid" in done.stdout
        raw_crash["metadata"] = {"dump_checksums": {}}
        raw_crash["submitted_timestamp"] = "yesterday"
        done = collector.manage(*command, stdin=json.dumps(raw_crash).encode())
        assert "submitted_timestamp is 'yesterday'; expected a time such as" in done.stderr

    def test_it_counts_what_rules_would_have_done_to_a_day(
        self, collector: CollectorProcess, report: Path
    ) -> None:
        submit(collector, str(report), "--annotation", "Email=x")
        crash_id = crashid.create()
        damaged = collector.var / "crashes" / keys.file_folder(crash_id) / f"{crash_id}{keys.UNIT_SUFFIX}"
        damaged.parent.mkdir(parents=True, exist_ok=True)
        damaged.write_bytes(b"")
        done = collector.manage("throttle", "--rules", "mozilla", "--day", f"{datetime.now(UTC):%Y-%m-%d}")
        assert "REJECT by unsupported_product" in done.stdout
        assert " of them lost annotations before they were stored" in done.stdout
        assert "1 more are damaged and were left out" in done.stdout
        damaged.unlink()
        done = collector.manage("throttle", "--day", "today")
        assert "'today' is no day; expected YYYY-MM-DD" in done.stderr

    def test_wrong_rules_and_wrong_files_are_named(self, collector: CollectorProcess, tmp_path: Path) -> None:
        rules = tmp_path / "rules.toml"
        rules.write_text('[[rule]]\nname = "a"\nresult = "keep"')
        done = collector.manage("throttle", "--rules", str(rules))
        assert done.returncode != 0
        assert f"{rules}: rule a: result 'keep'" in done.stderr
        done = collector.manage("throttle", "--file", str(rules))
        assert "expected a JSON object of annotations (invalid_json)" in done.stderr


class TestMover:
    def test_it_empties_the_spool_deletes_old_samples_and_ends_when_asked(
        self, collector: CollectorProcess
    ) -> None:
        sample = collector.var / "collector" / "malformed" / "1000000000-0badcafe.json"
        sample.parent.mkdir(exist_ok=True)
        sample.write_text("{}")
        mover = subprocess.Popen(
            [sys.executable, "manage.py", "runmover", "--interval", "60"],
            cwd=CHECKOUT,
            env=collector.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        spool = collector.var / "collector" / "spool"
        note = spool / "unpublished" / crashid.create()
        note.write_text(json.dumps({"product": "x", "received_at": datetime.now(UTC).isoformat()}))
        wait_until(lambda: not note.exists() and not sample.exists())
        mover.send_signal(signal.SIGTERM)
        output, _ = mover.communicate(timeout=30)
        assert mover.returncode == 0, output
        assert collector.ledger(note.name) == ("x", "queued")


def test_a_publisher_is_polite_to_a_database_that_is_down() -> None:
    publisher = Publisher(
        {"host": "127.0.0.1", "port": "1", "dbname": "x"}, connections=1, timeout_seconds=1, pause_seconds=60
    )
    now = datetime.now(UTC)
    with pytest.raises(QueueError, match="cannot be reached"):
        publisher.publish(crashid.create(), product="x", received_at=now)
    with pytest.raises(QueueError, match="a moment ago"):
        publisher.publish(crashid.create(), product="x", received_at=now)
    with pytest.raises(QueueError):
        publisher.check()
    publisher.close()
