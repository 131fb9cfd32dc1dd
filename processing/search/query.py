"""A search as checked data: the grammar makes it, a backend answers it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from processing.schema.field import Field

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


@dataclass(frozen=True)
class Filter:
    """One condition: ``field`` compared by ``operator`` with any of ``values``; ``negated`` turns it round.

    ``values`` is empty for IS_NULL and IS_TRUE. Filters of a query are combined with AND.
    """

    field: Field
    operator: Operator
    values: tuple[Value, ...] = ()
    negated: bool = False


@dataclass(frozen=True)
class Facet:
    """Count documents by the values of a field, the most frequent first; ``facets`` are counted inside each."""

    field: Field
    size: int = 50
    facets: tuple[Facet | Histogram | Cardinality, ...] = ()


@dataclass(frozen=True)
class Histogram:
    """Count documents in buckets of a date or number field.

    ``interval`` is a number, or for dates one of minute, hour, day, week, month, quarter, year.
    """

    field: Field
    interval: str | int | float
    facets: tuple[Facet | Histogram | Cardinality, ...] = ()


@dataclass(frozen=True)
class Cardinality:
    """Count the distinct values of a field, approximately."""

    field: Field


Aggregation = Facet | Histogram | Cardinality


@dataclass(frozen=True)
class Sort:
    field: Field
    descending: bool = False


@dataclass(frozen=True)
class Query:
    """What to look for and what to give back: ``size`` hits from ``offset``, each with ``columns``, plus aggregations."""

    filters: tuple[Filter, ...] = ()
    columns: tuple[Field, ...] = ()
    sort: tuple[Sort, ...] = ()
    offset: int = 0
    size: int = 100
    aggregations: tuple[Aggregation, ...] = ()
