"""Answer a client that lost the answer and sends again with the first crash id."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import threading
import time
from pathlib import Path

from processing import crashid


class RecentReports:
    """Remembers saved reports for some minutes, for all processes on one machine, across restarts.

    A report is known by a hash of its annotations, its dumps and its sender; the sender's address is part of the hash
    and of nothing else. A report is a symbolic link named by the hash that points to its crash id, in a folder per
    period: one system call to make, two to look up, and old ones go by the folder.

    Args: ``window_seconds`` is how long a report is remembered, up to twice as long; 0 switches it off.
    """

    def __init__(self, folder: Path, *, window_seconds: int) -> None:
        self._folder = folder
        self._window_seconds = window_seconds
        self._lock = threading.Lock()
        self._period = -1

    def key(self, report_digest: bytes, client: str) -> str:
        return hashlib.sha256(report_digest + client.encode("utf-8", "replace")).hexdigest()

    def find(self, key: str) -> str | None:
        """Give the crash id of the same report when it was saved a short time ago."""
        if not self._window_seconds:
            return None
        period = self._current_period()
        for folder in (str(period), str(period - 1)):
            try:
                crash_id = str((self._folder / folder / key).readlink())
            except OSError:
                continue
            return crash_id if crashid.is_valid(crash_id) else None
        return None

    def remember(self, key: str, crash_id: str) -> None:
        """Call this once a report is saved. A report that cannot be remembered is no error: it was saved."""
        if not self._window_seconds:
            return
        link = self._folder / str(self._current_period()) / key
        with contextlib.suppress(OSError):  # the same report twice at the same time, or a full disk
            try:
                link.symlink_to(crash_id)
            except FileNotFoundError:
                link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                link.symlink_to(crash_id)

    def _current_period(self) -> int:
        period = int(time.time() // self._window_seconds)
        if period != self._period and self._lock.acquire(blocking=False):
            try:
                self._period = period
                self._remove_before(period - 1)
            finally:
                self._lock.release()
        return period

    def _remove_before(self, period: int) -> None:
        with contextlib.suppress(OSError):
            for folder in self._folder.iterdir():
                if folder.name.isdecimal() and int(folder.name) < period:
                    shutil.rmtree(folder, ignore_errors=True)
