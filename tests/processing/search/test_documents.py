"""What a search engine keeps of a processed crash."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing.schema.registry import search_field, search_fields
from processing.search import documents

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def value_of(name: str, value: Any) -> Any:
    """Give what is kept of one value, None when nothing is."""
    field = search_field(name)
    crash: dict[str, Any] = {}
    inner = crash
    for key in field.path[:-1]:
        inner = inner.setdefault(key, {})
    inner[field.path[-1]] = value
    return documents.build(crash, [field]).get(name)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("signature", "foo", "foo"),
        ("signature", 5, "BAD DATA"),
        ("signature", "x" * 40_000, "x" * 32_766),
        ("signature", "漢" * 40_000, "漢" * 10_922),
        ("version", "x" * 40_000, "x" * 10_000),
        ("addons", ["a", "b", "a", None], ["a", "b"]),
        ("addons", [], None),
        ("addons", [str(n) for n in range(2_000)], [str(n) for n in range(1_000)]),
        ("uptime", "12", 12),
        ("uptime", 12.9, 12),
        ("uptime", "1e3", None),
        ("uptime", 2**63, None),
        ("uptime", float("inf"), None),
        ("uptime_ts", "0.5", 0.5),
        ("uptime_ts", "inf", None),
        ("safe_mode", True, True),
        ("safe_mode", "1", True),
        ("safe_mode", "true", True),
        ("safe_mode", "yes", False),
        ("safe_mode", 0, False),
        ("date", "2026-08-05T14:00:00.000001+02:00", datetime(2026, 8, 5, 12, 0, 0, 1, tzinfo=UTC)),
        ("date", "2026-08-05T12:00:00", datetime(2026, 8, 5, 12, tzinfo=UTC)),
        (
            "date",
            datetime(2026, 8, 5, 14, tzinfo=timezone(timedelta(hours=2))),
            datetime(2026, 8, 5, 12, tzinfo=UTC),
        ),
        ("date", "0001-01-01T00:00:00+14:00", None),
        ("date", "9999-12-31T00:00:00", None),
        ("date", 1_700_000_000, None),
        ("cpu_count", 4, 4),
    ],
)
def test_values_are_made_to_fit(name: str, value: Any, kept: Any) -> None:
    assert value_of(name, value) == kept


@given(st.dictionaries(st.sampled_from([field.path[0] for field in search_fields()]), JSON, max_size=5))
def test_no_document_is_refused(crash: dict[str, Any]) -> None:
    for value in documents.build(crash, search_fields()).values():
        documents.shown(value)


def crashes() -> st.SearchStrategy[dict[str, Any]]:
    """Processed crashes with values where searchable ones may be."""

    def placed(values: dict[tuple[str, ...], Any]) -> dict[str, Any]:
        crash: dict[str, Any] = {}
        for path, value in values.items():
            inner = crash
            for key in path[:-1]:
                inner = inner.setdefault(key, {})
            inner[path[-1]] = value
        return crash

    paths = st.sampled_from([field.path for field in search_fields()])
    return st.dictionaries(paths, JSON, max_size=5).map(placed)


@given(crashes())
def test_the_searchable_part_of_a_crash_makes_the_same_document(crash: dict[str, Any]) -> None:
    part = documents.searchable(crash)
    assert documents.build(part, search_fields()) == documents.build(crash, search_fields())


def test_the_searchable_part_of_a_huge_crash_is_small() -> None:
    crash = {"json_dump": {"threads": [{}] * 10_000}, "signature": "x" * 10**6, "addons": ["a"] * 10**6}
    assert len(str(documents.searchable(crash))) < 40_000


def test_list_pieces_are_lower_case_and_told_once() -> None:
    assert documents.list_pieces("A.so;b.so;; a.so ;") == ["a.so", "b.so"]
