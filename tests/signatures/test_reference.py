"""The reference's function rules against a slow model that spells each step out, and its odd corners by name."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from signatures import reference
from signatures.collapse import ANGLE, ROUND, SQUARE, outermost_slices

WORDS = (
    "const",
    "&",
    "&&",
    " ",
    "  ",
    "::",
    "operator",
    "operator()",
    "<",
    ">",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "`",
    "'",
    "IPC::ParamTraits<",
    " as ",
    " in ",
    "<name omitted>",
    "(anonymous namespace)",
    "`anonymous namespace'",
    "::$_12",
    "[clone .cold.3]",
    "[clone .isra.0]",
    "clone .cold",
    ",",
    "*",
    "->",
    "a",
    "Tile",
    "::h0a",
    "::hface",
    "é",
    "\n",
    "(int)",
)
NAMES = st.lists(st.sampled_from(WORDS), max_size=12).map("".join)


def model_tokens(text):
    closers = {"(": ")", "[": "]", "{": "}", "<": ">", "`": "'"}
    tokens, current, awaited = [], "", []
    for character in text:
        if character == " " and not awaited:
            tokens.append(current)
            current = ""
            continue
        current += character
        if character in closers:
            awaited.append(closers[character])
        elif awaited and awaited[-1] == character:
            awaited.pop()
    return [*tokens, current] if current else tokens


def model_last_token(text):
    tokens = model_tokens(text)
    last = tokens.pop()
    while tokens and last.startswith(("(", "[clone")):
        last = f"{tokens.pop()} {last}"
    return last


def model_slices(text, brackets, decide):
    result, before_start = "", 0
    for start, end in outermost_slices(text, brackets):
        result += text[before_start:start] + decide(text[start:end], text[before_start:start])
        before_start = end
    return result + text[before_start:]


def model_template(piece, before):
    if piece == "<name omitted>" or " as " in piece or " in " in piece or before.endswith("operator"):
        return piece
    if before.endswith("IPC::ParamTraits"):
        closer = ">" if model_is_closed(piece) else ""
        return "<" + model_slices(piece[1 : len(piece) - len(closer)], ANGLE, model_template) + closer
    return "<T>"


def model_is_closed(piece):
    return piece.count("<") == piece.count(">")


def model_cpp(function):
    text = function
    for qualifier in ("const", "const&", "const &", "&&", "&"):
        if text.endswith(qualifier):
            text = text[: -len(qualifier)].strip()
    if not text:
        return None
    if "::operator" not in text:
        text = model_last_token(text)
    text = text.replace("`anonymous namespace'", "(anonymous namespace)")
    text = re.sub(r"::\$_\d+::", "::$::", text)
    text = model_slices(text, ANGLE, model_template)
    text = model_slices(
        text,
        ROUND,
        lambda piece, before: (
            piece if piece == "(anonymous namespace)" or before.endswith("operator") else ""
        ),
    )
    if "clone .cold" in text:
        text = model_slices(text, SQUARE, lambda _piece, _before: "")
    return text


def model_rust(function):
    text = model_last_token(function)
    text = model_slices(text, ANGLE, lambda piece, _before: piece if " as " in piece else "<T>")
    return model_slices(text, ROUND, lambda _piece, _before: "")


@given(NAMES.filter(bool))
@settings(max_examples=1000, deadline=None)
@example("x::(anonymous namespace)")
@example("IPC::ParamTraits<IPC::ParamTraits<a>::b<c<d>> as ")
@example("IPC::ParamTraits<IPC::ParamTraits<a>::b<c<d>>>::e<f>")
@example("IPC::ParamTraits<a<b>::operator<c> in >::d<e>")
@example("a::operator(b)(c)")
def test_cpp_names_agree_with_the_model(function):
    expected = model_cpp(function)
    if expected is None:
        with pytest.raises(reference.UnnamedFunction):
            reference.clean_cpp(function)
    else:
        assert reference.clean_cpp(function) == expected


@given(NAMES.filter(bool))
@settings(max_examples=1000, deadline=None)
def test_rust_names_agree_with_the_model(function):
    assert reference.clean_rust(function) == model_rust(function)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("tail ", "tail"),
        (" ", ""),
        ("f  (int)", " "),
        ("f(int)const", "f"),
        ("f() const const&", "const"),
        ("Take(int)&&", "Take"),
        ("a::operator&", "a::operator"),
        ("f<a", "f<T>"),
        ("f<a as b", "f<a as b"),
        (
            "IPC::ParamTraits<IPC::ParamTraits<a<b>>>::Read()",
            "IPC::ParamTraits<IPC::ParamTraits<a<T>>>::Read",
        ),
        ("IPC::ParamTraits<<name omitted>>::Read()", "IPC::ParamTraits<<name omitted>>::Read"),
        ("IPC::ParamTraits<a in b<c>>::Read()", "IPC::ParamTraits<a in b<c>>::Read"),
        ("x::(anonymous namespace)(int)", "x::(anonymous namespace)"),
        ("f [clone .cold] [abi:x]", "[abi:x]"),
        ("f[abi:x](int) [clone .cold.1]", "f "),
    ],
)
def test_odd_cpp_names(function, text):
    assert reference.clean_cpp(function) == text


@pytest.mark.parametrize(
    ("text", "spaced"),
    [
        ("a  *b", "a *b"),
        ("a ,b", "a, b"),
        ("a,", "a, "),
        ("a, b", "a, b"),
        ("a ,,b", "a, , b"),
        ("a & *", "a&*"),
    ],
)
def test_spacing(text, spaced):
    assert reference.fix_spacing(text) == spaced


def test_hash_of_any_length_goes_but_only_at_the_end():
    assert reference.finish_rust("a::b::h0") == "a::b"
    assert reference.finish_rust("a::b::h0F") == "a::b"
    assert reference.finish_rust("a::b::h0:12") == "a::b::h0:12"
    assert reference.finish_rust("a::b::hg") == "a::b::hg"


@pytest.mark.parametrize(
    ("file", "path"),
    [
        ("hg:host/repo:src/a.rs:77d0", "src/a.rs"),
        ("C:\\dir\\a.rs", "\\dir\\a.rs"),
        ("/abs:x:y/a.rs", "/abs:x:y/a.rs"),
        ("a:b:c", None),
        ("a.rs", None),
        ("a:b:c:d:e", None),
    ],
)
def test_source_path_is_taken_out_of_known_forms_only(file, path):
    assert reference.source_path(file) == path


@pytest.mark.parametrize(
    ("path", "scope", "functions"),
    [
        ("src/liballoc/raw_vec.rs", "alloc::raw_vec", ["capacity_overflow"]),
        ("src/libcore/option.rs", "core::option", ["expect_failed"]),
        ("src/libcore/panicking.rs", "core::panicking", ["panic_bounds_check", "panic_fmt", "panic"]),
        ("src/libcore/slice/mod.rs", "core::slice", ["slice_index_order_fail"]),
        (
            "src/libstd/panicking.rs",
            "std::panicking",
            ["begin_panic_fmt", "continue_panic_fmt", "rust_panic_with_hook"],
        ),
    ],
)
def test_panic_functions_get_back_the_module_that_their_source_file_tells(path, scope, functions):
    for function in functions:
        assert reference.repair_panic(path, function) == f"{scope}::{function}"
        assert reference.repair_panic(f"/{path}", function) == function
