"""Patterns that people type, turned into regular expressions of one engine's dialect or into plain pieces.

The target is the dialect of Rust's ``regex`` crate without anchors: an expression always covers the whole value.
"""

from __future__ import annotations

from collections.abc import Iterator

from processing.errors import BadQuery

#: Any text, line ends included.
ANYTHING = "(?s:.*)"
_ONE_CHARACTER = "(?s:.)"
_SPECIAL = frozenset(r"\.+*?()|[]{}^$#&-~")
#: Lucene gives these a meaning that only few engines can answer.
_NOT_OFFERED = {
    "~": "complement",
    "&": "intersection",
    "<": "number interval",
    ">": "number interval",
    "@": "any text",
    "#": "empty language",
}
_LUCENE_SPECIAL = frozenset('.?+*{}|()[]"') | frozenset(_NOT_OFFERED)
_CLASS_LETTERS = frozenset("dDsSwW")


def escape(text: str) -> str:
    """Give an expression that matches exactly ``text``."""
    return "".join("\\" + character if character in _SPECIAL else character for character in text)


def has_wildcard(text: str) -> bool:
    """Tell whether ``*`` or ``?`` stands in the text without a backslash before it."""
    return any(is_wildcard for _, is_wildcard in _characters(text))


def without_escapes(text: str) -> str:
    """Give the text meant by one without wildcards: ``\\*`` is a star, ``\\\\`` a backslash."""
    return "".join(character for character, _ in _characters(text))


def with_escapes(text: str) -> str:
    """Give the text without wildcards that means ``text``."""
    return "".join("\\" + character if character in "*?\\" else character for character in text)


def plain_within(expression: str) -> str | None:
    """Give the text that a regular expression as Elasticsearch takes it looks for anywhere in a value.

    None when it is not of that kind: ``.*``, plain text, ``.*``.
    """
    inner = expression[2:-2]
    if len(expression) < 4 or not (expression.startswith(".*") and expression.endswith(".*")):
        return None
    plain: list[str] = []
    characters = iter(inner)
    for character in characters:
        meant = next(characters, "") if character == "\\" else character
        is_plain = meant not in _CLASS_LETTERS if character == "\\" else meant not in _LUCENE_SPECIAL
        if not (meant and is_plain):
            return None
        plain.append(meant)
    return "".join(plain)


def from_wildcards(text: str) -> str:
    """Turn a text with ``*`` (any text) and ``?`` (one character) into an expression."""
    expressions = {"*": ANYTHING, "?": _ONE_CHARACTER}
    return "".join(
        expressions[character] if is_wildcard else escape(character)
        for character, is_wildcard in _characters(text)
    )


def from_lucene(text: str) -> str:
    """Turn a regular expression as Elasticsearch takes it into this module's dialect.

    Understood: ``. ? + * {n,m} | ( ) [ ]``, a backslash before any character, and ``"…"`` for plain text; no anchors.
    Raises: BadQuery for an open quote, and for Lucene's operators ``~ & < > @ #``.
    """
    return "".join(_translated(iter(text)))


def _translated(characters: Iterator[str]) -> Iterator[str]:
    in_class = False
    for character in characters:
        if character == '"' and not in_class:
            yield escape(_until_quote(characters))
        elif character == "\\":
            yield _escaped(next(characters, ""))
        elif in_class:
            in_class = character != "]"
            yield "\\" + character if character in "&~[" else character
        elif character in _NOT_OFFERED:
            raise BadQuery(
                f"the regular expression uses {character!r} ({_NOT_OFFERED[character]}), which is not offered; "
                f'for the character itself write \\{character} or "{character}"'
            )
        elif character == ".":
            yield _ONE_CHARACTER
        else:
            in_class = character == "["
            yield "\\" + character if character in "^$" else character


def _until_quote(characters: Iterator[str]) -> str:
    plain: list[str] = []
    for character in characters:
        if character == '"':
            return "".join(plain)
        plain.append(character)
    raise BadQuery('the regular expression has a " without its partner; for the character itself write \\"')


def _escaped(character: str) -> str:
    if character == "":
        raise BadQuery("the regular expression ends in a backslash; for the character itself write two")
    return "\\" + character if character in _CLASS_LETTERS else escape(character)


def _characters(text: str) -> Iterator[tuple[str, bool]]:
    """Give each character meant, and whether it is a wildcard."""
    characters = iter(text)
    for character in characters:
        if character != "\\":
            yield character, character in "*?"
            continue
        following = next(characters, "")
        if following not in ("*", "?", "\\"):
            yield character, False  # a backslash before anything else is itself, as in C:\Windows
        if following:
            yield following, False
