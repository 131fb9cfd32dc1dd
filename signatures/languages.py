"""Function names to frame texts for the default profile: C++, Rust, Swift, Objective-C and Go.

What stays is what identifies a function across builds: scopes, name, operator, ``(anonymous namespace)``. What goes:
parameters, template arguments, return types, qualifiers, hashes, ``[clone ...]``. A name is cut into the pieces that
lie side by side at its top level (words, brackets with all they hold, spaces), in one pass; the rules then choose
among pieces and never see an unbalanced bracket.
"""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from signatures import reference
from signatures.collapse import ANGLE, CLOSER_OF, ROUND, SQUARE, pairs_or_singles, replace_slices
from signatures.declarations import name_of


class Language(NamedTuple):
    """The rules for the functions of one language: ``clean`` a name, ``finish`` it once a line may be appended."""

    name: str
    clean: Callable[[str], str]
    finish: Callable[[str], str]


Piece = tuple[str, str]
"""Text at the top level of a name: (opener, text). A word has no opener; a bracket's text is all it holds."""

_OPERATOR = (
    r"operator(?<![\w$]operator)(?![\w$])"
    r"(?:\s*(?:\(\)|\[\]|->\*?|<=>|<<=?|>>=?|<=?|>=?|[-+*/%^&|~!=,]{1,3}))?"
)
_MARKS = re.compile(rf"{_OPERATOR}| |->|{pairs_or_singles(excluded='-')}")
_ARROW = [("", "->")]
_REQUIRES = [("", "requires")]
_SWIFT_IN = [("", "in")]
_SWIFT_COLON = [("", ":")]
_LAMBDA_NUMBER = re.compile(r"::\$_\d+(?=::|\Z)")
_LEGACY_HASH = re.compile(r"::h[0-9a-f]{16}(?=\Z|\.llvm\.\d+\Z| \[clone )")
_LLVM_CLONE = re.compile(r"\.llvm\.\d+\Z")
_CRATE_DISAMBIGUATOR = re.compile(r"(?<=\w)\[[0-9a-f]{1,16}\](?=::)")
_SWIFT_CLOSURE = re.compile(r"(?:partial apply (?:forwarder )?for )?(?:implicit )?closure #\d+")
_SWIFT_PRIVATE = re.compile(r"\(([^\s()]++) in _[0-9A-F]++\)")
_SWIFT_EXTENSION = re.compile(r"\(extension in [^\s()]++\):")
_SWIFT_FIXITIES = ("infix", "prefix", "postfix")

_QUALIFIERS = frozenset(
    ("const", "const&", "const&&", "volatile", "noexcept", "&", "&&", "throws", "rethrows", "async")
)
_ANONYMOUS = "(anonymous namespace)"


def choose(function: str, path: str) -> Language:
    """Choose the language of a function from its name and the path of its source file ('' when unknown)."""
    if path.endswith(".rs") or ("::h" in function and _LEGACY_HASH.search(function)):
        return RUST
    if function.startswith(("-[", "+[")):
        return OBJECTIVE_C
    if path.endswith(".go") or ".(*" in function:
        return GO
    if path.endswith(".swift") or (
        (" -> " in function or " : " in function) and "::" not in function and "operator" not in function
    ):
        return SWIFT
    return CPP


def clean_cpp(function: str) -> str:
    """Reduce a demangled C or C++ name, Itanium or MSVC spelling.

    >>> clean_cpp("static bool atlas::Grid<int, 3>::operator==(atlas::Grid<int, 3> const&) const")
    'atlas::Grid<T>::operator=='
    """
    text = function.strip()
    if (plain := name_of(text.removesuffix(" const"))) is not None:
        return plain
    text = text.replace("`anonymous namespace'", _ANONYMOUS).replace("`anonymous-namespace'", _ANONYMOUS)
    text = _LAMBDA_NUMBER.sub("::$", text)
    words = _words(text)
    name = _operator_pieces(words) if "operator" in text else None
    return _render(name or _name_pieces(words), _cpp_angle) or text


def clean_rust(function: str) -> str:
    """Reduce a demangled Rust name, legacy or v0 mangling, with or without its hash.

    >>> clean_rust("<alloc::vec::Vec<T> as core::ops::Drop>::drop::h0011223344556677")
    '<alloc::vec::Vec<T> as core::ops::Drop>::drop'
    """
    text = _LLVM_CLONE.sub("", _LEGACY_HASH.sub("", function.strip()))
    text = _CRATE_DISAMBIGUATOR.sub("", text)
    if (plain := name_of(text)) is not None:
        return plain
    return _render(_name_pieces(_words(text)), _rust_angle) or function.strip()


def clean_swift(function: str) -> str:
    """Reduce a demangled Swift name: parameters, effects and the type behind the arrow or the colon go.

    >>> clean_swift("closure #1 (Swift.Int) -> () in Atlas.Loader.fetch() throws -> Swift.Int")
    'closure in Atlas.Loader.fetch'
    """
    text = _SWIFT_EXTENSION.sub("", _SWIFT_PRIVATE.sub(r"\1", function.strip()))
    parts = _split_at(_SWIFT_IN, _words(text))
    is_closure = bool(_SWIFT_CLOSURE.match(text))
    name = _render(_swift_pieces(parts[-1] if is_closure else parts[0]), _cpp_angle)
    if not name:
        return function.strip()
    return f"closure in {name}" if is_closure else name


def clean_objective_c(function: str) -> str:
    """Reduce an Objective-C method: the category goes, class and selector stay.

    >>> clean_objective_c("+[ACMCache(Private) setObject:forKey:]")
    '+[ACMCache setObject:forKey:]'
    """
    return replace_slices(function.strip(), ROUND, lambda *_: "")


def clean_go(function: str) -> str:
    """Reduce a Go function: type arguments go, receivers such as ``(*Server)`` stay.

    >>> clean_go("main.(*Cache[go.shape.string]).Get")
    'main.(*Cache[T]).Get'
    """
    return replace_slices(function.strip(), SQUARE, lambda *_: "[T]")


CPP = Language("C++", clean_cpp, reference.fix_spacing)
RUST = Language("Rust", clean_rust, reference.fix_spacing)
SWIFT = Language("Swift", clean_swift, reference.fix_spacing)
OBJECTIVE_C = Language("Objective-C", clean_objective_c, str)
GO = Language("Go", clean_go, str)


def _words(text: str) -> list[list[Piece]]:
    """Cut a name into the pieces of each word; a bracket that is never closed ends with the text.

    The symbols of an operator and of an arrow are words: ``operator<`` opens nothing and ``->`` closes nothing.
    """
    words: list[list[Piece]] = []
    word: list[Piece] = []
    awaited: list[str] = []
    start = 0
    for found in _MARKS.finditer(text):
        mark = found[0]
        if awaited:
            if mark == awaited[-1]:
                awaited.pop()
                if not awaited:
                    word.append((text[start], text[start : found.end()]))
                    start = found.end()
            elif mark in CLOSER_OF:
                awaited.append(CLOSER_OF[mark])
            continue
        if found.start() > start:
            word.append(("", text[start : found.start()]))
        if mark in CLOSER_OF:
            awaited.append(CLOSER_OF[mark])
            start = found.start()
            continue
        start = found.end()
        if mark != " ":
            word.append((mark[0] if mark[0] in CLOSER_OF else "", mark))
        elif word:
            words.append(word)
            word = []
    if start < len(text):
        word.append((text[start] if awaited else "", text[start:]))
    if word:
        words.append(word)
    return words


def _split_at(separator: list[Piece], words: list[list[Piece]]) -> list[list[list[Piece]]]:
    """Split words at each that is the separator: Swift writes a closure as ``closure … in the function around it``."""
    parts: list[list[list[Piece]]] = [[]]
    for word in words:
        if word == separator:
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part] or [[]]


def _operator_pieces(words: list[list[Piece]]) -> list[Piece] | None:
    """Choose the words that make the name of an operator: from the one with ``operator`` on; None without one."""
    words = _before(_ARROW, words)
    for index, word in enumerate(words):
        if any(map(_is_operator, word)):
            return _joined(_without_trailing_extras(words[index:]))
    return None


def _name_pieces(words: list[list[Piece]]) -> list[Piece]:
    """Choose the word that makes the name: no return type in front, nothing that comes after the parameters."""
    words = _without_trailing_extras(_before(_REQUIRES, _before(_ARROW, words)))
    if len(words) > 1 and words[-1][0][0] == "(" and words[-1][0][1] != _ANONYMOUS:
        return words[-2] + words[-1]
    return words[-1] if words else []


def _swift_pieces(words: list[list[Piece]]) -> list[Piece]:
    """Choose the word that makes the name of a Swift function, accessor (``x.getter : T``) or operator."""
    words = _before(_SWIFT_COLON, words)
    for name, word in pairwise(words):
        if word[0][1] in _SWIFT_FIXITIES:
            return name
    return _name_pieces(words)


def _before(mark: list[Piece], words: list[list[Piece]]) -> list[list[Piece]]:
    return words[: words.index(mark)] if mark in words else words


def _without_trailing_extras(words: list[list[Piece]]) -> list[list[Piece]]:
    """Leave out the qualifiers, clone marks and GCC's ``[with T = …]`` at the end; the first word stays."""
    count = len(words)
    while count > 1 and _is_extra(words[count - 1]):
        count -= 1
    return words[:count]


def _is_extra(word: list[Piece]) -> bool:
    opener, text = word[0]
    return text in _QUALIFIERS or (opener == "[" and text.startswith(("[clone", "[with ")))


def _joined(words: list[list[Piece]]) -> list[Piece]:
    joined = list(words[0])
    for word in words[1:]:
        joined += ("", " "), *word
    return joined


def _is_operator(piece: Piece) -> bool:
    opener, text = piece
    return not opener and text.startswith("operator") and not text[8:9].isidentifier()


def _render(pieces: list[Piece], angle: Callable[[list[Piece], int], str]) -> str:
    """Write the pieces of a name: no parameters, ``angle`` decides about template arguments."""
    parts = []
    for index, (opener, text) in enumerate(pieces):
        if opener == "<":
            parts.append(angle(pieces, index))
        elif opener == "(":
            parts.append(_ANONYMOUS if text == _ANONYMOUS else "")
        elif opener in ("{", "`"):
            parts.append(replace_slices(text, ROUND, lambda *_: ""))
        else:
            parts.append(text)
    return "".join(parts)


def _cpp_angle(pieces: list[Piece], index: int) -> str:
    text = pieces[index][1]
    if _is_telling(text):
        return text
    if index and pieces[index - 1][1].endswith("IPC::ParamTraits"):
        return _with_inner_collapsed(text)
    return "<T>"


def _rust_angle(pieces: list[Piece], index: int) -> str:
    text = pieces[index][1]
    if _is_telling(text):
        return text
    if index == 0 and len(pieces) > 1 and pieces[1][1].startswith("::"):
        return _with_inner_collapsed(text)
    return "<T>"


def _with_inner_collapsed(text: str) -> str:
    """Keep the outermost brackets and what they hold, but not the arguments within."""
    return "<" + replace_slices(text[1:], ANGLE, lambda *_: "<T>")


def _is_telling(text: str) -> bool:
    return " as " in text or " in " in text or text == "<name omitted>"
