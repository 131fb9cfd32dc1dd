"""Answer a client that lost the answer and sends again with the first crash id."""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.mapped import map_whole

#: Key, seconds since 1970 (negative while the report is being saved), crash id, id of the process that wrote this; a
#: CRC-32 of these stands behind them.
_ENTRY = struct.Struct("<16sd36sI")
_ENTRY_BYTES = _ENTRY.size + 4
_ENTRIES = 1 << 15
#: How long a repeat waits for the first to be saved.
_SAVING_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 0.05


class RecentReports:
    """Remembers saved reports for some minutes, for all processes on one machine, across restarts.

    A report is known by a hash of its annotations, its dumps and its sender; the sender's address is part of the hash
    and of nothing else. The memory is one file of 2 MB that the processes share: a table in which a report's place
    follows from its hash, and newer ones replace older ones. An entry that is read while another process writes it does
    not fit its checksum, and counts as none.

    Args: ``window_seconds`` is how long a report is remembered; 0 switches it off.
    Raises: OSError when the file cannot be made, or when the disk has no room for all of it.
    """

    def __init__(self, path: Path, *, window_seconds: int) -> None:
        self._window_seconds = window_seconds
        self._claiming = threading.Lock()
        if not window_seconds:
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        #: Never closed: its locks keep processes from claiming one report at the same time.
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._table = map_whole(self._descriptor, _ENTRIES * _ENTRY_BYTES)

    def key(self, report_digest: bytes, client: str) -> bytes:
        return hashlib.sha256(report_digest + client.encode("utf-8", "replace")).digest()[:16]

    def claim(self, key: bytes, crash_id: str) -> str | None:
        """Give the crash id of the same report when it was saved a short time ago.

        When it is being saved right now, wait for the outcome: a client may lose its patience and send again before the
        first answer was made. When there is none, give None and note that this one is being saved under ``crash_id``;
        then call `remember` or `forget`.
        """
        if not self._window_seconds:
            return None
        give_up_at = time.monotonic() + _SAVING_SECONDS
        while True:
            with self._alone_at(self._place(key)):
                entry = self._entry(key)
                if entry is None or time.monotonic() >= give_up_at:
                    self._write(key, -time.time(), crash_id)
                    return None
            first_id, is_saved = entry
            if is_saved:
                return first_id
            time.sleep(_LOOK_AGAIN_SECONDS)

    def remember(self, key: bytes, crash_id: str) -> None:
        """Call this once a report is saved, never earlier: who is told of a first crash id must find the crash."""
        if self._window_seconds:
            self._write(key, time.time(), crash_id)

    def forget(self, key: bytes) -> None:
        """Take a claim back: the report could not be saved."""
        if self._window_seconds and self._entry(key) is not None:
            self._write(key, 0.0, "")

    @contextmanager
    def _alone_at(self, place: int) -> Iterator[None]:
        """Keep other threads and processes from claiming the report at a place of the table."""
        with self._claiming:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX, _ENTRY_BYTES, place)
            try:
                yield
            finally:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, _ENTRY_BYTES, place)

    def _entry(self, key: bytes) -> tuple[str, bool] | None:
        """Give the crash id of a report, and whether it has been saved; None when it is not known."""
        place = self._place(key)
        written = self._table[place : place + _ENTRY_BYTES]
        entry = written[: _ENTRY.size]
        found, at, crash_id, process_id = _ENTRY.unpack(entry)
        if found != key or written[_ENTRY.size :] != _checksum(entry):
            return None
        is_saved = at > 0
        if not 0 <= time.time() - abs(at) <= (self._window_seconds if is_saved else _SAVING_SECONDS):
            return None
        if not is_saved and not _is_alive(process_id):
            return None
        return crash_id.decode("ascii"), is_saved

    def _write(self, key: bytes, at: float, crash_id: str) -> None:
        place = self._place(key)
        entry = _ENTRY.pack(key, at, crash_id.encode("ascii"), os.getpid())
        self._table[place : place + _ENTRY_BYTES] = entry + _checksum(entry)

    def _place(self, key: bytes) -> int:
        return int.from_bytes(key[:4]) % _ENTRIES * _ENTRY_BYTES


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True


def _checksum(entry: bytes) -> bytes:
    return zlib.crc32(entry).to_bytes(4, "little")
