"""Look after the search index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from processing.errors import CrashNotFound, SearchError, StorageError
from processing.models import Crash, CrashState
from processing.search import SearchBackend, documents, get_search
from processing.search.base import IndexState
from processing.storage import get_storage

BATCH = 500
_PROGRESS_EVERY = 10_000


class Command(BaseCommand):
    help = "Tell how the search index stands; with --rebuild, make it anew from all processed crashes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--rebuild",
            action="store_true",
            help="make the index anew while the site is up; searches use the old one until it is done",
        )
        parser.add_argument(
            "--if-needed",
            action="store_true",
            help="with --rebuild: only when there is no index that can be read and knows all fields",
        )

    def handle(self, *, rebuild: bool, if_needed: bool, **options: Any) -> None:
        if if_needed and not rebuild:
            raise CommandError("--if-needed says when to rebuild: give --rebuild with it")
        search = get_search()
        try:
            if not rebuild:
                self.stdout.write(_describe(search.state()))
            elif not if_needed or self._needs_rebuild(search):
                self._rebuild(search)
        except (SearchError, StorageError, DatabaseError) as exc:
            raise CommandError(f"{exc}; the index in use was left as it was") from exc

    def _needs_rebuild(self, search: SearchBackend) -> bool:
        try:
            state = search.state()
        except SearchError as exc:
            self.stderr.write(str(exc))
            return True
        return not state.exists or state.outdated

    def _rebuild(self, search: SearchBackend) -> None:
        documents = search.rebuild(self._batches(), _load)
        self.stdout.write(f"the search index was made anew and holds {documents:,} crashes")

    def _batches(self) -> Iterator[Sequence[str]]:
        """Give the ids of all crashes that may have a processed crash, and show how far it is.

        One whose second processing failed, or has yet to come, can be looked at all the while; so it can be found.
        """
        kept = Crash.objects.exclude(state=CrashState.DELETED)
        total = kept.count()
        ids = kept.values_list("crash_id", flat=True).iterator(chunk_size=BATCH)
        done = 0
        while batch := list(islice(ids, BATCH)):
            yield batch
            done += len(batch)
            if done % _PROGRESS_EVERY == 0:
                self.stdout.write(f"{done:,} of {total:,} crashes done")


def _load(crash_id: str) -> Mapping[str, Any] | None:
    try:
        return documents.searchable(get_storage().get_processed_crash(crash_id))
    except CrashNotFound:  # deleted since it was listed, or never processed
        return None


def _describe(state: IndexState) -> str:
    if not state.exists:
        return "there is no search index; --rebuild makes it"
    if state.outdated:
        return f"the index holds {state.documents:,} crashes; fields changed since it was made: --rebuild takes them in"
    return f"the index holds {state.documents:,} crashes and all fields as they are described now"
