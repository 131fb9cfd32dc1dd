"""Patterns of people in the engine's dialect; what they find is in the contract."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing.search import patterns


@given(st.text())
def test_escaped_text_matches_itself_alone(text: str) -> None:
    expression = re.compile(patterns.escape(text))
    assert expression.fullmatch(text)
    assert not expression.fullmatch(text + "x")


@given(st.text(alphabet="ab*?\\", max_size=6), st.text(alphabet="ab*?\\", max_size=6))
def test_text_without_wildcards_means_itself(text: str, other: str) -> None:
    if not patterns.has_wildcard(text):
        expression = re.compile(patterns.from_wildcards(text))
        meant = patterns.without_escapes(text)
        assert expression.fullmatch(meant)
        assert bool(expression.fullmatch(other)) is (other == meant)


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ("a*c", ["ac", "abc", "a\nc"], ["acd"]),
        ("a?c", ["abc", "a\nc"], ["ac", "abbc"]),
        (r"a\*c", ["a*c"], ["abc"]),
        (r"a\\*", [r"a\b"], ["ab"]),
        (r"C:\dir", [r"C:\dir"], ["C:dir"]),
        ("a\\", ["a\\"], ["a"]),
    ],
)
def test_wildcards(text: str, matching: list[str], other: list[str]) -> None:
    expression = re.compile(patterns.from_wildcards(text))
    assert all(expression.fullmatch(each) for each in matching)
    assert not any(expression.fullmatch(each) for each in other)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (".*alloc.*", "alloc"),
        (r".*a\.b\*\\.*", r"a.b*\\"[:-1]),
        (".*^a b$.*", "^a b$"),
        (".*a.b.*", None),
        (r".*\d.*", None),
        (r".*a\.*", None),
        (".*a|b.*", None),
        ('.*"a".*', None),
        (".*a", None),
        ("a.*", None),
        (".*", None),
    ],
)
def test_plain_text_anywhere_is_told_from_other_expressions(expression: str, text: str | None) -> None:
    assert patterns.plain_within(expression) == text


@given(st.text(min_size=1))
def test_text_escaped_for_wildcards_means_itself(text: str) -> None:
    escaped = patterns.with_escapes(text)
    assert not patterns.has_wildcard(escaped)
    assert patterns.without_escapes(escaped) == text
