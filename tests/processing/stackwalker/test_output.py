"""The stackwalker's document is read the way the standard library reads it, only within bounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processing.stackwalker import output
from processing.stackwalker.output import Cut

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)
THREADS = st.none() | st.lists(
    st.none() | st.dictionaries(st.sampled_from(["frames", "thread_name"]), JSON_VALUES)
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={"threads": THREADS, "crashing_thread": JSON_VALUES, "modules": JSON_VALUES, "pid": JSON_VALUES},
)


def frames(count: int) -> list[dict[str, int]]:
    return [{"frame": index} for index in range(count)]


def parse(document: Any) -> tuple[dict[str, Any], tuple[Cut, ...]]:
    return output.parse(json.dumps(document))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS, st.sampled_from([None, 0, 3, "\t"]))
def test_a_document_within_bounds_is_read_as_it_is(document: dict[str, Any], indent: Any):
    assert output.parse(json.dumps(document, indent=indent)) == (document, ())


@pytest.mark.parametrize("count", [0, 1, 249, 250, 251, 499, 500])
def test_stacks_up_to_the_limit_are_whole(count: int):
    document = {"threads": [{"frames": frames(count)}]}
    assert parse(document) == (document, ())


@pytest.mark.parametrize(("count", "missing"), [(501, "2"), (1002, "503"), (5000, "4,501")])
def test_of_a_longer_stack_both_ends_are_kept_and_the_marker_counts_exactly(count: int, missing: str):
    document, cuts = parse({"threads": [{"frames": frames(count), "frame_count": count}]})
    thread = document["threads"][0]
    kept = thread["frames"]
    assert len(kept) == 500
    assert kept[:250] == frames(250)
    assert kept[250] == {"truncated": {"msg": f"{missing} frames truncated"}}
    assert kept[251:] == frames(count)[-249:]
    assert thread["truncated"] is True
    assert thread["frame_count"] == count
    assert cuts == (Cut("threads[0].frames", count, 500),)


def test_only_the_long_stack_is_marked():
    document, cuts = parse(
        {"crashing_thread": {"frames": frames(600)}, "threads": [{"frames": []}, {"frames": frames(600)}]}
    )
    assert [cut.path for cut in cuts] == ["crashing_thread.frames", "threads[1].frames"]
    assert "truncated" not in document["threads"][0]


def test_many_long_stacks_are_bounded_together(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(output, "MAX_ALL_FRAMES", 1000)
    document, _ = parse({"threads": [{"frames": frames(500)} for _ in range(10)]})
    lengths = [len(thread["frames"]) for thread in document["threads"]]
    assert lengths == [500, 500, *[output.FEW_FRAMES] * 8]


@pytest.mark.parametrize(
    ("name", "limit"),
    [("threads", output.MAX_THREADS), ("modules", output.MAX_MODULES), ("handles", output.MAX_HANDLES)],
)
def test_other_long_lists_keep_their_beginning(name: str, limit: int):
    document, cuts = parse({name: [{} for _ in range(limit + 3)]})
    assert len(document[name]) == limit
    assert cuts == (Cut(name, limit + 3, limit),)


def test_lists_inside_a_frame_are_bounded():
    frame = {"inlines": [{"function": "f"}] * 5000, "unloaded_modules": [{"module": "m"}] * 5000}
    kept = parse({"threads": [{"frames": [frame, None, 5]}]})[0]["threads"][0]["frames"]
    assert [len(kept[0]["inlines"]), len(kept[0]["unloaded_modules"])] == [100, 20]
    assert kept[1:] == [None, 5]


def test_a_value_that_is_too_long_is_left_out_without_being_decoded():
    huge = [{"a]": '}\\"['}] * 100_000
    document, cuts = parse(
        {"soft_errors": huge, "modules": [{"x": huge}, {"x": 1}], "pid": 7, "a": "x" * 500_000}
    )
    assert document == {"soft_errors": None, "modules": [None, {"x": 1}], "pid": 7, "a": "x" * 500_000}
    assert cuts == (Cut("too_long_values", 2, 0),)


@pytest.mark.parametrize("proc_limits", [None, [], {}, {"limits": None}, {"limits": [None, 5]}])
def test_odd_process_limits_are_left_alone(proc_limits: Any):
    assert parse({"proc_limits": proc_limits}) == ({"proc_limits": proc_limits}, ())


def test_process_limits_have_one_order():
    limits = [{"name": "b"}, {"name": "a"}]
    assert parse({"proc_limits": {"limits": limits}})[0]["proc_limits"]["limits"] == limits[::-1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "null",
        "{",
        '{"a"}',
        '{"a": 1,}',
        '{"a": 1} x',
        '{"a": 1 "b": 2}',
        '{"threads": [{"frames": [1,]}]}',
        '{"threads": [{"frames": [1 2]}]}',
        '{"threads": [',
        '{"threads": [{"frames": [',
        '{"a": NaN}',
        '{"a": -Infinity}',
        "{1: 2}x",
        '{"a": ' + "[" * 100_000,
    ],
)
def test_what_is_no_json_object_is_unreadable(tmp_path: Path, text: str):
    path = tmp_path / "document.json"
    path.write_text(text)
    with pytest.raises(output.Unreadable):
        output.read(path, max_bytes=10_000_000)


def test_a_missing_document_is_unreadable(tmp_path: Path):
    with pytest.raises(output.Unreadable):
        output.read(tmp_path / "nothing-here", max_bytes=100)


def test_a_document_that_is_too_large_is_not_read(tmp_path: Path):
    path = tmp_path / "document.json"
    path.write_text('{"a": 1}')
    assert output.read(path, max_bytes=8) == ({"a": 1}, ())
    with pytest.raises(output.TooLarge):
        output.read(path, max_bytes=7)
