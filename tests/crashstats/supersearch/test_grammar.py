"""What the parameters of a search mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import given, settings
from hypothesis import strategies as st

from crashstats.supersearch.grammar import MAX_WARNINGS, ParsedSearch, parse
from processing.errors import BadQuery
from processing.schema.registry import search_field
from processing.search.query import (
    AllOf,
    AnyOf,
    Cardinality,
    Condition,
    Facet,
    Filter,
    Histogram,
    Operator,
    Sort,
)

NOW = datetime(2026, 8, 5, 12, 30, tzinfo=UTC)
PUBLIC = frozenset({"public"})
ALL = frozenset({"public", "protected"})


def search(address: str, allowed: frozenset[str] = PUBLIC, **options: Any) -> ParsedSearch:
    return parse(QueryDict(address), allowed, now=NOW, **options)


def conditions(address: str, **options: Any) -> tuple[Condition, ...]:
    """The conditions of a search, without those on the date."""
    return search(address, **options).query.filters[2:]


def where(name: str, operator: Operator, *values: Any, negated: bool = False) -> Filter:
    return Filter(search_field(name), operator, values, negated)


# --- one value -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "operator", "operand", "negated"),
    [
        ("foo", Operator.MATCHES, ("foo",), False),
        ("!foo", Operator.MATCHES, ("foo",), True),
        ("!!foo", Operator.MATCHES, ("!foo",), True),
        ("=foo", Operator.IS, ("foo",), False),
        ("!=foo", Operator.IS, ("foo",), True),
        ("==foo", Operator.IS, ("=foo",), False),
        ("~foo", Operator.CONTAINS, ("foo",), False),
        ("^foo", Operator.STARTS_WITH, ("foo",), False),
        ("$foo", Operator.ENDS_WITH, ("foo",), False),
        ("@fo{2}", Operator.REGEX, ("fo{2}",), False),
        ("__null__", Operator.IS_NULL, (), False),
        ("!__null__", Operator.IS_NULL, (), True),
        ("<T as Trait>::f", Operator.MATCHES, ("<T as Trait>::f",), False),
        ("__true__", Operator.MATCHES, ("__true__",), False),
        ("=", Operator.IS, ("",), False),
    ],
)
@pytest.mark.parametrize("name", ["signature", "product", "proto_signature", "process_type"])
def test_text_values(
    name: str, value: str, operator: Operator, operand: tuple[str, ...], negated: bool
) -> None:
    assert conditions(QueryDict(mutable=True).urlencode() + f"{name}={quoted(value)}") == (
        Filter(search_field(name), operator, operand, negated),
    )


def quoted(value: str) -> str:
    query = QueryDict(mutable=True)
    query["x"] = value
    return query.urlencode().removeprefix("x=")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("build_id", "20260101", where("build_id", Operator.MATCHES, 20260101)),
        ("build_id", "=20260101", where("build_id", Operator.IS, 20260101)),
        ("build_id", ">=1", where("build_id", Operator.GREATER_OR_EQUAL, 1)),
        ("build_id", "!<-1", where("build_id", Operator.LESS, -1, negated=True)),
        ("uptime_ts", "<=1.5", where("uptime_ts", Operator.LESS_OR_EQUAL, 1.5)),
        ("safe_mode", "__true__", where("safe_mode", Operator.IS_TRUE)),
        ("safe_mode", "!__true__", where("safe_mode", Operator.IS_TRUE, negated=True)),
        ("safe_mode", "T", where("safe_mode", Operator.MATCHES, True)),
        ("safe_mode", "14", where("safe_mode", Operator.MATCHES, False)),
        ("safe_mode", "__null__", where("safe_mode", Operator.IS_NULL)),
    ],
)
def test_numbers_and_booleans(name: str, value: str, expected: Filter) -> None:
    assert conditions(f"{name}={quoted(value)}") == (expected,)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("build_id=soon", "Bad value for parameter build_id: not a valid int"),
        ("build_id=~1", "Bad value for parameter build_id: not a valid int"),
        ("build_id=>", "Bad value for parameter build_id: not a valid int"),
        ("build_id=1_000", "Bad value for parameter build_id: not a valid int"),
        ("uptime_ts=nan", "Bad value for parameter uptime_ts: not a valid float"),
        ("uptime_ts=>inf", "Bad value for parameter uptime_ts: not a valid float"),
        ("date=%3E2026-02-30", "Bad value for parameter date: not a valid datetime"),
        ("date=%3E0001-01-01", "Bad value for parameter date: not a valid datetime"),
        ("date=%3Enow", "Bad value for parameter date: not a valid datetime"),
        ("date=2026-08-01", "date must have a prefix operator"),
        ("date=!%3E2026-08-01", "Bad value for parameter date: a bound cannot be negated"),
        ("date=%3E2025-08-04", "Date range is bigger than 365 days"),
        ("signature=a%00b", "Bad value for parameter signature: Null characters are not allowed."),
        ("_columns=a%00b", "Null characters are not allowed."),
        ("_results_number=1001", "_results_number cannot be greater than 1,000"),
        ("_results_number=-1", "_results_number cannot be negative"),
        ("_results_number=ten", "Enter a whole number."),
        ("_results_offset=9901", r"_results_offset \+ _results_number cannot be greater than 10,000"),
        ("_results_offset=-1", "_results_offset cannot be negative"),
        ("_facets_size=10001", "_facets_size cannot be greater than 10,000"),
        ("_facets_size=x", "Enter a whole number."),
        ("_facets=_histogram.date&_histogram_interval.date=2d", "_histogram_interval.date"),
        ("_histogram.uptime=product&_histogram_interval.uptime=0", "_histogram_interval.uptime"),
        ("_histogram.uptime=product&_histogram_interval.uptime=x", "_histogram_interval.uptime"),
        ("_aggs.product.version.platform.signature=uuid", "more than 3 levels"),
        ("_return_query=1", "not offered"),
        ("signature=" + "x" * 10_001, "longer than 10,000"),
        ("&".join(f"uuid={n}" for n in range(501)), "501 values"),
        ("&".join(f"signature=^{n}" for n in range(101)), "101 conditions"),
        ("&".join(f"signature=~{n}&reason=@{n}" for n in range(11)), "more than 20 conditions with"),
        ("&".join(f"_facets=x{n}" for n in range(101)), "101 things to count"),
    ],
)
def test_bad_values_are_refused_with_the_reason(address: str, text: str) -> None:
    with pytest.raises(BadQuery, match=text):
        search(address)


@pytest.mark.parametrize(
    "address", ["signature=", "signature=!", "signature=+", "build_id=", "safe_mode=", "date="]
)
def test_empty_values_ask_for_nothing(address: str) -> None:
    assert search(address) == search("")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("125.0b", where("version", Operator.STARTS_WITH, "125.0b")),
        ("!125.0b", where("version", Operator.STARTS_WITH, "125.0b", negated=True)),
        ("125.0", where("version", Operator.MATCHES, "125.0")),
        ("=125.0b", where("version", Operator.IS, "125.0b")),
    ],
)
def test_version_that_ends_in_b_stands_for_all_its_betas(value: str, expected: Filter) -> None:
    assert conditions(f"version={quoted(value)}") == (expected,)


# --- several values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["7", "8"], (where("uptime", Operator.MATCHES, 7, 8),)),
        (["!7", "!8"], (where("uptime", Operator.MATCHES, 7, 8, negated=True),)),
        ([">5", "<9"], (AllOf((where("uptime", Operator.GREATER, 5), where("uptime", Operator.LESS, 9))),)),
        ([">5", "7"], (AnyOf((where("uptime", Operator.GREATER, 5), where("uptime", Operator.MATCHES, 7))),)),
        (
            ["7", "<9", ">5"],
            (
                AnyOf(
                    (
                        AllOf((where("uptime", Operator.LESS, 9), where("uptime", Operator.GREATER, 5))),
                        where("uptime", Operator.MATCHES, 7),
                    )
                ),
            ),
        ),
        (
            ["__null__", ">5"],
            (AllOf((where("uptime", Operator.IS_NULL), where("uptime", Operator.GREATER, 5))),),
        ),
        (
            ["7", "!8", "!>9"],
            (
                where("uptime", Operator.GREATER, 9, negated=True),
                where("uptime", Operator.MATCHES, 8, negated=True),
                where("uptime", Operator.MATCHES, 7),
            ),
        ),
    ],
)
def test_values_of_one_field_are_folded_and_negated_ones_all_hold(
    values: list[str], expected: tuple[Condition, ...]
) -> None:
    assert conditions("&".join(f"uptime={quoted(value)}" for value in values)) == expected


def test_excluding_several_prefixes_excludes_each_and_says_so() -> None:
    parsed = search("signature=!^OOM&signature=!^shutdownhang")
    assert parsed.query.filters[2:] == (
        where("signature", Operator.STARTS_WITH, "OOM", negated=True),
        where("signature", Operator.STARTS_WITH, "shutdownhang", negated=True),
    )
    assert parsed.warnings == ("signature: every condition with ! must hold, besides the others",)
    assert search("signature=!OOM&signature=!shutdownhang").warnings == ()


def test_long_lists_of_alternatives_do_not_nest_deeply() -> None:
    (condition,) = conditions("&".join(f"signature=^{n}" for n in range(100)))
    assert isinstance(condition, AnyOf)
    assert len(condition.conditions) == 100


# --- dates ---------------------------------------------------------------------------------------------------------


def test_date_is_always_bounded() -> None:
    week = timedelta(days=7)
    day = datetime(2026, 8, 1, tzinfo=UTC)
    assert (search("").dates.since, search("").dates.until) == (NOW - week, NOW)
    assert (search("date=%3C2026-08-01").dates.since, search("date=%3C2026-08-01").dates.until) == (
        day - week,
        day,
    )
    assert (search("date=%3E2026-08-01").dates.since, search("date=%3E2026-08-01").dates.until) == (day, NOW)


def test_tightest_bounds_win_and_keep_their_operators() -> None:
    parsed = search(
        "date=%3E%3D2026-07-01&date=%3E2026-08-01&date=%3C2026-08-03&date=%3C%3D2026-08-03&date=%3C2026-08-09"
    )
    assert parsed.query.filters == (
        where("date", Operator.GREATER, datetime(2026, 8, 1, tzinfo=UTC)),
        where("date", Operator.LESS, datetime(2026, 8, 3, tzinfo=UTC)),
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-08-01", datetime(2026, 8, 1, tzinfo=UTC)),
        ("2026-08-01 00:00:00", datetime(2026, 8, 1, tzinfo=UTC)),
        ("2026-08-01T10:20", datetime(2026, 8, 1, 10, 20, tzinfo=UTC)),
        ("2026-08-01T10:20:30.123456Z", datetime(2026, 8, 1, 10, 20, 30, 123456, tzinfo=UTC)),
        ("2026-08-01T10:20:30.123456789", datetime(2026, 8, 1, 10, 20, 30, 123456, tzinfo=UTC)),
        ("2026-08-01T10:20:30+02:00", datetime(2026, 8, 1, 8, 20, 30, tzinfo=UTC)),
        ("2026-08-01T10:20:30 00:00", datetime(2026, 8, 1, 10, 20, 30, tzinfo=UTC)),
    ],
)
def test_date_formats(text: str, moment: datetime) -> None:
    assert search(f"date={quoted('>=' + text)}").dates.since == moment


def test_null_date_is_ignored_with_a_warning() -> None:
    parsed = search("date=__null__")
    assert parsed.query == search("").query
    assert parsed.warnings == ("date: __null__ was ignored; every crash has a date",)


# --- what to give back ---------------------------------------------------------------------------------------------


def test_defaults() -> None:
    query = search("").query
    assert [column.public_name for column in query.columns] == [
        "uuid",
        "date",
        "signature",
        "product",
        "version",
    ]
    assert (query.offset, query.size, query.sort) == (0, 100, ())
    assert query.aggregations == (Facet(search_field("signature"), 50),)


def test_columns_sort_and_paging() -> None:
    query = search(
        "_columns=uptime&_columns=uptime&_columns=reason&_sort=-date&_sort=uuid&_results_number=5&_results_offset=7"
    ).query
    assert query.columns == (search_field("uptime"), search_field("reason"))
    assert query.sort == (Sort(search_field("date"), descending=True), Sort(search_field("uuid")))
    assert (query.size, query.offset) == (5, 7)


def test_last_of_several_numbers_counts() -> None:
    assert search("_results_number=5&_results_number=6").query.size == 6


def test_aggregations() -> None:
    query = search(
        "_facets=version&_facets=_cardinality.install_time&_facets=_histogram.date&_facets_size=3"
        "&_aggs.product.version=_cardinality.install_time&_histogram.uptime=product&_histogram_interval.uptime=60"
        "&_histogram_interval.date=1w"
    ).query
    count = Cardinality(search_field("install_time"))
    assert query.aggregations == (
        Facet(search_field("version"), 3),
        count,
        Histogram(search_field("date"), "week"),
        Facet(search_field("product"), 3, (Facet(search_field("version"), 3, (count,)),)),
        Histogram(search_field("uptime"), 60, (Facet(search_field("product"), 3),)),
    )


def test_nested_aggregation_replaces_the_default_facet_and_the_shorter_chain_the_longer() -> None:
    query = search("_aggs.signature=version&_aggs.product.version=uuid&_aggs.product=platform").query
    assert query.aggregations == (
        Facet(search_field("signature"), 50, (Facet(search_field("version"), 50),)),
        Facet(search_field("product"), 50, (Facet(search_field("platform"), 50),)),
    )


def test_facets_size_of_zero_switches_all_counting_off() -> None:
    assert search("_facets_size=0&_facets=version&_aggs.product=version").query.aggregations == ()


# --- permissions ---------------------------------------------------------------------------------------------------

POSITIONS = [
    "{}=x",
    "{}=__null__",
    "_columns={}",
    "_sort={}",
    "_sort=-{}",
    "_facets={}",
    "_facets=_cardinality.{}",
    "_facets=_histogram.{}",
    "_aggs.{}=product",
    "_aggs.product={}",
    "_aggs.product.{}=version",
    "_aggs.product=_cardinality.{}",
    "_histogram.{}=product",
    "_histogram.date={}",
]


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("name", ["user_comments", "phc_usable_size", "no_such_field"])
def test_field_the_caller_may_not_see_is_dropped_everywhere_like_one_that_does_not_exist(
    position: str, name: str
) -> None:
    parsed = search(position.format(name))
    assert all(field.is_public for field in parsed.query.fields())
    assert parsed.warnings == (
        f"'{name}' was left out: there is no such field, or seeing it needs a permission",
    )


@pytest.mark.parametrize("position", POSITIONS)
def test_caller_with_the_permission_gets_the_field_everywhere(position: str) -> None:
    name = "phc_usable_size"
    parsed = search(position.format(name).replace("=x", "=1"), ALL)
    assert search_field(name) in parsed.query.fields()
    assert parsed.warnings == ()


@pytest.mark.parametrize("position", POSITIONS)
def test_strict_search_refuses_what_it_does_not_know(position: str) -> None:
    with pytest.raises(BadQuery, match="Unknown field 'no_such_field'"):
        search(position.format("no_such_field"), ALL, strict=True)


def test_bad_value_of_a_hidden_field_says_nothing_about_its_type() -> None:
    assert search("phc_usable_size=abc").warnings == search("phc_usable_size=1").warnings != ()


def test_warnings_are_few_and_short() -> None:
    parsed = search("&".join(f"{'x' * 500}{n}=1" for n in range(500)))
    assert len(parsed.warnings) <= MAX_WARNINGS
    assert all(len(warning) < 200 for warning in parsed.warnings)


def test_histogram_of_text_is_left_out_with_a_warning() -> None:
    parsed = search("_facets=_histogram.signature")
    assert parsed.query.aggregations == (Facet(search_field("signature"), 50),)
    assert parsed.warnings == ("'_histogram.signature' was left out: only dates and numbers have histograms",)


def test_parameters_about_the_answer_are_no_fields() -> None:
    assert search("pretty=print&_fields=x&_return_query=0") == search("")


NAMES = st.sampled_from(
    ["date", "signature", "build_id", "uptime_ts", "safe_mode", "url", "_columns", "_sort", "_facets"]
)
PARAMETERS = st.sampled_from(
    [
        "_facets_size",
        "_results_number",
        "_results_offset",
        "_aggs.product",
        "_histogram.date",
        "_histogram_interval.date",
    ]
)
VALUES = st.text(max_size=30) | st.text(alphabet="!=~^$@<>_-.0123456789nult:T", max_size=30)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(NAMES | PARAMETERS | st.text(max_size=20), st.lists(VALUES, max_size=3), max_size=4),
    st.booleans(),
)
def test_any_parameters_are_a_query_or_a_bad_query(parameters: dict[str, list[str]], strict: bool) -> None:
    query = QueryDict(mutable=True)
    for name, values in parameters.items():
        query.setlist(name, values)
    try:
        parsed = parse(query, PUBLIC, now=NOW, strict=strict)
    except BadQuery as exc:
        assert len(str(exc)) < 300
    else:
        assert all(field.is_public for field in parsed.query.fields())
