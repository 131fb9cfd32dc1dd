"""Search over processed crashes: a checked `Query` in, a `SearchResult` out, whichever engine answers."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from processing import backends
from processing.search.base import SearchBackend

__all__ = ["SearchBackend", "get_search"]


@cache
def get_search() -> SearchBackend:
    """The engine that the setting SEARCH names, one object per process."""
    search: SearchBackend = backends.build(settings.SEARCH, "SEARCH")
    return search
