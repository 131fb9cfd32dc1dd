"""From the parameters of a search address to a query that is checked and holds nothing the caller may not see.

Parameters are those of Socorro's Super Search, so that its addresses and scripts work here: ``<field>`` (values with
operators), ``_columns``, ``_sort``, ``_facets``, ``_facets_size``, ``_results_number``, ``_results_offset``,
``_aggs.<field>[.<field>…]``, ``_histogram.<field>``, ``_histogram_interval.<field>``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.datastructures import MultiValueDict

from crashstats.supersearch.conditions import DateRange, combine, date_range
from crashstats.supersearch.values import (
    TRUE_WORDS,
    BadParameter,
    Term,
    check_text,
    parse_number,
    parse_term,
    parse_whole_number,
)
from processing.errors import BadQuery
from processing.schema.field import Field, SearchKind
from processing.schema.registry import search_field
from processing.search.aggregations import DATE_INTERVALS
from processing.search.query import (
    Aggregation,
    Cardinality,
    Condition,
    Facet,
    Histogram,
    Operator,
    Query,
    Sort,
)

DEFAULT_COLUMNS = ("uuid", "date", "signature", "product", "version")
DEFAULT_FACETS = ("signature",)
DEFAULT_FACETS_SIZE = 50
MAX_FACETS_SIZE = 10_000
DEFAULT_RESULTS = 100
MAX_RESULTS = 1_000
#: The deepest hit that can be asked for; narrower dates reach further.
MAX_WINDOW = 10_000
MAX_VALUES = 500
#: Conditions that make the engine look at every value of a field.
MAX_PATTERNS = 20
MAX_AGGREGATIONS = 100
MAX_LEVELS = 3
MAX_WARNINGS = 20

_CARDINALITY = "_cardinality."
_HISTOGRAM = "_histogram."
_INTERVAL = "_histogram_interval."
_AGGREGATION = "_aggs."
_COUNTING = (_AGGREGATION, _HISTOGRAM, "_facets")
_SHORT_INTERVALS = {
    "1m": "minute",
    "1h": "hour",
    "1d": "day",
    "1w": "week",
    "1M": "month",
    "1q": "quarter",
    "1y": "year",
}
_HISTOGRAM_KINDS = frozenset({SearchKind.DATETIME, SearchKind.INTEGER, SearchKind.NUMBER})
#: Parameters that say how to answer and not what to search.
_OF_THE_ANSWER = frozenset({"_fields", "_return_query", "pretty"})
_PATTERNS = frozenset({Operator.CONTAINS, Operator.ENDS_WITH, Operator.REGEX})
_LISTS = ("_columns", "_sort", "_facets")
_NUMBERS = ("_facets_size", "_results_number", "_results_offset")


@dataclass(frozen=True)
class ParsedSearch:
    """A query, the dates it covers, and sentences for the caller about what was left out or read in a special way."""

    query: Query
    dates: DateRange
    warnings: tuple[str, ...] = ()


def parse(
    params: MultiValueDict[str, str], allowed: Collection[str], *, now: datetime, strict: bool = False
) -> ParsedSearch:
    """Read search parameters for a caller with the ``allowed`` permissions.

    Fields that do not exist or that the caller may not see are left out wherever they are named, with one and the same
    warning; with ``strict`` they are errors. ``now`` is an aware UTC datetime. Product names are not checked here.
    Raises: BadQuery, often BadParameter, with a text that may be shown to anyone.
    """
    return _Parser(params, frozenset(allowed), now, strict).parse()


class _Parser:
    """Reads the parameters of one search."""

    def __init__(
        self, params: MultiValueDict[str, str], allowed: frozenset[str], now: datetime, strict: bool
    ) -> None:
        self._params = params
        self._allowed = allowed
        self._now = now
        self._strict = strict
        self._patterns = 0
        self._warnings: dict[str, None] = {}

    def parse(self) -> ParsedSearch:
        self._check_amount()
        dates = date_range(self._terms("date", self._field("date")), self._now)
        query = Query(
            filters=(*dates.filters(search_field("date")), *self._filters()),
            columns=tuple(self._fields("_columns") or map(search_field, DEFAULT_COLUMNS)),
            sort=tuple(self._sort()),
            offset=self._number("_results_offset", 0),
            size=self._number("_results_number", DEFAULT_RESULTS, MAX_RESULTS),
            aggregations=tuple(self._aggregations()),
        )
        if query.offset + query.size > MAX_WINDOW:
            text = f"_results_offset + _results_number cannot be greater than {MAX_WINDOW:,}"
            raise BadParameter("_results_offset", text, text)
        return ParsedSearch(query, dates, tuple(self._warnings)[:MAX_WARNINGS])

    def _check_amount(self) -> None:
        amount = sum(len(values) for _, values in self._params.lists())
        if amount > MAX_VALUES:
            raise BadQuery(f"{amount:,} values in one search; at most {MAX_VALUES:,} can be looked for")
        counted = sum(len(values) for name, values in self._params.lists() if name.startswith(_COUNTING))
        if counted > MAX_AGGREGATIONS:
            raise BadQuery(
                f"{counted} things to count in one search; at most {MAX_AGGREGATIONS} can be counted"
            )
        if any(value.strip().lower() in TRUE_WORDS for value in self._values("_return_query")[-1:]):
            raise BadParameter("_return_query", "showing the engine's own query is not offered")

    def _field(self, name: str) -> Field | None:
        """Give the field if it exists and the caller may see it; else warn, or raise when strict."""
        try:
            field = search_field(name)
        except KeyError:
            field = None
        if field is not None and field.permission.value in self._allowed:
            return field
        shown = name[:60]
        if self._strict:
            raise BadParameter(shown, "unknown field", f"Unknown field '{shown}'")
        self._warn(f"'{shown}' was left out: there is no such field, or seeing it needs a permission")
        return None

    def _warn(self, text: str) -> None:
        self._warnings.setdefault(text)

    def _values(self, parameter: str) -> list[str]:
        values = [value for value in self._params.getlist(parameter) if value.strip()]
        for value in values:
            check_text(parameter, value)
        return values

    # --- filters -----------------------------------------------------------------------------------------------

    def _filters(self) -> Iterator[Condition]:
        for name in self._params:
            if name == "date" or name in _OF_THE_ANSWER or _is_general(name):
                continue
            field = self._field(name)
            terms = self._terms(name, field)
            self._patterns += sum(term.operator in _PATTERNS for term in terms)
            if self._patterns > MAX_PATTERNS:
                raise BadParameter(name, f"more than {MAX_PATTERNS} conditions with ~ $ or @ in one search")
            if field is not None and terms:
                self._explain_negation(field, terms)
                yield from combine(field, terms)

    def _terms(self, name: str, field: Field | None) -> list[Term]:
        if field is None:
            return []
        terms = [term for text in self._params.getlist(name) if (term := parse_term(field, text)) is not None]
        if name == "date" and any(term.operator is Operator.IS_NULL for term in terms):
            self._warn("date: __null__ was ignored; every crash has a date")
        return terms

    def _explain_negation(self, field: Field, terms: list[Term]) -> None:
        bare_negated = sum(term.negated and term.operator is Operator.MATCHES for term in terms)
        if any(term.negated for term in terms) and bare_negated < len(terms) > 1:
            self._warn(f"{field.public_name}: every condition with ! must hold, besides the others")

    # --- what to give back -------------------------------------------------------------------------------------

    def _fields(self, parameter: str) -> list[Field]:
        named = (self._field(name) for name in self._values(parameter))
        return list(dict.fromkeys(field for field in named if field is not None))

    def _sort(self) -> Iterator[Sort]:
        seen = set()
        for name in self._values("_sort"):
            field = self._field(name.removeprefix("-"))
            if field is not None and field not in seen:
                seen.add(field)
                yield Sort(field, descending=name.startswith("-"))

    def _number(self, parameter: str, default: int, maximum: int | None = None) -> int:
        values = self._values(parameter)
        if not values:
            return default
        try:
            number = parse_whole_number(parameter, values[-1])
        except BadParameter as exc:
            raise BadParameter(parameter, "Enter a whole number.") from exc
        if number < 0:
            raise BadParameter(parameter, "cannot be negative", f"{parameter} cannot be negative")
        if maximum is not None and number > maximum:
            text = f"{parameter} cannot be greater than {maximum:,}"
            raise BadParameter(parameter, text, text)
        return number

    # --- aggregations ------------------------------------------------------------------------------------------

    def _aggregations(self) -> list[Aggregation]:
        """Give what to count; of two with one name the later counts, so the more special ones come later."""
        size = self._number("_facets_size", DEFAULT_FACETS_SIZE, MAX_FACETS_SIZE)
        facets = self._items("_facets", size)
        if not facets:
            facets = [Facet(search_field(name), size) for name in DEFAULT_FACETS]
        nested = sorted(
            (name for name in self._params if name.startswith(_AGGREGATION)), key=_levels, reverse=True
        )
        deeper = [found for name in nested if (found := self._nested(name, size)) is not None]
        histograms = [
            found
            for name in self._params
            if name.startswith(_HISTOGRAM)
            and (found := self._histogram(name, self._items(name, size))) is not None
        ]
        wanted: dict[str, Aggregation] = {one.name: one for one in (*facets, *deeper, *histograms)}
        return list(wanted.values()) if size else []

    def _items(self, parameter: str, size: int) -> list[Aggregation]:
        values = self._values(parameter)
        found = (self._item(value, size) for value in values)
        return list({one.name: one for one in found if one is not None}.values())

    def _item(self, text: str, size: int) -> Aggregation | None:
        if text.startswith(_HISTOGRAM):
            return self._histogram(text, [])
        name = text.removeprefix(_CARDINALITY)
        field = self._field(name)
        if field is None:
            return None
        return Facet(field, size) if name == text else Cardinality(field)

    def _nested(self, parameter: str, size: int) -> Aggregation | None:
        names = parameter.removeprefix(_AGGREGATION).split(".")
        if len(names) > MAX_LEVELS:
            raise BadParameter(parameter[:60], f"more than {MAX_LEVELS} levels")
        fields = [self._field(name) for name in names]
        inner = tuple(self._items(parameter, size))
        for field in reversed(fields):
            if field is None:
                return None
            inner = (Facet(field, size, inner),)
        return inner[0]

    def _histogram(self, text: str, facets: Iterable[Aggregation]) -> Aggregation | None:
        field = self._field(text.removeprefix(_HISTOGRAM))
        if field is None:
            return None
        if field.search not in _HISTOGRAM_KINDS:
            self._warn(f"'{text[:60]}' was left out: only dates and numbers have histograms")
            return None
        return Histogram(field, self._interval(field), tuple(facets))

    def _interval(self, field: Field) -> str | int | float:
        parameter = _INTERVAL + field.public_name
        values = self._values(parameter)
        if field.search is SearchKind.DATETIME:
            word = values[-1] if values else "day"
            interval = _SHORT_INTERVALS.get(word, word)
            if interval not in DATE_INTERVALS:
                raise _bad_interval(parameter, f"one of {', '.join(DATE_INTERVALS)}")
            return interval
        parse_one = parse_whole_number if field.search is SearchKind.INTEGER else parse_number
        try:
            width = parse_one(parameter, values[-1]) if values else 1
        except BadParameter as exc:
            raise _bad_interval(parameter, "a number") from exc
        if not 1e-9 <= width <= 1e18:
            raise _bad_interval(parameter, "a number above 0")
        return width


def _bad_interval(parameter: str, expected: str) -> BadParameter:
    return BadParameter(
        parameter, f"expected {expected}", f"Bad value for parameter(s) '{parameter}': expected {expected}"
    )


def _levels(parameter: str) -> int:
    return parameter.count(".")


def _is_general(name: str) -> bool:
    """Tell whether a parameter shapes the answer and filters nothing."""
    return name in _LISTS or name in _NUMBERS or name.startswith((_AGGREGATION, _HISTOGRAM, _INTERVAL))
