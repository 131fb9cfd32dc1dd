"""Look after the search index."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from processing import reindexing
from processing.errors import SearchError, StorageError
from processing.search import SearchBackend, get_search
from processing.search.base import IndexState


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
            elif not if_needed or self._is_needed(search):
                self._rebuild(search)
        except (SearchError, StorageError, DatabaseError) as exc:
            raise CommandError(f"{exc}; the index in use was left as it was") from exc

    def _is_needed(self, search: SearchBackend) -> bool:
        try:
            return reindexing.is_needed(search.state())
        except SearchError as exc:
            self.stderr.write(str(exc))
            return True

    def _rebuild(self, search: SearchBackend) -> None:
        documents = reindexing.rebuild(search, self.stdout.write)
        self.stdout.write(f"the search index was made anew and holds {documents:,} crashes")


def _describe(state: IndexState) -> str:
    if not state.exists:
        return "there is no search index; --rebuild makes it"
    if state.outdated:
        return f"the index holds {state.documents:,} crashes; fields changed since it was made: --rebuild takes them in"
    return f"the index holds {state.documents:,} crashes and all fields as they are described now"
