"""What every search engine can do. All of them pass ``tests/contracts/search.py``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from processing.search.query import Query


@dataclass(frozen=True)
class SearchResult:
    """The answer to a query.

    ``total`` all matching documents · ``hits`` one dict per document, public field name to value, None when absent;
    datetimes as ISO text · ``facets`` aggregation name to buckets ``{"term", "count"[, "facets"]}``, or to
    ``{"value": n}`` for ``cardinality_<field>``; histograms are named ``histogram_<field>``.
    """

    total: int
    hits: list[dict[str, Any]] = field(default_factory=list)
    facets: dict[str, Any] = field(default_factory=dict)


class SearchBackend(ABC):
    """Indexes processed crashes by crash id and answers queries.

    Raises, every method: SearchError when the engine cannot be reached; BadQuery when it refuses the query.
    """

    @abstractmethod
    def index(self, processed_crashes: Mapping[str, Mapping[str, Any]]) -> None:
        """Add or replace processed crashes, by crash id, in one durable batch; afterwards they can be found."""

    @abstractmethod
    def delete(self, crash_ids: Iterable[str]) -> None:
        """Remove crashes; unknown ids are no error."""

    @abstractmethod
    def delete_before(self, day: date) -> int:
        """Remove every crash processed before that UTC day; give how many (or how many indices) went."""

    @abstractmethod
    def search(self, query: Query) -> SearchResult:
        """Answer a query."""

    @abstractmethod
    def check(self) -> None:
        """Prove that the engine answers now. Raises: SearchError saying what failed."""
