"""Make the search index anew from all processed crashes, while the site is up and the indexer goes on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from django.db import Error as DatabaseFailure
from django.db import connection

from processing.errors import CrashNotFound, CrashStatsError, SearchError, StorageError
from processing.models import Crash, CrashState, SearchOutbox
from processing.search import SearchBackend, documents, get_search
from processing.search.base import IndexState
from processing.storage import get_storage

logger = logging.getLogger(__name__)

BATCH = 500
#: How long to wait before beginning again after a rebuild broke off: it starts from nothing each time.
REST_SECONDS = 60.0
_PROGRESS_EVERY = 10_000


class BrokenOff(CrashStatsError):
    """Somebody asked for the end while the index was made anew; the one in use was left as it was."""


def is_needed(state: IndexState) -> bool:
    """Tell whether an index that stands like this has to be made anew."""
    return not state.exists or state.outdated


def rebuild(
    search: SearchBackend, tell: Callable[[str], None], stopping: threading.Event | None = None
) -> int:
    """Make the index anew and switch to it; give how many crashes it holds. ``tell`` gets a line now and then.

    A crash that cannot be read while others can is left to the search outbox.
    Raises: SearchError, StorageError, django.db.Error, BrokenOff when ``stopping`` is set meanwhile; the index in use
    is left as it was then.
    """

    def load(crash_id: str) -> Mapping[str, Any] | None:
        if stopping and stopping.is_set():
            raise BrokenOff("the search index is not made anew: the process is ending")
        return _load(crash_id)

    return search.rebuild(_batches(tell), load)


class BackgroundRebuild:
    """Makes the index anew in a thread of its own, when that is needed as a process starts."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._thread: threading.Thread | None = None
        self._begun = threading.Event()
        self._failure: Exception | None = None
        self._settled = False
        self._not_before = float("-inf")

    def begin_if_needed(self) -> None:
        """Return at once when the index is in order, or being made anew; else begin, and return when it takes writes.

        Raises: SearchError, StorageError or django.db.Error when that cannot be begun now; call it again later.
        """
        if self._settled or time.monotonic() < self._not_before:
            return
        search = get_search()
        state = _state(search)
        if state is not None and not is_needed(state):
            self._settled = True
        elif state is not None and state.rebuilt is not None:  # somebody else is at it
            self._not_before = time.monotonic() + REST_SECONDS
        else:
            self._begin(search)

    def join(self) -> None:
        """Wait until the thread has ended, which it does soon after ``stopping`` was set."""
        if self._thread is not None:
            self._thread.join()

    def _begin(self, search: SearchBackend) -> None:
        self.join()
        self._begun.clear()
        self._failure = None
        self._settled = True
        self._thread = threading.Thread(target=self._run, args=(search,), name="rebuild of search")
        self._thread.start()
        self._begun.wait()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:  # nothing was begun
            self._not_before = float("-inf")
            raise self._failure

    def _run(self, search: SearchBackend) -> None:
        try:
            count = rebuild(search, self._tell, self._stopping)
            logger.info("the search index was made anew and holds %d crashes", count)
        except BrokenOff as exc:
            logger.info("%s", exc)
        except (SearchError, StorageError, DatabaseFailure) as exc:
            self._break_off(exc)
        except Exception as exc:  # a defect of ours: the indexer has to go on
            logger.exception("the search index cannot be made anew")
            self._break_off(SearchError(f"the search index cannot be made anew ({type(exc).__name__})"))
        finally:
            self._begun.set()
            connection.close()  # each thread has its own

    def _break_off(self, failure: Exception) -> None:
        logger.warning("the search index is not made anew now; again in %d s: %s", REST_SECONDS, failure)
        if not self._begun.is_set():
            self._failure = failure
        self._not_before = time.monotonic() + REST_SECONDS
        self._settled = False

    def _tell(self, line: str) -> None:
        self._begun.set()
        logger.info("making the search index anew: %s", line)


def _state(search: SearchBackend) -> IndexState | None:
    """Tell how the index stands, None when it is damaged."""
    try:
        return search.state()
    except SearchError as exc:
        logger.warning("%s", exc)
        return None


def _batches(tell: Callable[[str], None]) -> Iterator[Sequence[str]]:
    """Give the ids of all crashes that may have a processed crash, and tell how far it is; first as it begins, if any.

    One whose second processing failed, or has yet to come, can be looked at all the while; so it can be found.
    """
    kept = Crash.objects.exclude(state=CrashState.DELETED)
    total = kept.count()
    if total:
        tell(f"0 of {total:,} crashes done")
    ids = kept.values_list("crash_id", flat=True).iterator(chunk_size=BATCH)
    done = 0
    while batch := list(islice(ids, BATCH)):
        yield batch
        done += len(batch)
        if done % _PROGRESS_EVERY == 0:
            tell(f"{done:,} of {total:,} crashes done")


def _load(crash_id: str) -> Mapping[str, Any] | None:
    try:
        return documents.searchable(get_storage().get_processed_crash(crash_id))
    except CrashNotFound:  # deleted since it was listed, or never processed
        return None
    except StorageError as exc:
        get_storage().check()
        logger.warning("left to the search outbox: %s", exc)
        SearchOutbox.objects.create(crash_id=crash_id)
        return None
