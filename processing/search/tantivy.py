"""Search in a tantivy index on this machine's disk."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

import tantivy
from tantivy import FieldType, Order

from processing.errors import BadQuery, SearchError
from processing.schema.field import Field
from processing.schema.registry import search_field
from processing.search import aggregations
from processing.search.aggregations import (
    FIXED_INTERVALS,
    MONTH_INTERVALS,
    from_microseconds,
    to_microseconds,
)
from processing.search.base import IndexState, Load, SearchBackend, SearchResult
from processing.search.query import Query, Sort
from processing.search.tantivy_filters import Compiler, all_of, bad_expression
from processing.search.tantivy_folder import REBUILD, IndexFolder, open_index
from processing.search.tantivy_layout import ID, SHOWN, Layout
from processing.search.tantivy_scan import Scanner

logger = logging.getLogger(__name__)

#: The field by whose date crashes are deleted.
DATE = "date"
#: Each part of an index counts this many values before the parts are added up: enough to be exact.
_SEGMENT_TERMS = 65_000
_MAX_MONTH_BUCKETS = 5_000
#: More crashes with one value of the first sort field are not put in order by the next.
_MAX_TIED = 20_000
#: So many stacks are looked through in less time than another process takes to start.
_SCANNED_AT_ONCE = 25_000
#: tantivy writes from one thread with this much memory; less than 15 MB it refuses.
_WRITER_BYTES = 32_000_000


@dataclass(frozen=True)
class _View:
    """An index opened for reading, as it was at one commit; ``version`` tells that commit from others."""

    folder: Path
    version: tuple[int, ...]
    index: tantivy.Index
    searcher: tantivy.Searcher
    layout: Layout


class TantivySearch(SearchBackend):
    """Search one index on this machine's disk: one writer at a time, any number of readers.

    A reader sees a commit with its next search, whichever process made it.
    Args: ``folder`` holds the index (see `processing.search.tantivy_folder`) · ``lock_timeout_seconds`` how long to
    wait for another writer · ``scan_seconds`` how long a search may take that has to look through all stacks of a large
    index, None for any time.
    """

    def __init__(
        self, folder: str | Path, lock_timeout_seconds: float = 60, scan_seconds: float | None = 30
    ) -> None:
        self._folder = IndexFolder(Path(folder), lock_timeout_seconds=lock_timeout_seconds)
        self._view: _View | None = None
        self._view_lock = threading.Lock()
        self._had_index = False
        self._scanner = None if scan_seconds is None else Scanner(Path(folder), scan_seconds)

    def index(self, processed_crashes: Mapping[str, Mapping[str, Any]]) -> None:
        with self._folder.writing():
            for folder in self._targets():
                _write(folder, processed_crashes)

    def delete(self, crash_ids: Iterable[str]) -> None:
        doomed = list(crash_ids)
        with self._folder.writing():
            for folder in self._targets():
                with _writer(folder) as (writer, _):
                    for crash_id in doomed:
                        writer.delete_documents_by_term(ID, crash_id)

    def delete_before(self, day: date) -> int:
        midnight = to_microseconds(datetime(day.year, day.month, day.day, tzinfo=UTC))
        with self._folder.writing():
            removed = [_delete_before(folder, midnight) for folder in self._targets()]
        return removed[0]

    def search(self, query: Query) -> SearchResult:
        view = self._fresh_view()
        for field in query.fields():
            view.layout.require(field)
        try:
            return self._answer(view, query, Compiler(view.layout))
        except _TooManyFrames:
            return self._answer(view, query, Compiler(view.layout, scan_frames=True))

    def _answer(self, view: _View, query: Query, compiler: Compiler) -> SearchResult:
        wanted = all_of([compiler.compile(condition) for condition in query.filters])
        if self._scanner and compiler.scans and view.searcher.num_docs > _SCANNED_AT_ONCE:
            return self._scanner.search(query)
        with _query_errors(view.folder):
            total, hits = _page(view.searcher, wanted, query)
            return SearchResult(total=total, hits=hits, facets=_facets(view.searcher, wanted, query))

    def rebuild(self, batches: Iterable[Sequence[str]], load: Load) -> int:
        with self._folder.rebuilding():
            with self._folder.writing():
                self._folder.drop_next()
                folder = self._folder.create("next", Layout.current())
                self._had_index = True  # no write may make one that holds less
            for crash_ids in batches:
                with self._folder.writing():
                    loaded = {crash_id: load(crash_id) for crash_id in crash_ids}
                    _write_what_can_be(
                        folder, {key: value for key, value in loaded.items() if value is not None}
                    )
                self._folder.let_others_write()
            with self._folder.writing():
                documents = _open_view(folder).searcher.num_docs
                self._folder.promote()
        return documents

    def state(self) -> IndexState:
        rebuilt = self._rebuilt()
        if self._folder.current() is None:
            return IndexState(exists=False, outdated=False, documents=0, rebuilt=rebuilt)
        view = self._fresh_view()
        return IndexState(
            exists=True,
            outdated=view.layout != Layout.current(),
            documents=view.searcher.num_docs,
            rebuilt=rebuilt,
        )

    def _rebuilt(self) -> int | None:
        """Give how many documents the index being made anew has, None when there is none."""
        following = self._folder.next()
        if following is None or not self._folder.is_being_rebuilt():
            return None
        try:
            return int(_open_view(following).searcher.num_docs)
        except SearchError:  # it has just been put into use, or is no more than begun
            return 0

    def check(self) -> None:
        self.search(Query(size=1))

    def _targets(self) -> list[Path]:
        """The indices that get a write, the one in use first.

        The first write of all makes the index. One that was there and is gone is not made again without a word: it
        would hold only what came since. While the first one is made from all processed crashes, that one gets it.
        """
        current, following = self._folder.current(), self._folder.next()
        if current is None and following is not None:
            return [following]
        if current is None:
            if self._had_index:
                raise self._missing()
            current = self._folder.create("current", Layout.current())
        self._had_index = True
        return [current] if following is None else [current, following]

    def _missing(self) -> SearchError:
        return SearchError(
            f"there is no search index in {self._folder.path}; make it from all processed crashes with: {REBUILD}"
        )

    def _fresh_view(self) -> _View:
        """Give a view of the last commit, the one kept when nothing was committed since."""
        with self._view_lock:
            folder = self._current()
            try:
                self._view = _refreshed(self._view, folder)
            except SearchError:
                if self._current() == folder:
                    raise
                self._view = _refreshed(None, self._current())  # a rebuild put another index in its place
            self._had_index = True
            return self._view

    def _current(self) -> Path:
        folder = self._folder.current()
        if folder is None:
            raise self._missing()
        return folder


class _TooManyFrames(Exception):
    """A piece of a search over frames matches more frames than the engine follows."""


def _refreshed(view: _View | None, folder: Path) -> _View:
    if view is None or view.folder != folder:
        return _open_view(folder)
    version = _version(folder)
    if version == view.version:
        return view
    with _engine_errors(folder):
        view.index.reload()
        return _View(folder, version, view.index, view.index.searcher(), view.layout)


def _open_view(folder: Path) -> _View:
    version = _version(folder)
    with _engine_errors(folder):
        index, layout = open_index(folder)
        return _View(folder, version, index, index.searcher(), layout)


def _version(folder: Path) -> tuple[int, ...]:
    """Tell one commit from another: each replaces this file by a new one."""
    try:
        status = (folder / "meta.json").stat()
    except OSError as exc:
        raise SearchError(f"the search index in {folder} is damaged: {exc.strerror}; {REBUILD}") from exc
    return (status.st_ino, status.st_mtime_ns, status.st_size)


@contextmanager
def _engine_errors(folder: Path) -> Iterator[None]:
    """Turn what tantivy raises into SearchError; it knows ValueError only, and panics when a file is cut short."""
    try:
        yield
    except (ValueError, OSError, KeyError) as exc:
        raise SearchError(
            f"the search index in {folder} cannot be used: {str(exc)[:300]}; make it again with: {REBUILD}"
        ) from exc
    except BaseException as exc:
        if type(exc).__name__ != "PanicException":
            raise
        raise SearchError(f"the search index in {folder} is damaged; make it again with: {REBUILD}") from exc


@contextmanager
def _writer(folder: Path) -> Iterator[tuple[tantivy.IndexWriter, Layout]]:
    """Write to an index and commit once at the end; merges of its parts are waited for. Errors leave it as it was."""
    with _engine_errors(folder):
        index, layout = open_index(folder)
        writer = index.writer(_WRITER_BYTES, 1)
    try:
        yield writer, layout
        with _engine_errors(folder):
            writer.commit()
    except BaseException:
        with _engine_errors(folder):
            writer.rollback()
        raise
    finally:
        with _engine_errors(folder):
            writer.wait_merging_threads()


def _write(folder: Path, processed_crashes: Mapping[str, Mapping[str, Any]]) -> None:
    with _writer(folder) as (writer, layout):
        for crash_id, processed_crash in processed_crashes.items():
            writer.delete_documents_by_term(ID, crash_id)
            writer.add_document(layout.document(crash_id, processed_crash))


def _write_what_can_be(folder: Path, processed_crashes: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a batch at once; when a crash makes the engine raise, all but such crashes, one by one."""
    try:
        _write(folder, processed_crashes)
    except SearchError:
        raise
    except Exception as exc:  # whatever a crash made it raise
        if len(processed_crashes) > 1:
            for crash_id, processed_crash in processed_crashes.items():
                _write_what_can_be(folder, {crash_id: processed_crash})
        else:
            logger.error("%s: search refuses it (%s); it is left out", *processed_crashes, type(exc).__name__)


def _delete_before(folder: Path, midnight: int) -> int:
    with _writer(folder) as (writer, layout):
        layout.require(search_field(DATE))
        doomed = tantivy.Query.range_query(
            layout.schema, DATE, FieldType.Integer, upper_bound=midnight, include_upper=False
        )
        searcher = _open_view(folder).searcher
        count = _count(searcher.search(doomed, limit=1))
        writer.delete_documents_by_query(doomed)
    return count


@contextmanager
def _query_errors(folder: Path) -> Iterator[None]:
    """Tell a query that is too much for the engine from an index that is damaged."""
    with _engine_errors(folder):
        try:
            yield
        except ValueError as exc:
            text = str(exc)
            if "max expansions" in text.lower():
                raise _TooManyFrames from exc
            if "Invalid regex" in text or "RegexQueryError" in text:
                raise bad_expression("the search", exc) from exc
            if "limit was exceeded" in text:
                raise BadQuery(
                    "the facets have too many buckets; ask for fewer, or narrow the search"
                ) from exc
            raise


def _page(
    searcher: tantivy.Searcher, wanted: tantivy.Query, query: Query
) -> tuple[int, list[dict[str, Any]]]:
    if len(query.sort) > 1:
        return _page_by_several(searcher, wanted, query)
    found = searcher.search(wanted, limit=max(query.size, 1), offset=query.offset, **_order(query.sort))
    shown = [_shown(searcher.doc(address)) for _, address in found.hits[: query.size]]
    return _count(found), [_hit(values, query.columns) for values in shown]


def _page_by_several(
    searcher: tantivy.Searcher, wanted: tantivy.Query, query: Query
) -> tuple[int, list[dict[str, Any]]]:
    """Sort by the first field in the engine, which knows one only; put in order here what shares its value."""
    end = query.offset + query.size
    total, hits = _first_by_one(searcher, wanted, query.sort[0], end)
    ranked: list[tuple[int, dict[str, Any]]] = []
    for number, (value, address) in enumerate(hits):
        is_tied = number > 0 and value == hits[number - 1][0]
        rank = ranked[-1][0] if is_tied else number
        ranked.append((rank, _shown(searcher.doc(address))))
    for sort in reversed(query.sort[1:]):
        ranked = _sorted(ranked, sort)
    ranked.sort(key=itemgetter(0))
    return total, [_hit(values, query.columns) for _, values in ranked[query.offset : end]]


def _first_by_one(
    searcher: tantivy.Searcher, wanted: tantivy.Query, sort: Sort, size: int
) -> tuple[int, list[tuple[Any, tantivy.DocAddress]]]:
    """Give how many match, and the first ``size`` by one field with all that share the last one's value."""
    limit = size + 1
    while True:
        found = searcher.search(wanted, limit=limit, **_order((sort,)))
        hits = found.hits  # a new list each time it is asked for
        if size == 0 or len(hits) < limit or hits[-1][0] != hits[size - 1][0]:
            return _count(found), hits
        if limit >= _MAX_TIED:
            raise BadQuery(
                f"too many crashes share one {sort.field.public_name} to sort them by another field too; "
                f"sort by a field that tells them apart first, or narrow the search"
            )
        limit = min(limit * 4, _MAX_TIED)


def _sorted(ranked: list[tuple[int, dict[str, Any]]], sort: Sort) -> list[tuple[int, dict[str, Any]]]:
    name = sort.field.public_name
    absent = [each for each in ranked if each[1].get(name) is None]
    present = [each for each in ranked if each[1].get(name) is not None]
    present.sort(key=lambda each: _first(each[1][name]), reverse=sort.descending)
    return present + absent


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _count(found: tantivy.SearchResult) -> int:
    return int(found.count)  # type: ignore[attr-defined]  # its type stub leaves it out


def _order(sort: tuple[Sort, ...]) -> dict[str, Any]:
    if not sort:
        return {}
    order = Order.Desc if sort[0].descending else Order.Asc
    return {"order_by_field": sort[0].field.public_name, "order": order}


def _shown(document: tantivy.Document) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(document[SHOWN][0])
    return values


def _hit(values: Mapping[str, Any], columns: tuple[Field, ...]) -> dict[str, Any]:
    return {column.public_name: values.get(column.public_name) for column in columns}


def _facets(searcher: tantivy.Searcher, wanted: tantivy.Query, query: Query) -> dict[str, Any]:
    if not query.aggregations:
        return {}
    dialect = _Dialect(searcher, wanted)
    answer = searcher.aggregate(wanted, aggregations.build(query.aggregations, dialect))
    return aggregations.read(answer, query.aggregations, dialect)


class _Dialect:
    """Dates are numbers here; buckets of months, which differ in length, are ranges between the dates found."""

    def __init__(self, searcher: tantivy.Searcher, wanted: tantivy.Query) -> None:
        self._searcher = searcher
        self._wanted = wanted

    def column(self, field: Field) -> str:
        return field.public_name

    def terms(self, size: int) -> Mapping[str, Any]:
        return {"size": size, "segment_size": _SEGMENT_TERMS}

    def date_histogram(self, field: Field, interval: str) -> dict[str, Any]:
        column = field.public_name
        if interval in FIXED_INTERVALS:
            length, offset = (part.total_seconds() * 1e6 for part in FIXED_INTERVALS[interval])
            return {"histogram": {"field": column, "interval": length, "offset": offset, "min_doc_count": 1}}
        if interval not in MONTH_INTERVALS:
            raise BadQuery(
                f"the interval {interval!r} is not one of {', '.join(aggregations.DATE_INTERVALS)}"
            )
        return {"range": {"field": column, "ranges": self._month_ranges(column, interval)}}

    def _month_ranges(self, column: str, interval: str) -> list[dict[str, int]]:
        bounds = {"first": {"min": {"field": column}}, "last": {"max": {"field": column}}}
        found = self._searcher.aggregate(self._wanted, bounds)
        if found["first"]["value"] is None:
            return [{"from": 0, "to": 1}]
        first, last = (from_microseconds(found[name]["value"]) for name in ("first", "last"))
        starts = [to_microseconds(start) for start in aggregations.month_starts(first, last, interval)]
        if len(starts) > _MAX_MONTH_BUCKETS:
            raise BadQuery(f"{column}: too many buckets by {interval}; narrow the search")
        return [{"from": begin, "to": end} for begin, end in pairwise(starts)]

    def bucket_start(self, bucket: Mapping[str, Any]) -> datetime:
        return from_microseconds(bucket.get("from", bucket["key"]))

    def date(self, key: Any) -> datetime:
        return from_microseconds(key)
