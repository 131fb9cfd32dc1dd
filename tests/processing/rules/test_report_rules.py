"""Rules about the report as it came: cleaning, ids, names, copying."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from processing.rules.annotations import CopyFromRawCrashRule
from processing.rules.base import MAX_NOTE_CHARACTERS, MAX_NOTES
from processing.rules.cleanup import ClientFamilyRule, ConvertModuleSignatureInfoRule, DeNoneRule, DeNullRule
from processing.rules.collector import (
    CollectorMetadataRule,
    CrashReportKeysRule,
    IdentifierRule,
    MinidumpSha256HashRule,
    SubmittedFromRule,
)
from tests.processing.rules.contexts import CRASH_ID, act, filled_in, make_context, notes_of


def cleaned(rule: Any, raw_crash: dict[str, Any]) -> dict[str, Any]:
    return act(rule, make_context(raw_crash)).raw_crash


def test_nul_characters_leave_names_and_values():
    assert cleaned(DeNullRule(), {"A\0": "x\0y\0", "B": 1, "C": ["\0"]}) == {"A": "xy", "B": 1, "C": ["\0"]}


def test_a_name_with_a_nul_keeps_its_clean_value():
    assert cleaned(DeNullRule(), {"Product\0Name": "WaterWolf"}) == {"ProductName": "WaterWolf"}


def test_a_cleaned_name_does_not_replace_an_honest_one():
    assert cleaned(DeNullRule(), {"Version\0": "evil", "Version": "1.0"}) == {"Version": "1.0"}


def test_halves_of_surrogate_pairs_leave_names_and_values():
    raw_crash = cleaned(DeNullRule(), {"A\ud800": "x\udc00"})
    assert str(raw_crash).encode()


def test_annotations_without_a_value_are_missing_afterwards():
    assert cleaned(DeNoneRule(), {"A": None, "B": "", "C": 0}) == {"B": "", "C": 0}


def test_signers_sent_as_an_object_become_text():
    rule = ConvertModuleSignatureInfoRule()
    assert cleaned(rule, {"ModuleSignatureInfo": {"Acme": ["a.dll"]}}) == {
        "ModuleSignatureInfo": '{"Acme": ["a.dll"]}'
    }
    assert cleaned(rule, {"ModuleSignatureInfo": "{}"}) == {"ModuleSignatureInfo": "{}"}
    assert cleaned(rule, {}) == {}


@pytest.mark.parametrize(
    ("sent", "product", "version"),
    [
        ({"prod": "Chromium", "ver": "99.0"}, "Chromium", "99.0"),
        ({"prod": "Electron", "ver": "30.0", "_productName": "Notes", "_version": "1.2"}, "Notes", "1.2"),
        ({"product": "App", "ver": "1", "version": 2}, "App", "1"),
    ],
)
def test_other_client_families_have_product_and_version_too(sent: dict[str, Any], product: str, version: str):
    raw_crash = cleaned(ClientFamilyRule(), dict(sent))
    assert (raw_crash["ProductName"], raw_crash["Version"]) == (product, version)
    assert sent.items() <= raw_crash.items()


def test_names_that_we_know_are_not_replaced_by_others():
    assert cleaned(ClientFamilyRule(), {"ProductName": "A", "prod": "B"})["ProductName"] == "A"
    assert cleaned(ClientFamilyRule(), {"prod": "", "ver": ["1"]}) == {"prod": "", "ver": ["1"]}


def test_the_parts_of_the_report_are_listed():
    ctx = make_context({"B": "1", "A": "2"}, dumps={"upload_file_minidump": Path("x")})
    assert act(CrashReportKeysRule(), ctx).processed_crash == {
        "crash_report_keys": ["A", "B", "upload_file_minidump"]
    }
    assert ctx.notes == []


@pytest.mark.parametrize("key", ["", "a b", "$x", "é", "a\n", "٣"])
def test_odd_names_are_left_out_of_the_list(key: str):
    ctx = act(CrashReportKeysRule(), make_context({key: "1", "A": "2"}))
    assert ctx.processed_crash == {"crash_report_keys": ["A"]}
    assert ctx.notes == ["invalidkeys: Crash report contains invalid keys"]


def test_long_names_are_cut_in_the_list():
    ctx = act(CrashReportKeysRule(), make_context({"A" * 150: "1", "A" * 100: "2"}))
    assert ctx.processed_crash == {"crash_report_keys": ["A" * 100]}
    assert ctx.notes == ["invalidkeys: Crash report contains invalid keys"]


@pytest.mark.parametrize(
    ("raw_crash", "metadata"),
    [
        ({"metadata": {"payload": "multipart"}}, {"payload": "multipart"}),
        ({}, {}),
        ({"metadata": "text"}, {}),
    ],
)
def test_collector_metadata_is_kept(raw_crash: dict[str, Any], metadata: dict[str, Any]):
    assert filled_in(CollectorMetadataRule(), raw_crash) == {"collector_metadata": metadata}


def test_the_crash_knows_its_id():
    assert filled_in(IdentifierRule(), {"uuid": "another"}) == {"crash_id": CRASH_ID, "uuid": CRASH_ID}


def test_the_checksum_of_the_main_dump_is_kept():
    checksums = {"dump_checksums": {"upload_file_minidump": "abc", "upload_file_minidump_x": "def"}}
    assert filled_in(MinidumpSha256HashRule(), {"metadata": checksums}) == {"minidump_sha256_hash": "abc"}
    assert filled_in(MinidumpSha256HashRule(), {"metadata": {}}) == {"minidump_sha256_hash": ""}


@pytest.mark.parametrize(
    ("raw_crash", "submitted_from", "infobar"),
    [
        ({}, "Unknown", False),
        ({"SubmittedFrom": "Client"}, "Client", False),
        ({"SubmittedFrom": "Infobar"}, "Infobar", True),
        ({"SubmittedFrom": ""}, "Unknown", False),
        ({"SubmittedFrom": ["x"]}, "Unknown", False),
        ({"SubmittedFromInfobar": "1"}, "Infobar", True),
        ({"SubmittedFromInfobar": "true"}, "Infobar", True),
        ({"SubmittedFromInfobar": True}, "Infobar", True),
        ({"SubmittedFromInfobar": "0", "SubmittedFrom": "Client"}, "Unknown", False),
    ],
)
def test_where_the_report_was_sent_from(raw_crash: dict[str, Any], submitted_from: str, infobar: bool):
    assert filled_in(SubmittedFromRule(), raw_crash) == {
        "submitted_from": submitted_from,
        "submitted_from_infobar": infobar,
    }


DEFAULTS = {"marionette": False, "remote_agent": False}


def test_of_no_annotations_only_defaults_are_copied():
    assert filled_in(CopyFromRawCrashRule()) == DEFAULTS


def test_a_default_gives_way_to_what_is_sent():
    assert filled_in(CopyFromRawCrashRule(), {"Marionette": "1"}) == {
        "marionette": True,
        "remote_agent": False,
    }


def test_annotations_are_copied_as_their_types():
    sent = {
        "ProductName": "WaterWolf \r\n",
        "StartupTime": "1700000000",
        "UptimeTS": "1.5",
        "SafeMode": "0",
        "TelemetryEnvironment": '{"build": {}}',
    }
    assert filled_in(CopyFromRawCrashRule(), sent) == {
        **DEFAULTS,
        "product": "WaterWolf",
        "startup_time": 1700000000,
        "uptime_ts": 1.5,
        "safe_mode": False,
        "telemetry_environment": {"build": {}},
    }


@pytest.mark.parametrize(
    ("annotation", "value", "note"),
    [
        ("SafeMode", "s3cr3t", "SafeMode has a non-boolean value"),
        ("OOMAllocationSize", ["s3cr3t"], "OOMAllocationSize has a non-int value"),
        ("UptimeTS", "nan", "UptimeTS has a non-float value"),
        ("TelemetryEnvironment", "{s3cr3t", "TelemetryEnvironment value is malformed json"),
        ("TelemetryEnvironment", '"s3cr3t"', "TelemetryEnvironment value is malformed telemetry_environment"),
    ],
)
def test_a_bad_value_is_noted_but_not_shown_and_hurts_no_other_field(annotation: str, value: Any, note: str):
    ctx = act(
        CopyFromRawCrashRule(),
        make_context({annotation: value, "ProductName": "W", "Version": "1", "Vendor": "V"}),
    )
    assert ctx.processed_crash == {**DEFAULTS, "product": "W", "version": "1", "vendor": "V"}
    assert ctx.notes == [note]


def test_an_object_annotation_sent_as_an_object_never_takes_the_value_of_another():
    private = {"exception": {"values": [{"stacktrace": {"value": "s3cr3t"}}]}}
    sent = {"JavaException": private, "TelemetryEnvironment": {"build": {"version": "1"}}}
    copied = filled_in(CopyFromRawCrashRule(), sent)
    assert copied["java_exception"] == private
    assert copied["telemetry_environment"] == {"build": {"version": "1"}}


def test_notes_are_bounded_in_number_and_length():
    ctx = make_context()
    for _ in range(MAX_NOTES + 10):
        ctx.add_note("x" * (MAX_NOTE_CHARACTERS + 10))
    assert len(ctx.notes) == MAX_NOTES
    assert {len(note) for note in ctx.notes} == {MAX_NOTE_CHARACTERS}


def test_a_clean_report_gives_no_notes():
    assert notes_of(CopyFromRawCrashRule(), {"ProductName": "W"}) == []
