"""Gather what the home pages show: public data only, whoever looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crashstats.charts import Chart, counts_by_day, daily_chart, days_between
from crashstats.display import plural, share, text
from crashstats.links import product_home, with_query
from crashstats.lists import (
    CRASH_COLUMNS,
    NEWEST_FIRST,
    CountedPage,
    CountedRow,
    CrashRow,
    Range,
    ask,
    is_exactly,
    read_crash,
)
from processing.schema.registry import search_field
from processing.search import SearchBackend
from processing.search.query import Cardinality, Facet, Histogram, Query

NEWEST = 12
TOP_SIGNATURES = 15
PRODUCTS = 60
VERSIONS = 12

_PER_DAY = Histogram(search_field("date"), "day")


@dataclass(frozen=True)
class ProductCard(CountedPage):
    """One product: its crashes in the range, its most crashing versions."""

    name: str
    link: str
    crashes: int
    versions: tuple[str, ...]
    chart: Chart


@dataclass(frozen=True)
class TopSignature(CountedRow):
    """One signature with its share of all crashes in the range, in per cent."""

    signature: str
    link: str
    crashes: int
    share: str


@dataclass(frozen=True)
class VersionRow(CountedRow):
    """One version of a product; ``link`` leads to its signatures."""

    version: str
    link: str
    crashes: int


@dataclass(frozen=True)
class Overview(CountedPage):
    """What a home page shows. ``search_works`` is false when search did not answer: then all lists are empty."""

    range: Range
    search_works: bool
    product: str = ""
    crashes: int = 0
    signatures: int = 0
    products: tuple[ProductCard, ...] = ()
    versions: tuple[VersionRow, ...] = ()
    top_signatures: tuple[TopSignature, ...] = ()
    newest: tuple[CrashRow, ...] = ()

    @property
    def signatures_text(self) -> str:
        return plural(self.signatures, "signature")

    @property
    def signatures_link(self) -> str:
        return with_query("signatures", product=self.product)


def load_home(search: SearchBackend, range_: Range) -> Overview:
    """Give the overview of all products."""
    by_product = Facet(
        search_field("product"), PRODUCTS, facets=(Facet(search_field("version"), 3), _PER_DAY)
    )
    return _load(search, range_, product="", aggregation=by_product)


def load_product(search: SearchBackend, range_: Range, product: str) -> Overview:
    """Give the overview of one product."""
    return _load(search, range_, product, aggregation=Facet(search_field("version"), VERSIONS))


def product_exists(search: SearchBackend, product: str) -> bool:
    """Tell whether any crash of the product can be found; a search that does not answer gets the benefit of doubt."""
    result = ask(search, Query(filters=(is_exactly("product", product),), size=0))
    return result is None or result.total > 0


def _load(search: SearchBackend, range_: Range, product: str, aggregation: Facet) -> Overview:
    result = ask(search, _query(range_, product, aggregation))
    if result is None:
        return Overview(range_, search_works=False, product=product)
    return Overview(
        range=range_,
        search_works=True,
        product=product,
        crashes=result.total,
        signatures=result.facets["cardinality_signature"]["value"],
        products=tuple(_product_card(bucket, range_) for bucket in result.facets.get("product", ())),
        versions=tuple(_version_row(bucket, product) for bucket in result.facets.get("version", ())),
        top_signatures=_top_signatures(result.facets["signature"], result.total, product, range_),
        newest=tuple(map(read_crash, result.hits)),
    )


def _query(range_: Range, product: str, aggregation: Facet) -> Query:
    return Query(
        filters=(range_.filter, *((is_exactly("product", product),) if product else ())),
        columns=CRASH_COLUMNS,
        sort=NEWEST_FIRST,
        size=NEWEST,
        aggregations=(
            aggregation,
            Facet(search_field("signature"), TOP_SIGNATURES),
            Cardinality(search_field("signature")),
        ),
    )


def _product_card(bucket: Mapping[str, Any], range_: Range) -> ProductCard:
    facets = bucket["facets"]
    name = text(bucket["term"], limit=100)
    return ProductCard(
        name=name,
        link=product_home(name),
        crashes=bucket["count"],
        versions=tuple(text(version["term"], limit=40) for version in facets["version"]),
        chart=daily_chart(counts_by_day(facets["histogram_date"]), days_between(range_.start, range_.end)),
    )


def _version_row(bucket: Mapping[str, Any], product: str) -> VersionRow:
    version = text(bucket["term"], limit=60)
    return VersionRow(version, with_query("signatures", product=product, version=version), bucket["count"])


def _top_signatures(
    buckets: Sequence[Mapping[str, Any]], total: int, product: str, range_: Range
) -> tuple[TopSignature, ...]:
    return tuple(
        TopSignature(
            signature=text(bucket["term"], limit=300),
            link=with_query("signature", signature=str(bucket["term"]), product=product, days=range_.days),
            crashes=bucket["count"],
            share=share(bucket["count"], total),
        )
        for bucket in buckets
    )
