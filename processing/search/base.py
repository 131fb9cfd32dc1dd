"""What every search engine can do. All of them pass ``tests/contracts/search.py``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from processing.search.query import Query

#: Gives a processed crash by its id, or None when there is none (any more).
Load = Callable[[str], Mapping[str, Any] | None]


@dataclass(frozen=True)
class SearchResult:
    """The answer to a query.

    ``total`` all matching documents · ``hits`` one dict per document, public field name to value, None when absent;
    datetimes as ISO text with microseconds · ``facets`` aggregation name to buckets ``{"term", "count"[, "facets"]}``,
    or to ``{"value": n}`` for ``cardinality_<field>``. Buckets of ``<field>`` come by count, the greatest first, then
    by term; those of ``histogram_<field>`` by term, without empty ones, always with ``facets``.
    """

    total: int
    hits: list[dict[str, Any]] = field(default_factory=list)
    facets: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class IndexState:
    """How the index stands: ``exists``; ``outdated`` when fields were described otherwise as it was made; documents.

    ``rebuilt``: while it is made anew, how many documents the new one has by now; None when nobody is at it.
    """

    exists: bool
    outdated: bool
    documents: int
    rebuilt: int | None = None


class SearchBackend(ABC):
    """Indexes processed crashes by crash id and answers queries.

    Raises, every method: SearchError when the engine cannot be reached, or its index is missing or damaged; BadQuery
    when it refuses the query.
    """

    @abstractmethod
    def index(self, processed_crashes: Mapping[str, Mapping[str, Any]]) -> None:
        """Add or replace processed crashes, by crash id, in one durable batch; afterwards they can be found.

        What `documents.searchable` gives of each is enough.
        """

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
    def rebuild(self, batches: Iterable[Sequence[str]], load: Load) -> int:
        """Make the index anew from processed crashes and switch to it at the end; give how many it holds.

        Searches are answered from the old index until then, and what is written meanwhile reaches both, as soon as the
        first batch is asked for; without an old one, only the new. ``load`` is called while nobody else writes, so that
        an older version of a crash cannot replace a newer one. A crash that the engine refuses is left out.
        """

    @abstractmethod
    def state(self) -> IndexState:
        """Tell how the index stands. No error when it is missing; SearchError when it is damaged."""

    @abstractmethod
    def check(self) -> None:
        """Prove that the engine answers now. Raises: SearchError saying what failed."""
