from hypothesis import given
from hypothesis import strategies as st

from signatures.collapse import (
    ANGLE,
    ROUND,
    last_token,
    outermost_slices,
    replace_slices,
    slice_ends,
    unprotected_spaces,
)

NAMES = st.text("ab<>()[]{}`' ,&*:$", max_size=40)


def slices(text, brackets):
    return [text[start:end] for start, end in outermost_slices(text, brackets)]


def test_outermost_slices_hold_the_nested_ones():
    assert slices("a<b<c>>::d<e>", ANGLE) == ["<b<c>>", "<e>"]


def test_closer_outside_of_a_slice_is_text():
    assert slices("a>b<c>", ANGLE) == ["<c>"]


def test_slice_that_is_never_closed_ends_with_the_text():
    assert slices("a(b(c)", ROUND) == ["(b(c)"]


def test_spaces_within_pairs_are_protected():
    assert unprotected_spaces("a (b c) `d e' f") == [1, 7, 13]


def test_closer_of_another_kind_is_text():
    assert unprotected_spaces("(a] b) c") == [6]


def test_last_token_keeps_what_a_parameter_list_belongs_to():
    assert last_token("int f (int) [clone .cold]", ("(", "[clone")) == "f (int) [clone .cold]"


def test_one_space_at_the_end_is_dropped_and_two_leave_nothing():
    assert last_token("tail ", ()) == "tail"
    assert last_token("tail  ", ()) == ""


@given(NAMES)
def test_slices_agree_with_counting_depth(text):
    expected, depth, start = [], 0, 0
    for index, character in enumerate(text):
        if character == "<":
            start = start if depth else index
            depth += 1
        elif character == ">" and depth:
            depth -= 1
            if not depth:
                expected.append((start, index + 1))
    if depth:
        expected.append((start, len(text)))
    assert list(outermost_slices(text, ANGLE)) == expected
    ends = slice_ends(text, ANGLE)
    assert set(expected) <= set(ends.items())
    assert set(ends) == {index for index, character in enumerate(text) if character == "<"}


@given(NAMES)
def test_replacing_agrees_with_cutting_at_the_slices(text):
    expected, copied = "", 0
    for start, end in outermost_slices(text, ROUND):
        expected += text[copied:start] + "!"
        copied = end
    assert replace_slices(text, ROUND, lambda *_: "!") == expected + text[copied:]
    assert replace_slices(text, ROUND, lambda *_: None) == text


@given(NAMES)
def test_decision_is_asked_about_each_slice_in_order(text):
    told = []
    replace_slices(text, ROUND, lambda whole, start, end: told.append((whole, start, end)))
    assert told == [(text, start, end) for start, end in outermost_slices(text, ROUND)]


@given(NAMES)
def test_last_token_agrees_with_splitting_at_unprotected_spaces(text):
    tokens, start = [], 0
    for space in unprotected_spaces(text):
        tokens.append(text[start:space])
        start = space + 1
    if text[start:]:
        tokens.append(text[start:])
    expected = tokens.pop() if tokens else ""
    while tokens and expected.startswith(("(", "[clone")):
        expected = f"{tokens.pop()} {expected}"
    assert last_token(text, ("(", "[clone")) == expected
