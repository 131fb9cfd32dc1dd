"""A report must come out of any JSON at all, for every viewer."""

from __future__ import annotations

from typing import Any

import pytest
from django.template.loader import render_to_string
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crashstats.reports.queries import read_report
from processing.schema import registry
from processing.schema.redact import redact_processed, redact_raw
from tests.crashstats.crashes import make_processed_crash, new_crash_id

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(alphabet=st.characters(), max_size=20)
    | st.sampled_from(["\ud800", "\u202eevil", "<script>", "1e999", "0x", "-", "git:github.com:a:b", "\0"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_FRAME_KEYS = [
    "frame",
    "function",
    "file",
    "line",
    "module",
    "module_offset",
    "offset",
    "trust",
    "inlines",
    "unloaded_modules",
    "truncated",
]
_DUMP_KEYS = [
    "threads",
    "modules",
    "crash_info",
    "crashing_thread",
    "unloaded_modules",
    "system_info",
    "status",
]


def keyed(names: list[str], values: st.SearchStrategy[Any] = ANYTHING) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(names), values, max_size=len(names))


FRAMES = st.lists(ANYTHING | keyed(_FRAME_KEYS), max_size=4)
THREADS = st.lists(ANYTHING | keyed(["frames", "thread_name", "frame_count"], ANYTHING | FRAMES), max_size=3)
JSON_DUMPS = keyed(_DUMP_KEYS, ANYTHING | THREADS)
DOCUMENTS = keyed([field.name for field in registry.FIELDS], ANYTHING | JSON_DUMPS)


def render(processed_crash: dict[str, Any], raw_crash: dict[str, Any], allowed: set[str]) -> bytes:
    report = read_report(
        new_crash_id(),
        redact_processed(processed_crash, allowed),
        redact_raw(raw_crash, allowed),
        allowed,
    )
    return render_to_string("reports/report.html", {"report": report}).encode()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(processed_crash=DOCUMENTS, raw_crash=st.dictionaries(st.text(max_size=8), ANYTHING, max_size=4))
def test_any_document_makes_a_page(processed_crash, raw_crash):
    for allowed in ({"public"}, {"public", "protected", "view_pii", "view_rawdump"}):
        page = render(processed_crash, raw_crash, allowed)
        assert b"<script>" not in page.replace(b"<script src", b"")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(json_dump=JSON_DUMPS, crashing_thread=ANYTHING)
def test_any_stackwalker_document_makes_a_page(json_dump, crashing_thread):
    crash = make_processed_crash(new_crash_id(), json_dump=json_dump, crashing_thread=crashing_thread)
    assert render(crash, {}, {"public", "protected"})


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -1,
        10**30,
        "9" * 5_000,
        "१२",
        "\ud83d",
        [[[[]]]],
        {"a": {"b": {}}},
        True,
        "",
    ],
    ids=repr,
)
def test_a_nasty_value_in_every_field_makes_a_page(value):
    crash = {field.name: value for field in registry.FIELDS}
    assert render(crash, {"Notes": value, "": value}, {"public", "protected"})


def test_a_value_nested_beyond_the_stack_makes_a_page():
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert b"nested too deeply to show" in render({}, {"Notes": deep}, {"public"})
