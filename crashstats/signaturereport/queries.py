"""Gather signatures, and the reports of one signature: public data only, whoever looks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.http import QueryDict

from crashstats.charts import Chart, counts_by_day, daily_chart, days_between
from crashstats.display import plural, share, text
from crashstats.links import with_query
from crashstats.lists import (
    CRASH_COLUMNS,
    DEFAULT_DAYS,
    NEWEST_FIRST,
    RANGES,
    CountedPage,
    CountedRow,
    CrashRow,
    Range,
    ask,
    is_exactly,
    parse_range,
    read_crash,
)
from processing.schema.registry import search_field
from processing.search import SearchBackend
from processing.search.query import Cardinality, Facet, Filter, Histogram, Operator, Query

PAGE_SIZE = 50

#: Pages beyond are refused: the engine would have to sort everything that comes before.
MAX_PAGE = 20

MAX_CHOICES = 100
MAX_FACET_ROWS = 12

#: Fields that the page of one signature counts by: search name and heading.
FACETS = (
    ("product", "Product"),
    ("version", "Version"),
    ("platform", "Platform"),
    ("platform_pretty_version", "Platform version"),
    ("cpu_arch", "CPU"),
    ("process_type", "Process type"),
    ("release_channel", "Channel"),
)
_FILTERS = ("product", "version", "platform")
_PER_DAY = Histogram(search_field("date"), "day")


@dataclass(frozen=True)
class Choices:
    """What the viewer asked for: ``query`` is a part of signatures, the rest are exact values; "" is no condition."""

    range: Range
    query: str = ""
    product: str = ""
    version: str = ""
    platform: str = ""
    page: int = 1

    @property
    def filters(self) -> tuple[Filter, ...]:
        exact = tuple(is_exactly(name, value) for name in _FILTERS if (value := getattr(self, name)))
        return (self.range.filter, *exact)

    @property
    def offset(self) -> int:
        return (self.page - 1) * PAGE_SIZE

    @property
    def days(self) -> int:
        return self.range.days

    @property
    def parameters(self) -> dict[str, str | int]:
        """The choices as a query string has them, without the page and what is as usual."""
        given: dict[str, str | int] = {name: getattr(self, name) for name in ("query", *_FILTERS)}
        given["days"] = "" if self.days == DEFAULT_DAYS else self.days
        return given


@dataclass(frozen=True)
class Pager:
    """Where the viewer is in a long list; links are "" at its ends."""

    page: int
    first: int
    last: int
    total: int
    previous_link: str
    next_link: str

    @property
    def label(self) -> str:
        return f"{self.first:,} to {self.last:,} of {self.total:,}"


@dataclass(frozen=True)
class SignatureRow(CountedRow):
    """One signature in the list: crashes and days on which they came, within the range."""

    rank: int
    signature: str
    link: str
    crashes: int
    share: str
    first_seen: date | None
    last_seen: date | None
    chart: Chart


@dataclass(frozen=True)
class SignatureList(CountedPage):
    """The page of the list. ``search_works`` is false when search did not answer: then all lists are empty."""

    choices: Choices
    search_works: bool
    crashes: int = 0
    signatures: int = 0
    rows: tuple[SignatureRow, ...] = ()
    products: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    pager: Pager | None = None

    @property
    def signatures_text(self) -> str:
        return plural(self.signatures, "signature")

    @property
    def ranges(self) -> tuple[int, ...]:
        return RANGES


@dataclass(frozen=True)
class FacetRow(CountedRow):
    """One value of a field with its count and share in per cent; ``link`` narrows the page to it, or is ""."""

    value: str
    crashes: int
    share: str
    link: str


@dataclass(frozen=True)
class FacetTable:
    """Counts by one field, the most frequent first."""

    title: str
    rows: tuple[FacetRow, ...]


@dataclass(frozen=True)
class SignatureReport(CountedPage):
    """The page of one signature. ``search_works`` is false when search did not answer: then all lists are empty."""

    signature: str
    choices: Choices
    search_works: bool
    crashes: int = 0
    chart: Chart | None = None
    first_seen: date | None = None
    last_seen: date | None = None
    facets: tuple[FacetTable, ...] = ()
    reports: tuple[CrashRow, ...] = ()
    pager: Pager | None = None

    @property
    def signature_text(self) -> str:
        return text(self.signature, limit=1_000)

    @property
    def api_link(self) -> str:
        """The address of the same as JSON."""
        filters = {name: f"={value}" for name in _FILTERS if (value := getattr(self.choices, name))}
        start = f">={self.choices.range.start:%Y-%m-%dT%H:%M:%SZ}"
        return with_query("api-super-search", signature=f"={self.signature}", date=start, **filters)

    @property
    def unfiltered_link(self) -> str:
        """The address without narrowing, "" when nothing is narrowed."""
        if not any(getattr(self.choices, name) for name in _FILTERS):
            return ""
        return with_query("signature", signature=self.signature, **Choices(self.choices.range).parameters)

    @property
    def range_links(self) -> tuple[tuple[Range, str], ...]:
        """Every range with its address on this page."""
        return tuple(
            (
                range_,
                with_query(
                    "signature",
                    signature=self.signature,
                    **replace(self.choices, range=range_, query="").parameters,
                ),
            )
            for range_ in map(parse_range, map(str, RANGES))
        )


def parse_choices(parameters: QueryDict) -> Choices:
    """Read the choices from a query string; what cannot be understood counts as not given."""
    return Choices(
        range=parse_range(parameters.get("days")),
        page=_parse_page(parameters.get("page", "1")),
        **{name: parameters.get(name, "").replace("\0", "").strip()[:300] for name in ("query", *_FILTERS)},
    )


def _parse_page(value: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", value):
        return 1
    return min(int(value), MAX_PAGE)


def load_signatures(search: SearchBackend, choices: Choices) -> SignatureList:
    """Give one page of the signatures that match."""
    result = ask(search, _query_for_signatures(choices))
    options = _load_options(search, choices)
    if result is None or options is None:
        return SignatureList(choices, search_works=False)
    buckets = result.facets["signature"]
    total = max(result.facets["cardinality_signature"]["value"], len(buckets))
    shown = buckets[choices.offset : choices.offset + PAGE_SIZE]
    return SignatureList(
        choices=choices,
        search_works=True,
        crashes=result.total,
        signatures=total,
        rows=tuple(
            _signature_row(bucket, rank, result.total, choices)
            for rank, bucket in enumerate(shown, start=choices.offset + 1)
        ),
        products=_options(options, choices.product),
        versions=_options(_versions(options, choices.product), choices.version),
        pager=_pager("signatures", choices, len(shown), total, has_more=len(buckets) == _wanted(choices)),
    )


def _query_for_signatures(choices: Choices) -> Query:
    return Query(
        filters=(*choices.filters, *_containing(choices.query)),
        size=0,
        aggregations=(
            Facet(search_field("signature"), _wanted(choices), facets=(_PER_DAY,)),
            Cardinality(search_field("signature")),
        ),
    )


def _wanted(choices: Choices) -> int:
    """How many signatures to ask for: up to this page's end, and one more to know whether there is a next page."""
    return choices.offset + PAGE_SIZE + 1


def load_signature_report(search: SearchBackend, signature: str, choices: Choices) -> SignatureReport:
    """Give one page of the reports of exactly this signature, and counts over all of them."""
    result = ask(search, _query_for_reports(signature, choices))
    if result is None:
        return SignatureReport(signature, choices, search_works=False)
    counts = counts_by_day(result.facets["histogram_date"])
    last = choices.offset + len(result.hits)
    return SignatureReport(
        signature=signature,
        choices=choices,
        search_works=True,
        crashes=result.total,
        chart=daily_chart(counts, days_between(choices.range.start, choices.range.end)),
        first_seen=min(counts, default=None),
        last_seen=max(counts, default=None),
        facets=tuple(
            FacetTable(title, _facet_rows(name, result.facets[name], result.total, signature, choices))
            for name, title in FACETS
        ),
        reports=tuple(map(read_crash, result.hits)),
        pager=_pager(
            "signature",
            choices,
            len(result.hits),
            result.total,
            has_more=last < result.total,
            signature=signature,
        ),
    )


def _query_for_reports(signature: str, choices: Choices) -> Query:
    return Query(
        filters=(*choices.filters, is_exactly("signature", signature)),
        columns=CRASH_COLUMNS,
        sort=NEWEST_FIRST,
        offset=choices.offset,
        size=PAGE_SIZE,
        aggregations=(_PER_DAY, *(Facet(search_field(name), MAX_FACET_ROWS) for name, _ in FACETS)),
    )


def _containing(part: str) -> tuple[Filter, ...]:
    """The condition that a signature contains exactly this text: its ``*`` and ``?`` stand for themselves."""
    plain = part.replace("\\", r"\\").replace("*", r"\*").replace("?", r"\?")
    return (Filter(search_field("signature"), Operator.CONTAINS, (plain,)),) if part else ()


def _signature_row(bucket: Mapping[str, Any], rank: int, total: int, choices: Choices) -> SignatureRow:
    counts = counts_by_day(bucket["facets"]["histogram_date"])
    parameters = replace(choices, query="").parameters
    return SignatureRow(
        rank=rank,
        signature=text(bucket["term"], limit=300),
        link=with_query("signature", signature=str(bucket["term"]), **parameters),
        crashes=bucket["count"],
        share=share(bucket["count"], total),
        first_seen=min(counts, default=None),
        last_seen=max(counts, default=None),
        chart=daily_chart(counts, days_between(choices.range.start, choices.range.end)),
    )


def _facet_rows(
    name: str, buckets: Sequence[Mapping[str, Any]], total: int, signature: str, choices: Choices
) -> tuple[FacetRow, ...]:
    def link(value: str) -> str:
        if name not in _FILTERS:
            return ""
        return with_query("signature", signature=signature, **{**choices.parameters, name: value})

    return tuple(
        FacetRow(
            value=text(bucket["term"], limit=100),
            crashes=bucket["count"],
            share=share(bucket["count"], total),
            link=link(str(bucket["term"])),
        )
        for bucket in buckets
    )


def _load_options(search: SearchBackend, choices: Choices) -> list[Mapping[str, Any]] | None:
    """Give all products of the range, each with its versions: what can be chosen instead of what is chosen."""
    versions = Facet(search_field("version"), MAX_CHOICES)
    by_product = Facet(search_field("product"), MAX_CHOICES, facets=(versions,))
    result = ask(search, Query(filters=(choices.range.filter,), size=0, aggregations=(by_product,)))
    return None if result is None else list(result.facets["product"])


def _versions(products: Sequence[Mapping[str, Any]], product: str) -> list[Mapping[str, Any]]:
    """Give the versions of one product, or of all when none is chosen."""
    return [
        version
        for bucket in products
        if product in ("", bucket["term"])
        for version in bucket["facets"]["version"]
    ]


def _options(buckets: Sequence[Mapping[str, Any]], chosen: str) -> tuple[str, ...]:
    """The values to choose from, by name; the chosen one is always among them."""
    found = {text(bucket["term"], limit=100) for bucket in buckets} | ({chosen} if chosen else set())
    return tuple(sorted(found, key=str.casefold))


def _pager(
    view_name: str, choices: Choices, shown: int, total: int, *, has_more: bool, **fixed: str
) -> Pager | None:
    """Where the viewer is, None when there is nothing to show."""
    if not shown:
        return None
    parameters = {**fixed, **choices.parameters}

    def link(page: int) -> str:
        return with_query(view_name, **parameters, page="" if page == 1 else page)

    return Pager(
        page=choices.page,
        first=choices.offset + 1,
        last=choices.offset + shown,
        total=total,
        previous_link=link(choices.page - 1) if choices.page > 1 else "",
        next_link=link(choices.page + 1) if has_more and choices.page < MAX_PAGE else "",
    )
