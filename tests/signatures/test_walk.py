"""Walking over stacks: sentinels, folding, fallbacks, and what is remembered."""

import pytest

from signatures.frames import ReferenceFrames
from signatures.generator import SignatureGenerator
from signatures.siglists import SignatureLists
from signatures.walk import StackWalk, is_repeatable_module
from tests.signatures.examples import small_lists, stack


def signature(profile, *frames, lists=None, **crash):
    return SignatureGenerator(lists or small_lists(), profile).generate(stack(*frames, **crash)).signature


@pytest.mark.parametrize(
    ("text", "folds"),
    [
        ("a.dll", True),
        ("a.DLL", True),
        ("libz.So", True),
        ("XUL", True),
        ("<name omitted>", True),
        ("<unknown in a>", True),
        ("(unloaded a.dll", False),
        ("libz.so.1", False),
        ("XULx", False),
        ("a.dll ", False),
    ],
)
def test_modules_that_fold_in_the_reference(text, folds):
    assert is_repeatable_module(text) is folds


def test_direct_recursion_folds_in_the_default_profile():
    frames = ("memcpy", "memcpy", "memcpy", "x()")
    assert signature("default", *frames) == "memcpy | x"
    assert signature("reference", *frames) == "memcpy | memcpy | memcpy | x"


def test_skipped_frames_do_not_end_a_repetition():
    frames = ({"module": "libz.so"}, "raise_helper", {}, {"module": "libz.so"}, "x()")
    assert signature("reference", *frames) == "libz.so | x"


def test_sentinel_cuts_before_the_fallback_is_chosen():
    frames = ("a()", "core::panicking::panic_fmt", "raise_helper")
    assert signature("reference", *frames) == "core::panicking::panic_fmt"


def test_cold_clone_is_no_sentinel_in_the_reference_only():
    frames = ("a()", "_purecall [clone .cold.1]", "b()")
    assert signature("reference", *frames) == "a"
    assert signature("default", *frames) == "_purecall"


def test_address_never_becomes_the_signature_in_the_default_profile():
    assert (
        signature("default", {"offset": "0x1234"}, {"offset": "0x77"})
        == "EMPTY: only addresses in crashing thread"
    )
    assert signature("default", {"offset": "0x1234"}, "raise_helper") == "raise_helper"
    assert signature("default", {}, {}) == "EMPTY: no frame data available"


def test_reference_takes_the_first_text_even_if_it_is_empty():
    assert signature("reference", {}, "raise_helper") == ""


@pytest.mark.parametrize(("profile", "expected"), [("default", "a"), ("reference", "a")])
def test_lists_without_entries(profile, expected):
    empty = SignatureLists.of(sentinels=["never"])
    # In the reference everything is irrelevant then, and shows its line.
    assert signature(profile, "a()", "b()", lists=empty) == (expected if profile == "default" else "a:None")


def test_lists_of_other_entries_do_not_leak_between_generators():
    assert signature("default", "a()", "b()", lists=SignatureLists.of(prefix=["a"])) == "a | b"
    assert signature("default", "a()", "b()", lists=SignatureLists.of(irrelevant=["a"])) == "b"


def test_long_names_are_not_remembered():
    walk = StackWalk(small_lists(), ReferenceFrames, folds=bool, empty_list_matches=True)
    walk.over(
        [{"function": "a" * 501}, {"function": "b"}, {"function": "b", "file": "f" * 501}], windows=False
    )
    assert walk.remembered_functions == 1


def test_remembered_function_still_depends_on_its_file():
    rust = {"function": "atlas::load::h00", "file": "/a/b.rs"}
    plain = {"function": "atlas::load::h00", "file": "/a/b.c"}
    result = SignatureGenerator(small_lists(), "reference").generate(stack(rust, plain, rust, plain))
    assert result.normalized_frames == ["atlas::load", "atlas::load::h00"] * 2
