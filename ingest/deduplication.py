"""Answer a client that lost the answer and sends again with the first crash id."""

from __future__ import annotations

import hashlib
import os
import struct
import time
from contextlib import suppress
from pathlib import Path

from ingest.mapped import map_whole
from processing import crashid

#: Key, time of saving (seconds since 1970), crash id.
_ENTRY = struct.Struct("<20sd36s")
_ENTRIES = 1 << 15


class RecentReports:
    """Remembers saved reports for some minutes, for all processes on one machine, across restarts.

    A report is known by a hash of its annotations, its dumps and its sender; the sender's address is part of the hash
    and of nothing else. The memory is one file of 2 MB that the processes share: a table in which a report's place
    follows from its hash, and newer ones replace older ones. Reading an entry while another process writes it gives a
    key that does not fit, or a crash id that is none: then the report counts as new.

    Args: ``window_seconds`` is how long a report is remembered; 0 switches it off.
    Raises: OSError when the file cannot be made, or when the disk has no room for all of it.
    """

    def __init__(self, path: Path, *, window_seconds: int) -> None:
        self._window_seconds = window_seconds
        if not window_seconds:
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._table = map_whole(descriptor, _ENTRIES * _ENTRY.size)
        finally:
            os.close(descriptor)

    def key(self, report_digest: bytes, client: str) -> bytes:
        return hashlib.sha256(report_digest + client.encode("utf-8", "replace")).digest()[:20]

    def find(self, key: bytes) -> str | None:
        """Give the crash id of the same report when it was saved a short time ago."""
        if not self._window_seconds:
            return None
        found, saved_at, crash_id = _ENTRY.unpack_from(self._table, self._place(key))
        if found != key or not 0 <= time.time() - saved_at <= self._window_seconds:
            return None
        with suppress(UnicodeDecodeError):
            text = crash_id.decode("ascii")
            if crashid.is_valid(text):
                return str(text)
        return None

    def remember(self, key: bytes, crash_id: str) -> None:
        """Call this once a report is saved, never earlier: who is told of a first crash id must find the crash."""
        if self._window_seconds:
            _ENTRY.pack_into(self._table, self._place(key), key, time.time(), crash_id.encode("ascii"))

    def _place(self, key: bytes) -> int:
        return int.from_bytes(key[:4]) % _ENTRIES * _ENTRY.size
