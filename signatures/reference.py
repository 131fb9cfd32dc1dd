"""Function names to frame texts exactly as the field's reference does it, its oddities included.

The ``reference`` profile uses these rules for migration and comparison. They were written from a description of the
reference's behaviour; where they look wrong (``needs_const`` loses its tail, ``operator new`` becomes ``new``), they
are meant to be. ``languages`` holds the rules that are right instead.
"""

import re

from signatures.collapse import ANGLE, ROUND, SQUARE, last_token, replace_slices, slice_ends
from signatures.declarations import name_of

_QUALIFIERS = ("const", "const&", "const &", "&&", "&")
_CONTINUATIONS = ("(", "[clone")
_CLANG_LAMBDA = re.compile(r"::\$_\d+::")
_SPACE_BEFORE = re.compile(r" (?=[*&,])")
_COMMA_WITHOUT_SPACE = re.compile(r",(?! )")
_RUST_HASH = re.compile(r"::h[0-9a-fA-F]+\Z")
_IPC_TEMPLATE = "IPC::ParamTraits"
_OMITTED = "<name omitted>"

_PANICS_WITHOUT_PATH = {
    ("src/liballoc/raw_vec.rs", "capacity_overflow"): "alloc::raw_vec::capacity_overflow",
    ("src/libcore/option.rs", "expect_failed"): "core::option::expect_failed",
    ("src/libcore/panicking.rs", "panic_bounds_check"): "core::panicking::panic_bounds_check",
    ("src/libcore/panicking.rs", "panic_fmt"): "core::panicking::panic_fmt",
    ("src/libcore/panicking.rs", "panic"): "core::panicking::panic",
    ("src/libcore/slice/mod.rs", "slice_index_order_fail"): "core::slice::slice_index_order_fail",
    ("src/libstd/panicking.rs", "begin_panic_fmt"): "std::panicking::begin_panic_fmt",
    ("src/libstd/panicking.rs", "continue_panic_fmt"): "std::panicking::continue_panic_fmt",
    ("src/libstd/panicking.rs", "rust_panic_with_hook"): "std::panicking::rust_panic_with_hook",
}


class UnnamedFunction(AttributeError):
    """A function that is nothing but a qualifier; its text is what the reference writes into its notes."""

    def __init__(self) -> None:
        super().__init__("'Result' object has no attribute 'note'")


def source_path(file: str) -> str | None:
    """Take the path out of a version-control form, a Windows path or an absolute path; None for all others."""
    parts = file.split(":")
    if len(parts) == 4:
        return parts[2]
    if len(parts) == 2:
        return parts[1]
    return file if file.startswith("/") else None


def repair_panic(path: str, function: str) -> str:
    """Put back the module path that symbol files made with Rust 1.34 lack for panic functions."""
    return _PANICS_WITHOUT_PATH.get((path, function), function)


def clean_cpp(function: str) -> str:
    """Reduce the name of a C or C++ function to what identifies it, before line numbers and spacing.

    Raises: UnnamedFunction when nothing is left once trailing qualifiers are gone.
    """
    text = _without_trailing_qualifiers(function)
    if not text:
        raise UnnamedFunction
    if (name := name_of(text)) is not None:
        return name
    if "::operator" not in text:
        text = last_token(text, _CONTINUATIONS)
    text = text.replace("`anonymous namespace'", "(anonymous namespace)")
    text = _CLANG_LAMBDA.sub("::$::", text)
    text = _collapse_ipc_templates(text) if _IPC_TEMPLATE in text else replace_slices(text, ANGLE, _template)
    text = replace_slices(text, ROUND, _parameters)
    if "clone .cold" in text:
        text = replace_slices(text, SQUARE, _nothing)
    return text


def clean_rust(function: str) -> str:
    """Reduce the name of a Rust function to what identifies it, before line numbers, spacing and hash."""
    text = last_token(function, _CONTINUATIONS)
    text = replace_slices(text, ANGLE, _rust_generics)
    return replace_slices(text, ROUND, _nothing)


def fix_spacing(text: str) -> str:
    """Take the space before ``*``, ``&`` and ``,`` away; have one after each comma."""
    if " " in text:
        text = _SPACE_BEFORE.sub("", text)
    if "," in text:
        text = _COMMA_WITHOUT_SPACE.sub(", ", text)
    return text


def finish_rust(text: str) -> str:
    """Fix the spacing, then cut the hash off the end, if it is at the end."""
    return _RUST_HASH.sub("", fix_spacing(text))


def _without_trailing_qualifiers(text: str) -> str:
    if not text.endswith(("const", "&")):
        return text
    for qualifier in _QUALIFIERS:
        if text.endswith(qualifier):
            text = text[: -len(qualifier)].strip()
    return text


def _template(text: str, start: int, end: int) -> str | None:
    if text.endswith("operator", 0, start) or _is_telling(text, start, end):
        return None
    return "<T>"


def _is_telling(text: str, start: int, end: int) -> bool:
    return (
        text.find(" as ", start, end) >= 0
        or text.find(" in ", start, end) >= 0
        or text[start:end] == _OMITTED
    )


def _parameters(text: str, start: int, end: int) -> str | None:
    if text.endswith("operator", 0, start) or text[start:end] == "(anonymous namespace)":
        return None
    return ""


def _rust_generics(text: str, start: int, end: int) -> str | None:
    return None if text.find(" as ", start, end) >= 0 else "<T>"


def _nothing(_text: str, _start: int, _end: int) -> str:
    return ""


def _collapse_ipc_templates(text: str) -> str:
    """Collapse templates, but look into the arguments of ``IPC::ParamTraits`` instead of dropping them."""
    ends = slice_ends(text, ANGLE)
    casts, places = _Occurrences(text, " as "), _Occurrences(text, " in ")
    parts: list[str] = []
    copied = position = 0
    while (start := text.find("<", position)) >= 0:
        end = ends[start]
        position = end
        if casts.within(start, end) or places.within(start, end) or text.endswith("operator", 0, start):
            continue
        if text.endswith(_IPC_TEMPLATE, 0, start):
            position = start + 1
        elif not text.startswith(_OMITTED, start):
            parts += text[copied:start], "<T>"
            copied = end
    parts.append(text[copied:])
    return "".join(parts)


class _Occurrences:
    """Where a needle occurs in a text, for questions whose starts never go back: the text is searched once."""

    def __init__(self, text: str, needle: str) -> None:
        self._text, self._needle = text, needle
        self._next = text.find(needle)

    def within(self, start: int, end: int) -> bool:
        """Say whether the needle lies wholly between ``start`` and ``end``."""
        if 0 <= self._next < start:
            self._next = self._text.find(self._needle, start)
        return 0 <= self._next <= end - len(self._needle)
