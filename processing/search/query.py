"""A search as checked data: the grammar makes it, a backend answers it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from processing.schema.field import Field, SearchKind

#: A value to compare with, already of the field's type; datetimes are aware UTC.
Value = str | int | float | bool | datetime


class Operator(StrEnum):
    """How a field is compared. The texts are those of the Super Search grammar."""

    MATCHES = ""
    IS = "="
    CONTAINS = "~"
    STARTS_WITH = "^"
    ENDS_WITH = "$"
    REGEX = "@"
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    IS_NULL = "__null__"
    IS_TRUE = "__true__"


TEXT_OPERATORS = frozenset(
    {Operator.IS, Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.REGEX}
)
RANGE_OPERATORS = frozenset(
    {Operator.GREATER, Operator.GREATER_OR_EQUAL, Operator.LESS, Operator.LESS_OR_EQUAL}
)
_ON_TEXT = TEXT_OPERATORS | {Operator.MATCHES, Operator.IS_NULL}
_ON_NUMBERS = RANGE_OPERATORS | {Operator.MATCHES, Operator.IS, Operator.IS_NULL}

#: Which operators each kind of field answers to; a backend offers all of them.
OPERATORS_OF_KIND: dict[SearchKind, frozenset[Operator]] = {
    SearchKind.KEYWORD: _ON_TEXT,
    SearchKind.TEXT: _ON_TEXT,
    SearchKind.LIST: _ON_TEXT,
    SearchKind.FRAMES: _ON_TEXT,
    SearchKind.INTEGER: _ON_NUMBERS,
    SearchKind.NUMBER: _ON_NUMBERS,
    SearchKind.DATETIME: _ON_NUMBERS,
    SearchKind.BOOLEAN: frozenset({Operator.MATCHES, Operator.IS_NULL, Operator.IS_TRUE}),
}


@dataclass(frozen=True)
class Filter:
    """One condition: ``field`` compared by ``operator`` with any of ``values``; ``negated`` turns it round.

    ``values`` is empty for IS_NULL and IS_TRUE. In CONTAINS, STARTS_WITH and ENDS_WITH, ``*`` stands for any text and
    ``?`` for one character; a backslash makes them plain. REGEX follows `processing.search.patterns`.
    """

    field: Field
    operator: Operator
    values: tuple[Value, ...] = ()
    negated: bool = False


@dataclass(frozen=True)
class AnyOf:
    """At least one of the conditions holds."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class AllOf:
    """Every one of the conditions holds."""

    conditions: tuple[Condition, ...]


Condition = Filter | AnyOf | AllOf


@dataclass(frozen=True)
class Facet:
    """Count documents by the values of a field, the most frequent first; ``facets`` are counted inside each."""

    field: Field
    size: int = 50
    facets: tuple[Aggregation, ...] = ()

    @property
    def name(self) -> str:
        """What its answer is called."""
        return self.field.public_name


@dataclass(frozen=True)
class Histogram:
    """Count documents in buckets of a date or number field.

    ``interval`` is a number, or for dates one of minute, hour, day, week, month, quarter, year.
    """

    field: Field
    interval: str | int | float
    facets: tuple[Aggregation, ...] = ()

    @property
    def name(self) -> str:
        """What its answer is called."""
        return f"histogram_{self.field.public_name}"


@dataclass(frozen=True)
class Cardinality:
    """Count the distinct values of a field, approximately."""

    field: Field

    @property
    def name(self) -> str:
        """What its answer is called."""
        return f"cardinality_{self.field.public_name}"


Aggregation = Facet | Histogram | Cardinality


@dataclass(frozen=True)
class Sort:
    field: Field
    descending: bool = False


@dataclass(frozen=True)
class Query:
    """What to look for and what to give back.

    ``filters`` are combined with AND · ``size`` hits from ``offset``, each with ``columns`` · ``aggregations`` are
    answered under their names; of two with one name the later counts.
    """

    filters: tuple[Condition, ...] = ()
    columns: tuple[Field, ...] = ()
    sort: tuple[Sort, ...] = ()
    offset: int = 0
    size: int = 100
    aggregations: tuple[Aggregation, ...] = ()

    def fields(self) -> Iterator[Field]:
        """Give every field that the query names, some more than once."""
        yield from self.columns
        yield from (sort.field for sort in self.sort)
        for condition in self.filters:
            yield from _fields_of_condition(condition)
        for aggregation in self.aggregations:
            yield from _fields_of_aggregation(aggregation)


def _fields_of_condition(condition: Condition) -> Iterator[Field]:
    if isinstance(condition, Filter):
        yield condition.field
    else:
        for part in condition.conditions:
            yield from _fields_of_condition(part)


def _fields_of_aggregation(aggregation: Aggregation) -> Iterator[Field]:
    yield aggregation.field
    if not isinstance(aggregation, Cardinality):
        for part in aggregation.facets:
            yield from _fields_of_aggregation(part)
