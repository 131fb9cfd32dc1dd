"""JSON that is small on the wire and large in memory is refused; what only looks so is kept."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from ingest.errors import MalformedPayload
from ingest.jsonmarks import count_marks
from ingest.payload import _has_many_values, parse_json_annotations


def parse(text: bytes) -> dict[str, Any]:
    return parse_json_annotations(text, count_marks(text))


@pytest.mark.parametrize("text", ['{"a": [1, {"b": "[,{"}], "c": ""}', ""])
def test_marks_are_counted_alike_in_texts_and_in_bytes(text: str) -> None:
    assert count_marks(text) == count_marks(text.encode()) == sum(text.count(mark) for mark in ",[{")


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace('"a"', r'"\"[,\\"').encode(),
    ],
    ids=["UTF-8", "UTF-16", "escaped quotes"],
)
@pytest.mark.parametrize(
    "value",
    ["[" + "[]," * 1_000_000 + "0]", "[" + "1," * 1_000_000 + "0]", "[" + '{"":{}},' * 200_000 + "0]"],
    ids=["lists", "numbers", "objects"],
)
def test_millions_of_values_are_refused_before_they_take_memory(
    encode: Callable[[str], bytes], value: str
) -> None:
    text = encode('{"a":' + value + "}")
    tracemalloc.start()
    with pytest.raises(MalformedPayload, match="invalid_json"):
        parse(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * len(text) + 1_000_000


def test_far_more_annotations_than_any_report_has_are_read_and_no_more_than_that() -> None:
    """Together keys, texts and commas count: a report of a few compressed kilobytes must not cost half a second."""
    annotations = {f"name{number}": "x" for number in range(16_000)}
    assert parse(json.dumps(annotations).encode()) == annotations
    numbers = json.dumps({"a": [1.5] * 60_000}).encode()
    with pytest.raises(MalformedPayload, match="invalid_json"):
        parse(numbers)


@pytest.mark.parametrize("text", ["[],{" * 1_000_000, '"\\' * 1_000_000, "\n" * 1_000_000 + "é"])
def test_a_long_text_is_one_value_whatever_it_holds(text: str) -> None:
    annotations = {"Notes": text, "ProductName": "Firefox"}
    assert parse(json.dumps(annotations).encode()) == annotations
    assert parse(json.dumps(annotations, ensure_ascii=False).encode("utf-16")) == annotations


@pytest.mark.parametrize(
    "text", [b'{"a":"' + b"[" * 400_000, b'"' * 400_000 + b"," * 400_000, b"," * 400_000 + b"\xff"]
)
def test_what_is_no_json_is_refused_all_the_same(text: bytes) -> None:
    with pytest.raises(MalformedPayload, match="invalid_json"):
        parse(text)


@pytest.mark.parametrize("end", ["", "\\"], ids=["in a string", "behind a backslash"])
def test_a_string_that_does_not_end_is_looked_at_once(end: str) -> None:
    """If it were no whole, what follows each quotation mark in it would be read again."""
    text = '{"a":"' + '\\"' * 5 + "[" * 50_001 + end
    assert not _has_many_values(text.encode())


@pytest.mark.parametrize("sign", ["", "-"])
def test_whole_numbers_of_many_digits_become_texts_and_of_far_too_many_are_refused(sign: str) -> None:
    """Both reading and writing one takes time by the square of its digits."""
    for digits in (1, 17, 90):
        assert parse(f'{{"a":{sign}{"7" * digits}}}'.encode()) == {"a": int(sign + "7" * digits)}
    for digits in (101, 4200):
        assert parse(f'{{"a":[{sign}{"7" * digits}]}}'.encode()) == {"a": [sign + "7" * digits]}
    with pytest.raises(MalformedPayload, match="invalid_json"):
        parse(f'{{"a":{sign}{"7" * 4301}}}'.encode())
