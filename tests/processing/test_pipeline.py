"""Rulesets over whole crashes: real samples, rules that fail, reprocessing."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from processing import pipeline, rulesets
from processing.pipeline import NothingToBuildOn, Ruleset
from processing.rules.base import Context, Rule
from processing.schema import registry
from processing.schema.annotations import ANNOTATIONS
from processing.schema.redact import redact_processed
from processing.stackwalker.runner import StackwalkerMissing
from tests import minidumps

CRASH_ID = "0b1ec0de-7a11-4f00-8a5e-1c3f50261122"
SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "reports"
METADATA = {
    "submitted_timestamp": "2026-11-22T10:00:00+00:00",
    "uuid": CRASH_ID,
    "version": 2,
    "metadata": {},
}


class WriteRule(Rule):
    def action(self, ctx: Context) -> None:
        ctx.processed_crash["product"] = ctx.raw_crash["ProductName"]


class FailingRule(Rule):
    def action(self, ctx: Context) -> None:
        raise ValueError(f"s3cr3t {ctx.raw_crash}")


class FailingPredicateRule(FailingRule):
    def predicate(self, ctx: Context) -> bool:
        raise LookupError("s3cr3t")


class NeverRule(FailingRule):
    def predicate(self, ctx: Context) -> bool:
        return False


def small_ruleset(*rules: Rule, starts_clean: bool = True, time_limit_seconds: float = 60) -> Ruleset:
    return Ruleset("small", rules, starts_clean, "1.2.3", time_limit_seconds)


def context(
    tmp_path: Path, raw_crash: Mapping[str, Any], earlier: Mapping[str, Any] | None = None, **dumps: Path
) -> Context:
    workdir = tmp_path / "work"
    workdir.mkdir(exist_ok=True)
    return Context(CRASH_ID, dict(raw_crash), dumps, dict(earlier or {}), workdir)


def run(ruleset: Ruleset, ctx: Context) -> dict[str, Any]:
    pipeline.run(ruleset, ctx)
    return ctx.processed_crash


@pytest.fixture
def default() -> Iterator[Ruleset]:
    """The default ruleset, as a worker builds it."""
    yield rulesets.build_ruleset("default")


def test_rules_run_in_order_and_the_run_is_recorded(tmp_path: Path):
    crash = run(small_ruleset(WriteRule(), NeverRule()), context(tmp_path, {"ProductName": "WaterWolf"}))
    assert crash["product"] == "WaterWolf"
    assert crash["success"] is True
    assert crash["failed_rules"] == []
    assert (crash["ruleset"], crash["processor_version"]) == ("small", "1.2.3")
    assert crash["started_datetime"] <= crash["completed_datetime"]
    assert crash["processor_notes"].startswith(f">>> Start processing: {crash['started_datetime']} (")
    assert crash["signature"] == "EMPTY: crash failed to process"


def test_a_failing_rule_stops_nobody_and_tells_nothing_of_the_crash(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.DEBUG):
        crash = run(
            small_ruleset(FailingRule(), FailingPredicateRule(), WriteRule()),
            context(tmp_path, {"ProductName": "s3cr3t product"}),
        )
    assert crash["product"] == "s3cr3t product"
    assert crash["failed_rules"] == ["FailingRule", "FailingPredicateRule"]
    assert crash["processor_notes"].splitlines()[1:] == [
        f"ruleset 'small' rule '{__name__}.FailingRule' failed: ValueError",
        f"ruleset 'small' rule '{__name__}.FailingPredicateRule' failed: LookupError",
    ]
    assert "s3cr3t" not in caplog.text
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [CRASH_ID, CRASH_ID]
    assert "test_pipeline.py:" in caplog.text


def test_rules_that_would_start_too_late_are_left_out(tmp_path: Path):
    crash = run(
        small_ruleset(WriteRule(), time_limit_seconds=-1), context(tmp_path, {"ProductName": "WaterWolf"})
    )
    assert "product" not in crash
    assert crash["success"] is False
    assert "time limit" in crash["processor_notes"]


def test_notes_of_earlier_processings_become_history(tmp_path: Path):
    earlier = {"processor_notes": "second", "processor_history": ["first"]}
    crash = run(small_ruleset(), context(tmp_path, {}, earlier))
    assert crash["processor_history"] == ["second", "first"]
    assert "second" not in crash["processor_notes"]


def test_history_is_bounded(tmp_path: Path):
    earlier = {"processor_notes": "last", "processor_history": [str(number) for number in range(200)]}
    crash = run(small_ruleset(), context(tmp_path, {}, earlier))
    assert crash["processor_history"] == [
        "last",
        *(str(number) for number in range(pipeline.MAX_HISTORY - 1)),
    ]


def test_a_clean_start_keeps_nothing_else_of_the_earlier_document(tmp_path: Path):
    earlier = {
        "json_dump": {"old": 1},
        "signature": "old",
        "failed_rules": ["Old"],
        "ipc_channel_error": "old",
    }
    crash = run(small_ruleset(), context(tmp_path, {}, earlier))
    assert "json_dump" not in crash
    assert "ipc_channel_error" not in crash
    assert crash["signature"] == "EMPTY: crash failed to process"
    assert crash["failed_rules"] == []


def test_a_partial_ruleset_keeps_the_earlier_document(tmp_path: Path):
    earlier = {"json_dump": {"old": 1}, "signature": "old"}
    crash = run(small_ruleset(starts_clean=False), context(tmp_path, {}, earlier))
    assert (crash["json_dump"], crash["signature"]) == ({"old": 1}, "old")


def test_a_partial_ruleset_refuses_to_start_from_nothing(tmp_path: Path):
    ctx = context(tmp_path, {})
    with pytest.raises(NothingToBuildOn, match=CRASH_ID):
        pipeline.run(small_ruleset(starts_clean=False), ctx)
    assert ctx.processed_crash == {}
    assert ctx.notes == []


def test_an_unknown_ruleset_is_refused():
    with pytest.raises(rulesets.UnknownRuleset, match="'nonsense' does not exist; use one of default"):
        rulesets.build_ruleset("nonsense")


def test_every_ruleset_can_be_built_and_is_built_once():
    for name in rulesets.RULESETS:
        built = rulesets.build_ruleset(name)
        assert built.name == name
        assert built is rulesets.build_ruleset(name)


def test_no_rule_runs_twice_in_a_ruleset():
    for paths in rulesets.RULESETS.values():
        assert len(set(paths)) == len(paths)


def test_without_a_stackwalker_no_worker_starts(settings: Any, tmp_path: Path):
    settings.STACKWALKER = {**settings.STACKWALKER, "path": tmp_path / "nothing-here"}
    with pytest.raises(StackwalkerMissing):
        rulesets.build_ruleset.__wrapped__("default")


def test_the_version_of_a_release_is_recorded(settings: Any, tmp_path: Path):
    settings.VERSION_FILE = tmp_path / "version.json"
    assert rulesets.build_ruleset.__wrapped__("regenerate_signature").processor_version == "development"
    settings.VERSION_FILE.write_text('{"version": "v1.2", "commit": "0123456789abcdef0123"}')
    assert rulesets.build_ruleset.__wrapped__("regenerate_signature").processor_version == "v1.2 0123456789ab"
    settings.VERSION_FILE.write_text("[]")
    assert rulesets.build_ruleset.__wrapped__("regenerate_signature").processor_version == "unknown"


def sample(tmp_path: Path, name: str) -> Context:
    folder = SAMPLES / name
    raw_crash = json.loads((folder / "annotations.json").read_text()) | METADATA
    dumps = {path.name: path for path in folder.iterdir() if path.suffix != ".json"}
    return context(tmp_path, raw_crash, **dumps)


SAMPLE_NAMES = sorted(path.name for path in SAMPLES.iterdir())


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_samples_are_processed_without_a_failing_rule(default: Ruleset, tmp_path: Path, name: str):
    ctx = sample(tmp_path, name)
    crash = run(default, ctx)
    expected = json.loads((SAMPLES / name / "expected.json").read_text())
    assert crash["failed_rules"] == []
    assert crash["uuid"] == CRASH_ID
    assert crash["product"] == ctx.raw_crash["ProductName"]
    assert crash.get("crashing_thread") == expected["crashing_thread"]
    assert (crash.get("reason") or None) == expected["reason"]
    assert not crash["signature"].startswith("EMPTY: crash failed")
    if expected["frame"] is not None:
        frame = crash["json_dump"]["threads"][expected["crashing_thread"]]["frames"][expected["frame"]]
        assert (frame["function"], frame["file"], frame["line"]) == tuple(
            expected[key] for key in ("function", "file", "line")
        )


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_every_field_of_a_processed_sample_is_in_the_schema(default: Ruleset, tmp_path: Path, name: str):
    crash = run(default, sample(tmp_path, name))
    known = {row.name for row in registry.FIELDS}
    assert set(crash) <= known
    json.dumps(crash, allow_nan=False).encode()


#: Protected annotations whose text may show elsewhere: a harmless assertion, and a word that names a dump.
SHOWN_ELSEWHERE = {"MozCrashReason", "additional_minidumps"}


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_the_public_sees_no_protected_annotation_of_a_sample(default: Ruleset, tmp_path: Path, name: str):
    ctx = sample(tmp_path, name)
    public = {key for key, row in ANNOTATIONS.items() if row.permission == "public"}
    private = {
        value
        for key, value in ctx.raw_crash.items()
        if key not in public | SHOWN_ELSEWHERE and isinstance(value, str)
    }
    shown = json.dumps(redact_processed(run(default, ctx), {"public"}), ensure_ascii=False)
    assert [value for value in private if value in shown] == []
    assert "jo.sample@mail.example" not in shown  # stands inside the texts of the Java report


def test_a_second_dump_is_walked_too(default: Ruleset, tmp_path: Path):
    crash = run(default, sample(tmp_path, "waterwolf-inlined-templates"))
    assert crash["additional_minidumps"] == ["upload_file_minidump_browser"]
    assert crash["upload_file_minidump_browser"]["mdsw_status_string"] == "OK"
    assert crash["upload_file_minidump_browser"]["json_dump"]["threads"]


def test_processing_twice_gives_the_same_but_for_times_and_history(default: Ruleset, tmp_path: Path):
    first = dict(run(default, sample(tmp_path, "waterwolf-null-read")))
    again = sample(tmp_path, "waterwolf-null-read")
    again.processed_crash = {**first, "memory_report_error": "left over"}
    second = run(default, again)
    changing = {
        "started_datetime",
        "completed_datetime",
        "processor_notes",
        "processor_history",
        "stackwalker_seconds",
    }
    assert {key: value for key, value in second.items() if key not in changing} == {
        key: value for key, value in first.items() if key not in changing
    }
    assert second["processor_history"] == [first["processor_notes"]]


def test_a_signature_is_regenerated_from_the_document_alone(default: Ruleset, tmp_path: Path):
    crash = dict(run(default, sample(tmp_path, "waterwolf-null-read")))
    good = crash["signature"]
    crash["signature"] = "made by old lists"
    again = run(rulesets.build_ruleset("regenerate_signature"), context(tmp_path, {}, crash))
    assert again["signature"] == good
    assert again["json_dump"] == crash["json_dump"]
    assert again["ruleset"] == "regenerate_signature"


def test_a_hang_at_shutdown_describes_the_main_thread_everywhere(default: Ruleset, tmp_path: Path):
    crash = dict(run(default, sample(tmp_path, "waterwolf-second-thread")))
    watchdog = crash["crashing_thread"]
    assert watchdog != 0
    crash["json_dump"]["threads"][watchdog]["frames"].insert(
        0, {"frame": 0, "function": "mozilla::RunWatchdog(void*)"}
    )
    again = run(rulesets.build_ruleset("regenerate_signature"), context(tmp_path, {}, crash))
    assert again["signature"].startswith("shutdownhang")
    assert again["crashing_thread"] == 0
    assert again["crashing_thread_name"] == crash["json_dump"]["threads"][0]["thread_name"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"garbage" * 1000, "HeaderMismatch"),
        (b"", "EmptyMinidump"),
        (minidumps.Minidump(padding=30 * 1024**2).build(), "OK"),
    ],
)
def test_odd_dumps_are_processed_with_a_clear_status(
    default: Ruleset, tmp_path: Path, content: bytes, status: str
):
    dump = tmp_path / "odd.dump"
    dump.write_bytes(content)
    crash = run(
        default, context(tmp_path, {"ProductName": "WaterWolf"} | METADATA, upload_file_minidump=dump)
    )
    assert crash["success"] is True
    assert crash["failed_rules"] == []
    assert crash["mdsw_status_string"] == status
    assert crash["signature"].startswith("EMPTY: ")


def test_a_dump_that_wants_gigabytes_is_processed_with_a_clear_status(settings: Any, tmp_path: Path):
    settings.STACKWALKER = {**settings.STACKWALKER, "memory_bytes": 300 * 1024**2}
    dump = tmp_path / "greedy.dump"
    dump.write_bytes(minidumps.dump_that_wants_gigabytes(threads=50, frames=50_000).build())
    ruleset = rulesets.build_ruleset.__wrapped__("default")
    crash = run(
        ruleset, context(tmp_path, {"ProductName": "WaterWolf"} | METADATA, upload_file_minidump=dump)
    )
    assert (crash["mdsw_status_string"], crash["json_dump"], crash["failed_rules"]) == ("OutOfMemory", {}, [])


def test_dumps_after_the_time_budget_are_not_walked(settings: Any, tmp_path: Path):
    ruleset = rulesets.build_ruleset.__wrapped__("default")
    walk_rule = next(rule for rule in ruleset.rules if rule.name == "MinidumpStackwalkRule")
    walk_rule._budget_seconds = 1e-6
    dump = tmp_path / "simple.dump"
    dump.write_bytes(minidumps.simple_dump().build())
    crash = run(ruleset, context(tmp_path, METADATA, upload_file_minidump=dump, upload_file_minidump_x=dump))
    assert crash["upload_file_minidump_x"]["mdsw_status_string"] == "Timeout"
    assert "mdsw_return_code" not in crash["upload_file_minidump_x"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=200,
)
@given(
    st.dictionaries(
        st.sampled_from(sorted(ANNOTATIONS.keys() - {"metadata"})) | st.text(max_size=10), JSON_VALUES
    )
)
def test_whatever_is_sent_no_rule_fails_and_the_result_can_be_stored(
    default: Ruleset, tmp_path: Path, raw_crash: dict[str, Any]
):
    crash = run(default, context(tmp_path, raw_crash))
    assert crash["failed_rules"] == []
    json.dumps(crash, allow_nan=False, ensure_ascii=False).encode()
