"""Conditions of a query compiled for tantivy: one small function for each operator, kept in a dict."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import datetime
from typing import Any

import tantivy
from tantivy import FieldType, Occur

from processing.errors import BadQuery
from processing.schema.field import Field, SearchKind
from processing.search import documents, patterns
from processing.search.aggregations import to_microseconds
from processing.search.query import (
    OPERATORS_OF_KIND,
    AllOf,
    AnyOf,
    Condition,
    Filter,
    Operator,
    Value,
)
from processing.search.tantivy_layout import END, FRAMES, START, WORDS, WORDS_ANALYZER, Layout

#: More words than this in one value are refused.
MAX_WORDS = 256
_INT64 = range(-(2**63), 2**63)

_NUMBERS = {
    SearchKind.INTEGER: FieldType.Integer,
    SearchKind.DATETIME: FieldType.Integer,
    SearchKind.NUMBER: FieldType.Float,
}


class Compiler:
    """Compiles conditions for one index.

    With ``scan_frames``, text across frames is looked for in whole values instead of in the frame terms: slower, but
    without the engine's limit on how many frames one piece of it may match. ``scans`` tells whether what was compiled
    has to be compared with every stack there is.
    """

    def __init__(self, layout: Layout, *, scan_frames: bool = False) -> None:
        self._layout = layout
        self.schema = layout.schema
        self.scan_frames = scan_frames
        self.scans = False

    def compile(self, condition: Condition) -> tantivy.Query:
        """Give the tantivy query for a condition. Raises: BadQuery; SearchError for a field the index lacks."""
        if isinstance(condition, AllOf):
            return all_of([self.compile(part) for part in condition.conditions])
        if isinstance(condition, AnyOf):
            return any_of([self.compile(part) for part in condition.conditions])
        return self._compile_filter(condition)

    def _compile_filter(self, condition: Filter) -> tantivy.Query:
        field = condition.field
        self._layout.require(field)
        if condition.operator not in OPERATORS_OF_KIND[field.search]:
            raise BadQuery(
                f"the operator {condition.operator.value!r} is not offered for {field.public_name}"
            )
        if condition.operator is Operator.IS_NULL:
            matching = negation(tantivy.Query.exists_query(field.public_name))
        elif condition.operator is Operator.IS_TRUE:
            matching = _term(self, field, True)
        else:
            compile_one = OPERATORS[condition.operator]
            matching = any_of([compile_one(self, field, value) for value in condition.values])
        return negation(matching) if condition.negated else matching


def all_of(queries: list[tantivy.Query]) -> tantivy.Query:
    """Documents that match every query; of none: all documents."""
    if not queries:
        return tantivy.Query.all_query()
    return (
        queries[0] if len(queries) == 1 else tantivy.Query.boolean_query([(Occur.Must, q) for q in queries])
    )


def any_of(queries: list[tantivy.Query]) -> tantivy.Query:
    """Documents that match at least one query; of none: no document."""
    if not queries:
        return tantivy.Query.empty_query()
    return (
        queries[0] if len(queries) == 1 else tantivy.Query.boolean_query([(Occur.Should, q) for q in queries])
    )


def negation(query: tantivy.Query) -> tantivy.Query:
    """Documents that do not match, those without the field included."""
    return tantivy.Query.boolean_query([(Occur.Must, tantivy.Query.all_query()), (Occur.MustNot, query)])


def _matches(compiler: Compiler, field: Field, value: Value) -> tantivy.Query:
    """Text: any of its words. Everything else: the whole value."""
    if field.search not in (SearchKind.TEXT, SearchKind.FRAMES):
        return _is(compiler, field, value)
    words = dict.fromkeys(WORDS_ANALYZER.analyze(documents.cut_text(str(value))))
    if len(words) > MAX_WORDS:
        raise BadQuery(
            f"{field.public_name}: {len(words)} words in one value; at most {MAX_WORDS} can be looked for"
        )
    name = field.public_name + WORDS
    return any_of([tantivy.Query.term_query(compiler.schema, name, word, "basic") for word in words])


def _is(compiler: Compiler, field: Field, value: Value) -> tantivy.Query:
    match field.search:
        case SearchKind.KEYWORD:
            return _term(compiler, field, documents.cut_keyword(str(value)))
        case SearchKind.LIST:
            return _term(compiler, field, documents.cut_text(str(value).lower()))
        case SearchKind.TEXT | SearchKind.FRAMES:
            return _term(compiler, field, documents.cut_text(str(value)))
        case _:
            return _term(compiler, field, _number_of(value))


def _term(compiler: Compiler, field: Field, value: Any) -> tantivy.Query:
    if field.search in (SearchKind.INTEGER, SearchKind.DATETIME) and value not in _INT64:
        return tantivy.Query.empty_query()
    return tantivy.Query.term_query(compiler.schema, field.public_name, value, "basic")


def _contains(compiler: Compiler, field: Field, value: Value) -> tantivy.Query:
    text = _operand(field, value)
    if _is_plain_frames(compiler, field, text):
        return _in_frames(compiler, field, patterns.without_escapes(text))
    return _scan(compiler, field, f"{patterns.ANYTHING}{patterns.from_wildcards(text)}{patterns.ANYTHING}")


def _starts_with(compiler: Compiler, field: Field, value: Value) -> tantivy.Query:
    text = _operand(field, value)
    compare = _scan if patterns.has_wildcard(text) else _regex
    return compare(compiler, field, patterns.from_wildcards(text) + patterns.ANYTHING)


def _ends_with(compiler: Compiler, field: Field, value: Value) -> tantivy.Query:
    text = _operand(field, value)
    if _is_plain_frames(compiler, field, text):
        return _in_frames(compiler, field, patterns.without_escapes(text) + END)
    return _scan(compiler, field, patterns.ANYTHING + patterns.from_wildcards(text))


def _matches_regex(compiler: Compiler, field: Field, value: Value) -> tantivy.Query:
    text = patterns.plain_within(str(value))
    if text and _is_plain_frames(compiler, field, patterns.with_escapes(text)):
        return _in_frames(compiler, field, text)
    return _scan(compiler, field, patterns.from_lucene(str(value)))


def _operand(field: Field, value: Value) -> str:
    text = str(value)
    return text.lower() if field.search is SearchKind.LIST else text


def _scan(compiler: Compiler, field: Field, expression: str) -> tantivy.Query:
    """Compare whole values with an expression that may begin anyhow, so that no order of them helps."""
    if field.search is SearchKind.FRAMES:
        compiler.scans = True
    return _regex(compiler, field, expression)


def _regex(compiler: Compiler, field: Field, expression: str, part: str = "") -> tantivy.Query:
    try:
        return tantivy.Query.regex_query(compiler.schema, field.public_name + part, expression)
    except ValueError as exc:
        raise bad_expression(field.public_name, exc) from exc


def bad_expression(name: str, exc: ValueError) -> BadQuery:
    """Say what is wrong with an expression that the engine refused; only the last line of its text tells."""
    if "exceeds size limit" in str(exc):
        return BadQuery(f"{name}: the pattern is too long or too complex; make it shorter or simpler")
    reason = str(exc).strip("'\" ").rsplit("\n", 1)[-1].removeprefix("error: ")
    return BadQuery(f"{name}: not a regular expression that can be searched ({reason[:200]})")


def _is_plain_frames(compiler: Compiler, field: Field, text: str) -> bool:
    if field.search is not SearchKind.FRAMES or compiler.scan_frames:
        return False
    return not (START in text or END in text or patterns.has_wildcard(text))


def _in_frames(compiler: Compiler, field: Field, text: str) -> tantivy.Query:
    """Find text in a sequence of frames.

    It lies within one term; or it runs from the end of one over whole terms into the beginning of another; or it
    begins with the tail of a separator, and then the rest of it begins a term that is not the first.
    """
    separator = documents.FRAME_SEPARATOR
    readings = []
    if separator not in text[:-1]:
        within = f"{patterns.ANYTHING}{patterns.escape(text)}{patterns.ANYTHING}"
        readings.append(_regex(compiler, field, within, FRAMES))
    for tail in (separator, separator[1:], separator[2:]):
        rest = text.removeprefix(tail)
        if rest and rest != text:
            readings.append(_sequence(compiler, field, _pieces(rest), first_is_whole=True))
    pieces = _pieces(text)
    if len(pieces) > 1 and pieces[0] != separator:
        readings.append(_sequence(compiler, field, pieces, first_is_whole=False))
    return any_of(readings)


def _pieces(text: str) -> list[str]:
    """Cut text after each separator; no piece is empty."""
    *leading, last = text.split(documents.FRAME_SEPARATOR)
    return [piece + documents.FRAME_SEPARATOR for piece in leading] + ([last] if last else [])


def _sequence(compiler: Compiler, field: Field, pieces: list[str], *, first_is_whole: bool) -> tantivy.Query:
    expressions = [patterns.escape(piece) for piece in pieces]
    if not pieces[-1].endswith((END, documents.FRAME_SEPARATOR)):
        expressions[-1] += patterns.ANYTHING
    if not first_is_whole:
        expressions[0] = patterns.ANYTHING + expressions[0]
    if len(expressions) == 1:
        return _regex(compiler, field, expressions[0], FRAMES)
    return tantivy.Query.regex_phrase_query(compiler.schema, field.public_name + FRAMES, [*expressions])


def _number_of(value: Value) -> Value:
    return to_microseconds(value) if isinstance(value, datetime) else value


def _range(
    inside: Callable[[Any, Any], bool], *, lower: bool, inclusive: bool
) -> Callable[..., tantivy.Query]:
    """Make the function of one range operator; ``inside`` compares when a bound lies beyond all that is indexed."""

    def compile_range(compiler: Compiler, field: Field, value: Value) -> tantivy.Query:
        bound = _number_of(value)
        if field.search is not SearchKind.NUMBER and bound not in _INT64:
            return (
                tantivy.Query.exists_query(field.public_name)
                if inside(0, bound)
                else tantivy.Query.empty_query()
            )
        return tantivy.Query.range_query(
            compiler.schema,
            field.public_name,
            _NUMBERS[field.search],
            lower_bound=bound if lower else None,
            upper_bound=None if lower else bound,
            include_lower=inclusive or not lower,
            include_upper=inclusive or lower,
        )

    return compile_range


OPERATORS: dict[Operator, Callable[[Compiler, Field, Value], tantivy.Query]] = {
    Operator.MATCHES: _matches,
    Operator.IS: _is,
    Operator.CONTAINS: _contains,
    Operator.STARTS_WITH: _starts_with,
    Operator.ENDS_WITH: _ends_with,
    Operator.REGEX: _matches_regex,
    Operator.GREATER: _range(operator.gt, lower=True, inclusive=False),
    Operator.GREATER_OR_EQUAL: _range(operator.ge, lower=True, inclusive=True),
    Operator.LESS: _range(operator.lt, lower=False, inclusive=False),
    Operator.LESS_OR_EQUAL: _range(operator.le, lower=False, inclusive=True),
}
