"""What a collector keeps on its own disk while something else is down: whole crashes, and notes of unpublished ones.

`ingest.mover` takes them from here.
"""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ingest.errors import Overloaded
from processing import crashid
from processing.errors import StorageError
from processing.storage.base import Dump
from processing.storage.filesystem import FileSystemCrashStorage

#: What the folders are called in which a mover has copies of dumps for the moment.
MOVING_PREFIX = "moving-"
_SIZE_KNOWN_SECONDS = 2.0
#: No space on the disk, none for this user, none for a file of this size.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Spool:
    """One folder, shared by all processes of one machine's collector and its mover.

    Below it: ``crashes`` (whole crashes that storage did not take), ``unpublished`` (one small file for each saved
    crash that the database did not take), ``uploads`` (dumps of submissions that are arriving right now).

    Args: ``limit_bytes`` bounds ``crashes``. It is measured every few seconds, and several processes write at the same
    time, so it may be exceeded by what they write within that time.
    """

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        self.folder = folder
        self.uploads = folder / "uploads"
        self.crashes = FileSystemCrashStorage(folder / "crashes")
        self._unpublished = folder / "unpublished"
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._measured_at = -_SIZE_KNOWN_SECONDS
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Make the folders, and delete what a killed collector or mover left half done. Raises: StorageError."""
        try:
            for folder in (self.uploads, self._unpublished):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in self.uploads.iterdir():
                path.unlink()
            for path in self.folder.glob(f"{MOVING_PREFIX}*"):
                shutil.rmtree(path, ignore_errors=True)
        except OSError as exc:
            raise StorageError(f"{self.folder}: the spool folder cannot be used: {exc}") from exc
        self.crashes.check()
        self.crashes.remove_leftovers(older_than_seconds=0)

    def save(self, crash_id: str, raw_crash: Mapping[str, Any], dumps: Mapping[str, Dump]) -> None:
        """Keep a crash that storage did not take. Raises: Overloaded when there is no room; StorageError."""
        if self.size_bytes() >= self._limit_bytes:
            raise Overloaded("the spool is full")
        try:
            self.crashes.save_raw_crash(crash_id, raw_crash, dumps)
        except StorageError as exc:
            if getattr(exc.__cause__, "errno", None) in _NO_ROOM:
                raise Overloaded("the disk of the spool is full") from exc
            raise

    def is_full(self) -> bool:
        return self.size_bytes() >= self._limit_bytes

    def size_bytes(self) -> int:
        """Give the size of the spooled crashes, known from at most two seconds ago."""
        with self._lock:
            now = time.monotonic()
            if now - self._measured_at >= _SIZE_KNOWN_SECONDS:
                self._size_bytes = self.crashes.size_bytes()
                self._measured_at = now
            return self._size_bytes

    def note_unpublished(self, crash_id: str, *, product: str, received_at: datetime) -> None:
        """Remember that a saved crash has yet to be published.

        The note is not synced to the disk: after a power cut `verifyprocessed` finds the crash in storage.
        """
        temporary = self._unpublished / f".{crash_id}"
        text = json.dumps({"product": product[:100], "received_at": received_at.isoformat()})
        try:
            temporary.write_text(text)
            temporary.rename(self._unpublished / crash_id)
        except OSError as exc:
            raise StorageError(f"{crash_id}: no note could be left in the spool") from exc

    def unpublished(self) -> Iterator[tuple[str, str, datetime]]:
        """Give crash id, product and time of receipt for each note; notes that cannot be read are dropped."""
        for path in sorted(self._unpublished.iterdir()) if self._unpublished.exists() else ():
            if not crashid.is_valid(path.name):
                continue
            try:
                note = json.loads(path.read_text())
                yield path.name, str(note["product"]), datetime.fromisoformat(note["received_at"])
            except FileNotFoundError:
                continue  # another mover was faster
            except (ValueError, KeyError, TypeError):
                path.unlink(missing_ok=True)

    def forget_note(self, crash_id: str) -> None:
        with contextlib.suppress(OSError):
            (self._unpublished / crash_id).unlink(missing_ok=True)

    def waiting(self) -> dict[str, int]:
        """Give how many crashes and notes wait for the mover."""
        crashes = sum(1 for day in self.crashes.list_days() for _ in self.crashes.list_crash_ids(day))
        return {"crashes": crashes, "unpublished": sum(1 for _ in self.unpublished())}
