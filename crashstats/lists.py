"""What lists of crashes and of signatures share: ranges of days, rows of crashes, asking search."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from crashstats.display import moment, plural, text
from crashstats.links import with_query
from processing.errors import BadQuery, SearchError
from processing.schema.registry import search_field
from processing.search import SearchBackend
from processing.search.base import SearchResult
from processing.search.query import Filter, Operator, Query, Sort, Value

logger = logging.getLogger(__name__)

#: Days that a list can look back, and how many it does when nothing else is asked for.
RANGES = (1, 3, 7, 14, 28, 90)
DEFAULT_DAYS = 7

CRASH_COLUMNS = tuple(
    search_field(name)
    for name in (
        "uuid",
        "date",
        "product",
        "version",
        "release_channel",
        "platform",
        "platform_pretty_version",
        "signature",
        "reason",
        "build_id",
    )
)
NEWEST_FIRST = (Sort(search_field("date"), descending=True),)


class CountedRow:
    """A row of a table that counts crashes; the column's heading says what is counted."""

    crashes: int

    @property
    def crashes_text(self) -> str:
        return f"{self.crashes:,}"


class CountedPage:
    """A page, or a part of one, that says in a sentence how many crashes it is about."""

    crashes: int

    @property
    def crashes_text(self) -> str:
        return plural(self.crashes, "crash")


@dataclass(frozen=True)
class CrashRow:
    """One crash in a list, ready to show; links are addresses."""

    crash_id: str
    received_at: str
    product: str
    version: str
    channel: str
    platform: str
    signature: str
    signature_link: str
    reason: str
    build: str


@dataclass(frozen=True)
class Range:
    """The time that a list covers; ``label`` completes "crashes of …"."""

    days: int
    start: datetime
    end: datetime

    @property
    def label(self) -> str:
        return "the last 24 hours" if self.days == 1 else f"the last {self.days} days"

    @property
    def filter(self) -> Filter:
        return Filter(search_field("date"), Operator.GREATER_OR_EQUAL, (self.start,))


def parse_range(value: str | None) -> Range:
    """Read a number of days; the default range for anything that is not among `RANGES`."""
    days = next((days for days in RANGES if str(days) == value), DEFAULT_DAYS)
    end = datetime.now(UTC)
    return Range(days, end - timedelta(days=days), end)


def is_exactly(name: str, value: Value) -> Filter:
    """The condition that a field has exactly this value."""
    return Filter(search_field(name), Operator.IS, (value,))


def read_crash(hit: Mapping[str, Any]) -> CrashRow:
    """Read one hit of a search that asked for `CRASH_COLUMNS`."""
    signature = text(hit.get("signature"), limit=300)
    return CrashRow(
        crash_id=text(hit.get("uuid"), limit=40),
        received_at=moment(hit.get("date")).removesuffix(" UTC"),
        product=text(hit.get("product"), limit=100),
        version=text(hit.get("version"), limit=60),
        channel=text(hit.get("release_channel"), limit=60),
        platform=text(hit.get("platform_pretty_version"), limit=100) or text(hit.get("platform"), limit=100),
        signature=signature,
        signature_link=with_query("signature", signature=signature) if signature else "",
        reason=text(hit.get("reason"), limit=200),
        build=text(hit.get("build_id"), limit=40),
    )


def ask(search: SearchBackend, query: Query) -> SearchResult | None:
    """Answer a query, or give None when search does not answer now: a list then says so, and the page still comes."""
    try:
        return search.search(query)
    except SearchError as exc:
        logger.error("search did not answer a list: %s", exc)
        return None
    except BadQuery as exc:
        logger.warning("search refused a list: %s", exc)
        return None
