"""Where crashes are kept: raw crashes, dumps, processed crashes."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from processing import backends
from processing.storage.base import CrashStorage

__all__ = ["CrashStorage", "get_storage"]


@cache
def get_storage() -> CrashStorage:
    """The storage that the setting CRASH_STORAGE names, one object per process."""
    storage: CrashStorage = backends.build(settings.CRASH_STORAGE, "CRASH_STORAGE")
    return storage
