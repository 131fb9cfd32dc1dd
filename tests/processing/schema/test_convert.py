"""What annotations become."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processing.schema import convert, registry
from processing.schema.convert import BadValue

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize("sent", ["1", "true", "TRUE", "True", True, 1])
def test_true_in_every_spelling(sent: Any):
    assert convert.to_boolean(sent) is True


@pytest.mark.parametrize("sent", ["0", "false", "FALSE", False, 0])
def test_false_in_every_spelling(sent: Any):
    assert convert.to_boolean(sent) is False


@pytest.mark.parametrize("sent", ["foo", "", "2", " 1", None, [], {}, 0.5])
def test_other_things_are_no_booleans(sent: Any):
    with pytest.raises(BadValue, match=r"^has a non-boolean value$"):
        convert.to_boolean(sent)


@pytest.mark.parametrize(("sent", "number"), [("12", 12), (" -7\n", -7), ("+3", 3), (12, 12), (12.0, 12)])
def test_whole_numbers(sent: Any, number: int):
    assert convert.to_integer(sent) == number


@pytest.mark.parametrize(
    "sent", ["", "abc", "1.5", "1_000", "٣", "0x10", 1.5, math.nan, math.inf, True, None, [1], "9" * 5000]
)
def test_other_things_are_no_whole_numbers(sent: Any):
    with pytest.raises(BadValue, match=r"^has a non-int value$"):
        convert.to_integer(sent)


@pytest.mark.parametrize("sent", ["9223372036854775808", "-9223372036854775809", 2**63, 1e300])
def test_whole_numbers_fit_64_bits(sent: Any):
    with pytest.raises(BadValue, match="does not fit 64 bits"):
        convert.to_integer(sent)


@pytest.mark.parametrize(
    "sent", ["nan", "inf", "-Infinity", "1e999", "", "x", "1_0", True, None, [], 10**400]
)
def test_numbers_are_finite(sent: Any):
    with pytest.raises(BadValue, match=r"^has a non-float value$"):
        convert.to_number(sent)


def test_text_loses_trailing_white_space_only():
    assert convert.to_text("  two words \r\n") == "  two words"


def test_what_is_not_text_becomes_its_json():
    assert convert.to_text({"phase": "x"}) == '{"phase": "x"}'
    assert convert.to_text(123) == "123"


def test_an_object_is_taken_as_text_or_as_it_is():
    row = registry.field("telemetry_environment")
    assert convert.convert('{"build": {"version": "1"}, "new": 1}', row) == {
        "build": {"version": "1"},
        "new": 1,
    }
    assert convert.convert({"build": {}}, row) == {"build": {}}


@pytest.mark.parametrize(
    "sent", ["{", "nonsense", "[" * 100_000, '{"a": NaN}', '{"a": 1e999}', {"a": object()}]
)
def test_what_is_no_json_is_malformed(sent: Any):
    with pytest.raises(BadValue, match=r"^value is malformed json$"):
        convert.convert(sent, registry.field("telemetry_environment"))


@pytest.mark.parametrize("sent", ["[]", "1", '"text"', '{"exception": []}', '{"exception": {"values": [1]}}'])
def test_json_of_another_form_is_malformed(sent: str):
    with pytest.raises(BadValue, match=r"^value is malformed java_exception$"):
        convert.convert(sent, registry.field("java_exception"))


@pytest.mark.parametrize("inner", ["[]", "{}", "1", '{"a":{}}'])
def test_json_of_more_values_than_anybody_sends_is_refused(inner: str):
    text = '{"build": [' + ",".join([inner] * convert.MAX_VALUES) + "]}"
    for sent in (text, json.loads(text)):
        with pytest.raises(BadValue, match=r"^value is malformed json$"):
            convert.to_object(sent)
    some = '{"build": [' + ",".join([inner] * (convert.MAX_VALUES // 4)) + "]}"
    assert convert.to_object(some) == json.loads(some)


def test_deep_nesting_is_refused_before_it_hurts():
    deep: Any = {}
    for _ in range(convert.MAX_DEPTH + 1):
        deep = {"a": deep}
    with pytest.raises(BadValue):
        convert.to_object(deep)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=JSON_VALUES | st.text(), row=st.sampled_from([row for row in registry.FIELDS if row.annotation]))
def test_whatever_is_sent_gives_a_value_that_can_be_stored_or_a_bad_value(sent: Any, row: Any):
    try:
        converted = convert.convert(sent, row)
    except BadValue as exc:
        assert str(sent) not in str(exc) or len(str(sent)) < 8
    else:
        stored = json.dumps(converted, allow_nan=False, ensure_ascii=False).encode("utf-8")
        assert json.loads(stored) == converted


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(codec=None)))
def test_clean_text_can_be_written(text: str):
    cleaned = convert.clean_text(text)
    assert cleaned.encode().decode() == cleaned
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert cleaned == text


def test_values_that_are_nested_without_end_hurt_nobody():
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    for row in registry.FIELDS:
        if row.annotation:
            with pytest.raises(BadValue):
                convert.convert(deep, row)
