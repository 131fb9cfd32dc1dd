"""Rules about product, versions, dates."""

from __future__ import annotations

from typing import Any

import pytest

from processing.rules.dates import (
    CrashTimeRule,
    InstallAgeRule,
    LastCrashRule,
    SubmissionDateRule,
    UptimeRule,
)
from processing.rules.product import (
    DistributionIdRule,
    ESRVersionRewriteRule,
    FenixVersionRewriteRule,
    MajorVersionRule,
)
from tests.processing.rules.contexts import act, filled_in, make_context, notes_of

SUBMITTED = "2026-11-22T10:00:00.123456+00:00"
SUBMITTED_EPOCH = 1795341600


def test_nightly_builds_of_fenix_get_one_version():
    ctx = act(
        FenixVersionRewriteRule(), make_context({}, {"product": "Fenix", "version": "Nightly 261101 05:06"})
    )
    assert ctx.processed_crash["version"] == "0.0a1"
    assert ctx.notes == ["Changed version of a Nightly build to 0.0a1"]


@pytest.mark.parametrize(
    "crash",
    [
        {"product": "Fenix", "version": "79.0"},
        {"product": "Focus", "version": "Nightly 1"},
        {"product": "Fenix"},
    ],
)
def test_other_versions_stay(crash: dict[str, Any]):
    assert filled_in(FenixVersionRewriteRule(), {}, crash) == {}


def test_versions_of_the_extended_support_release_say_so():
    assert filled_in(ESRVersionRewriteRule(), {}, {"release_channel": "esr", "version": "115.0"}) == {
        "version": "115.0esr"
    }
    assert filled_in(ESRVersionRewriteRule(), {}, {"release_channel": "ESR", "version": "115.0"}) == {}
    assert notes_of(ESRVersionRewriteRule(), {}, {"release_channel": "esr"}) == [
        "'version' missing from esr release processed_crash"
    ]


@pytest.mark.parametrize(
    ("version", "major"),
    [
        ("50.0b4", 50),
        ("50", 50),
        ("abc", 0),
        ("", 0),
        ("5x.0", 0),
        ("-1.0", 0),
        ("9" * 30, 0),
        (7, 7),
        (["1"], 0),
    ],
)
def test_major_version(version: Any, major: int):
    assert filled_in(MajorVersionRule(), {"Version": version}) == {"major_version": major}


def test_major_version_of_nothing():
    assert filled_in(MajorVersionRule()) == {"major_version": 0}


@pytest.mark.parametrize(
    ("raw_crash", "distribution_id"),
    [
        ({"DistributionID": "acme", "TelemetryEnvironment": '{"partner": {"distributionId": "x"}}'}, "acme"),
        ({"TelemetryEnvironment": '{"partner": {"distributionId": "x"}}'}, "x"),
        ({"TelemetryEnvironment": {"partner": {"distributionId": "x"}}}, "x"),
        ({"TelemetryEnvironment": '{"partner": {"distributionId": null}}'}, "mozilla"),
        ({"TelemetryEnvironment": '{"partner": {"distributionId": ""}}'}, "mozilla"),
        ({"TelemetryEnvironment": '{"partner": {"distributionId": ["x"]}}'}, "unknown"),
        ({"TelemetryEnvironment": '{"partner": {}}'}, "unknown"),
        ({"TelemetryEnvironment": "{"}, "unknown"),
        ({"TelemetryEnvironment": "[]"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_who_distributed_the_build(raw_crash: dict[str, Any], distribution_id: str):
    assert filled_in(DistributionIdRule(), raw_crash) == {"distribution_id": distribution_id}


def test_the_time_of_submission_is_kept_unchanged():
    assert filled_in(SubmissionDateRule(), {"submitted_timestamp": SUBMITTED}) == {
        "submitted_timestamp": SUBMITTED,
        "date_processed": SUBMITTED,
    }


@pytest.mark.parametrize("sent", [None, "yesterday", "", 5, ["x"]])
def test_without_a_time_of_submission_the_crash_id_tells_the_day(sent: Any):
    ctx = act(SubmissionDateRule(), make_context({"submitted_timestamp": sent}))
    assert ctx.processed_crash["date_processed"] == "2026-11-22T00:00:00+00:00"
    assert ctx.notes == ["submitted_timestamp is missing or no time - took the day of the crash id"]


def test_other_spellings_of_a_time_get_the_usual_one():
    assert filled_in(SubmissionDateRule(), {"submitted_timestamp": "20261122T1000Z"})["date_processed"] == (
        "2026-11-22T10:00:00+00:00"
    )


def test_a_time_of_submission_without_an_offset_is_utc():
    assert filled_in(SubmissionDateRule(), {"submitted_timestamp": "2026-11-22T10:00:00"})[
        "date_processed"
    ] == ("2026-11-22T10:00:00+00:00")


@pytest.mark.parametrize(
    ("raw_crash", "crash_time", "notes"),
    [
        ({"CrashTime": "1795341000"}, 1795341000, []),
        ({"CrashTime": "1795341000.75"}, 1795341000, []),
        ({"CrashTime": 1795341000}, 1795341000, []),
        ({"CrashTime": "s3cr3t"}, 0, ['non-integer value of "CrashTime"']),
        ({"CrashTime": ["1"]}, 0, ['non-integer value of "CrashTime"']),
        ({}, SUBMITTED_EPOCH, ["WARNING: raw_crash missing CrashTime", "client_crash_date is unknown"]),
        ({"CrashTime": str(SUBMITTED_EPOCH)}, SUBMITTED_EPOCH, ["client_crash_date is unknown"]),
    ],
)
def test_when_the_crash_happened(raw_crash: dict[str, Any], crash_time: int, notes: list[str]):
    ctx = act(CrashTimeRule(), make_context(raw_crash, {"submitted_timestamp": SUBMITTED}))
    assert ctx.processed_crash["crash_time"] == crash_time
    assert ctx.notes == notes


@pytest.mark.parametrize(
    ("crash_time", "date"),
    [
        ("0", "1970-01-01T00:00:00+00:00"),
        ("99999999999", "2286-11-20T17:46:39+00:00"),
        ("-999999999", "1938-04-24T22:13:21+00:00"),
    ],
)
def test_every_crash_time_is_some_date(crash_time: str, date: str):
    filled = filled_in(CrashTimeRule(), {"CrashTime": crash_time}, {"submitted_timestamp": SUBMITTED})
    assert filled["client_crash_date"] == date


@pytest.mark.parametrize(
    ("startup", "uptime"),
    [
        ({"startup_time": 60}, 40),
        ({"startup_time": 500}, 0),
        ({}, 0),
        ({"startup_time": -(2**63)}, 2**63 - 1),
    ],
)
def test_uptime_is_never_negative_and_fits_64_bits(startup: dict[str, int], uptime: int):
    assert filled_in(UptimeRule(), {}, {"crash_time": 100, **startup}) == {"uptime": uptime}


@pytest.mark.parametrize(
    ("raw_crash", "age"),
    [({"InstallTime": "60"}, 40), ({"InstallTime": "160"}, -60), ({}, 10), ({"InstallTime": 60}, 40)],
)
def test_install_age_may_be_negative(raw_crash: dict[str, Any], age: int):
    assert filled_in(InstallAgeRule(), raw_crash, {"crash_time": 100, "startup_time": 90}) == {
        "install_age": age
    }


def test_a_bad_install_time_counts_as_zero_and_is_noted():
    ctx = act(InstallAgeRule(), make_context({"InstallTime": "s3cr3t"}, {"crash_time": 100}))
    assert ctx.processed_crash["install_age"] == 100
    assert ctx.notes == ['non-integer value of "InstallTime"']


@pytest.mark.parametrize(
    ("raw_crash", "last_crash", "notes"),
    [
        ({"SecondsSinceLastCrash": "86985"}, 86985, []),
        ({}, None, []),
        ({"SecondsSinceLastCrash": "s3cr3t"}, None, ["SecondsSinceLastCrash has a non-int value"]),
        (
            {"SecondsSinceLastCrash": str(2**63)},
            None,
            ["SecondsSinceLastCrash has an int value that does not fit 64 bits"],
        ),
    ],
)
def test_the_crash_before(raw_crash: dict[str, Any], last_crash: int | None, notes: list[str]):
    ctx = act(LastCrashRule(), make_context(raw_crash))
    assert ctx.processed_crash == {"last_crash": last_crash}
    assert ctx.notes == notes
