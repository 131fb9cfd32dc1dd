"""Nobody sees what they may not see."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processing.schema import registry
from processing.schema.annotations import ANNOTATIONS
from processing.schema.redact import redact_processed, redact_raw

PUBLIC = frozenset({"public"})
ALL = frozenset({"public", "protected", "view_rawdump"})
SECRET = "s3cr3t"


def test_the_public_sees_public_fields_only():
    crash = {"product": "WaterWolf", "url": SECRET, "user_comments": SECRET, "signature": "main"}
    assert redact_processed(crash, PUBLIC) == {"product": "WaterWolf", "signature": "main"}


def test_unknown_fields_are_hidden_from_the_public():
    assert (
        redact_processed({"new_field": SECRET, "upload_file_minidump_other": {"json_dump": {}}}, PUBLIC) == {}
    )


def test_those_who_see_protected_data_get_the_document_whole():
    crash = {"product": "WaterWolf", "url": SECRET, "new_field": SECRET}
    assert redact_processed(crash, ALL) == crash


def test_without_any_permission_nothing_is_seen():
    assert redact_processed({"product": "WaterWolf"}, frozenset()) == {}
    assert redact_raw({"ProductName": "WaterWolf"}, frozenset()) == {}


def test_the_collectors_metadata_is_protected():
    assert redact_processed({"collector_metadata": {"user_agent": SECRET}}, PUBLIC) == {}
    assert redact_raw({"metadata": {"user_agent": SECRET}}, PUBLIC) == {}


def test_registers_and_handles_are_protected_inside_a_public_document():
    frame = {"function": "main", "registers": {"rax": SECRET}, "inlines": [{"function": "f", "args": SECRET}]}
    crash = {
        "json_dump": {
            "status": "OK",
            "handles": [{"object_name": SECRET}],
            "mac_boot_args": SECRET,
            "soft_errors": [SECRET, {"a": SECRET}],
            "crash_info": {"memory_accesses": [{"address": "0x1", "is_likely_guard_page": True}]},
            "crashing_thread": {"frames": [frame], "threads_index": 0},
            "threads": [{"frames": [frame, None], "thread_name": None}],
        }
    }
    public_frame = {"function": "main", "inlines": [{"function": "f"}]}
    assert redact_processed(crash, PUBLIC) == {
        "json_dump": {
            "status": "OK",
            "crash_info": {"memory_accesses": [{"address": "0x1"}]},
            "crashing_thread": {"frames": [public_frame], "threads_index": 0},
            "threads": [{"frames": [public_frame, None], "thread_name": None}],
        }
    }


def test_a_second_dump_is_guarded_like_the_first():
    dump = {
        "json_dump": {"threads": [{"frames": [{"registers": {"rax": SECRET}}]}]},
        "mdsw_stderr": SECRET,
        "mdsw_return_code": 1,
        "mdsw_status_string": "OK",
    }
    assert redact_processed({"upload_file_minidump_browser": dump}, PUBLIC) == {
        "upload_file_minidump_browser": {
            "json_dump": {"threads": [{"frames": [{}]}]},
            "mdsw_status_string": "OK",
        }
    }


def test_messages_of_java_exceptions_are_protected():
    values = [{"stacktrace": {"type": "E", "value": SECRET, "frames": [{"lineno": 3, "locals": SECRET}]}}]
    assert redact_processed({"java_exception": {"exception": {"values": values}}}, PUBLIC) == {
        "java_exception": {
            "exception": {"values": [{"stacktrace": {"type": "E", "frames": [{"lineno": 3}]}}]}
        }
    }


def test_preferences_of_any_name_are_shown_but_no_unknown_part_of_the_environment():
    environment = {"settings": {"userPrefs": {"any.pref": 1}, "newSetting": SECRET}, "newPart": SECRET}
    assert redact_processed({"telemetry_environment": environment}, PUBLIC) == {
        "telemetry_environment": {"settings": {"userPrefs": {"any.pref": 1}}}
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("product", {"hidden": SECRET}),
        ("product", [SECRET]),
        ("json_dump", SECRET),
        ("json_dump", {"threads": SECRET, "system_info": [SECRET]}),
        ("addons", SECRET),
        ("addons", [{"hidden": SECRET}, [SECRET]]),
    ],
)
def test_a_value_of_another_form_than_the_schema_says_is_left_out(name: str, value: Any):
    assert SECRET not in str(redact_processed({name: value}, PUBLIC))


def test_one_bad_value_does_not_hide_the_rest():
    assert redact_processed({"product": {}, "version": "1"}, PUBLIC) == {"version": "1"}


def test_nothing_at_all_is_public_too():
    assert redact_processed({"last_crash": None, "json_dump": None}, PUBLIC) == {
        "last_crash": None,
        "json_dump": None,
    }


def test_that_a_protected_field_is_null_is_protected_too():
    assert redact_processed({"url": None, "unknown": None, "json_dump": {"handles": None}}, PUBLIC) == {
        "json_dump": {}
    }


def test_unknown_annotations_are_hidden_from_the_public():
    raw = {"ProductName": "WaterWolf", "Version": "1", "Email": SECRET, "URL": SECRET, "productname": SECRET}
    assert redact_raw(raw, PUBLIC) == {"ProductName": "WaterWolf", "Version": "1"}
    assert redact_raw(raw, ALL) == raw


def protected_documents() -> st.SearchStrategy[dict[str, Any]]:
    """Documents under real and made-up names, in which every protected plain value is the secret."""
    values = st.recursive(
        st.just(SECRET),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["frames", "x", "registers"]), inner)
        ),
        max_leaves=8,
    )
    public = {row.name for row in registry.FIELDS if row.is_public}
    protected = [row.name for row in registry.FIELDS if not row.is_public]
    unknown = st.text(min_size=1, max_size=5).filter(lambda name: name not in public)
    return st.dictionaries(st.sampled_from(protected) | unknown, values)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(protected_documents())
def test_no_protected_or_unknown_key_ever_leaks(document: dict[str, Any]):
    assert SECRET not in str(redact_processed(document, PUBLIC))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text() | st.sampled_from(sorted(ANNOTATIONS)), st.text()))
def test_redacting_never_adds_or_changes_anything(raw: dict[str, Any]):
    assert redact_raw(raw, PUBLIC).items() <= raw.items()
