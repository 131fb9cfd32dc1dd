"""Aggregations in the JSON that Elasticsearch takes and gives, which tantivy understands too.

`build` turns a query's aggregations into a request, `read` turns the answer into what `SearchResult.facets` holds.
What differs between engines is a `Dialect`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from processing.schema.field import Field, SearchKind
from processing.search.query import Aggregation, Cardinality, Facet, Histogram

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BOOLEAN_TERMS = {True: "T", False: "F"}

#: Intervals of one length, and how far after the epoch the first bucket begins (weeks begin on Monday).
FIXED_INTERVALS: dict[str, tuple[timedelta, timedelta]] = {
    "minute": (timedelta(minutes=1), timedelta()),
    "hour": (timedelta(hours=1), timedelta()),
    "day": (timedelta(days=1), timedelta()),
    "week": (timedelta(weeks=1), timedelta(days=4)),
}
#: Intervals of whole months.
MONTH_INTERVALS: dict[str, int] = {"month": 1, "quarter": 3, "year": 12}
DATE_INTERVALS = (*FIXED_INTERVALS, *MONTH_INTERVALS)


class Dialect(Protocol):
    """How one engine names columns, and how it counts and spells dates."""

    def column(self, field: Field) -> str:
        """Give the name of the column that holds a field's whole values."""

    def terms(self, size: int) -> Mapping[str, Any]:
        """Give the options of a terms aggregation, beside its column."""

    def date_histogram(self, field: Field, interval: str) -> dict[str, Any]:
        """Give the aggregation that puts dates into buckets of a calendar interval."""

    def bucket_start(self, bucket: Mapping[str, Any]) -> datetime:
        """Give the date at which a bucket of a date histogram begins."""

    def date(self, key: Any) -> datetime:
        """Give the date that the key of a terms bucket means."""


def build(aggregations: Iterable[Aggregation], dialect: Dialect) -> dict[str, Any]:
    """Give the request for the aggregations, by name."""
    return {aggregation.name: _request(aggregation, dialect) for aggregation in aggregations}


def read(answer: Mapping[str, Any], aggregations: Iterable[Aggregation], dialect: Dialect) -> dict[str, Any]:
    """Turn an engine's answer to the request that `build` made into facets, by name; the last of a name counts."""
    by_name = {aggregation.name: aggregation for aggregation in aggregations}
    return {name: _facet(answer[name], aggregation, dialect) for name, aggregation in by_name.items()}


def _request(aggregation: Aggregation, dialect: Dialect) -> dict[str, Any]:
    column = dialect.column(aggregation.field)
    if isinstance(aggregation, Cardinality):
        return {"cardinality": {"field": column}}
    if isinstance(aggregation, Facet):
        request: dict[str, Any] = {"terms": {"field": column, **dialect.terms(aggregation.size)}}
    elif aggregation.field.search is SearchKind.DATETIME:
        request = dialect.date_histogram(aggregation.field, str(aggregation.interval))
    else:
        request = {
            "histogram": {"field": column, "interval": float(aggregation.interval), "min_doc_count": 1}
        }
    if aggregation.facets:
        request["aggs"] = build(aggregation.facets, dialect)
    return request


def _facet(answer: Mapping[str, Any], aggregation: Aggregation, dialect: Dialect) -> Any:
    if isinstance(aggregation, Cardinality):
        return {"value": round(answer["value"] or 0)}
    buckets = [_bucket(bucket, aggregation, dialect) for bucket in answer["buckets"] if bucket["doc_count"]]
    if isinstance(aggregation, Facet):
        return sorted(buckets, key=lambda bucket: (-bucket["count"], bucket["term"]))
    return sorted(buckets, key=lambda bucket: bucket["term"])


def _bucket(bucket: Mapping[str, Any], aggregation: Facet | Histogram, dialect: Dialect) -> dict[str, Any]:
    if isinstance(aggregation, Facet):
        term = _term(bucket["key"], aggregation.field.search, dialect)
    elif aggregation.field.search is SearchKind.DATETIME:
        term = dialect.bucket_start(bucket).isoformat(timespec="seconds")
    else:
        term = float(bucket["key"])
    shown = {"term": term, "count": bucket["doc_count"]}
    if aggregation.facets or isinstance(aggregation, Histogram):
        shown["facets"] = read(bucket, aggregation.facets, dialect)
    return shown


def _term(key: Any, kind: SearchKind, dialect: Dialect) -> Any:
    match kind:
        case SearchKind.BOOLEAN:
            return _BOOLEAN_TERMS[bool(key)]
        case SearchKind.NUMBER:
            return float(key)
        case SearchKind.DATETIME:
            return dialect.date(key).isoformat(timespec="microseconds")
        case _:
            return key


def month_starts(first: datetime, last: datetime, interval: str) -> list[datetime]:
    """Give where the buckets begin that hold both dates and all between, and where the one after them begins."""
    step = MONTH_INTERVALS[interval]
    begin = (first.year * 12 + first.month - 1) // step
    end = (last.year * 12 + last.month - 1) // step
    months = [number * step for number in range(begin, end + 2)]
    return [datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in months]


def to_microseconds(moment: datetime) -> int:
    """Give whole microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(microseconds: float) -> datetime:
    """Give the aware UTC datetime so many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=round(microseconds))
