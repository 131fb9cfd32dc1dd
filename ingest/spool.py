"""What a collector keeps on its own disk while something else is down: whole crashes, and notes of unpublished ones.

`ingest.mover` takes them from here.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import secrets
import shutil
import stat
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import takewhile
from logging import getLogger
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from ingest import claims
from ingest.claims import Claim
from ingest.errors import NO_ROOM, Overloaded
from ingest.measured import Measured
from processing import crashid
from processing.errors import StorageError
from processing.storage import keys
from processing.storage.base import Dump
from processing.storage.filesystem import FileSystemCrashStorage, sync_folder, write_durably

log = getLogger(__name__)
T = TypeVar("T")

#: What the folders are called in which a mover has copies of dumps for the moment.
_COPIES = "moving-"
_COPY_BYTES = 256 * 1024
#: The longest product takes a third of that.
_LONGEST_NOTE_BYTES = 4096
#: No writer of a temporary file is silent for so long.
LEFTOVER_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a spool holds: ``refused`` ones are among the crashes and notes, and are tried again at a later time."""

    crashes: int = 0
    #: Of their files.
    crash_bytes: int = field(default=0, compare=False)
    notes: int = 0
    refused: int = 0
    damaged: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """What the ledger is to be told of a saved crash."""

    product: str
    received_at: datetime


class Spool:
    """One folder, shared by all processes of one machine's collector and its movers.

    Below it: ``crashes`` (whole crashes that storage did not take), ``unpublished`` (one small file for each saved
    crash that the database did not take), ``uploads`` (a folder for each collector with the dumps that it is receiving
    right now), ``damaged`` (what a mover could not read), ``lock`` (held by every process of a running collector).

    Args: ``limit_bytes`` bounds ``crashes``. Their size is measured now and then, and several processes write at the
    same time, so it may be exceeded by what the others write in between. No submission takes ``upload_seconds``.
    """

    def __init__(self, folder: Path, *, limit_bytes: int, upload_seconds: float = 86400.0) -> None:
        self.folder = folder
        self._all_uploads = folder / "uploads"
        #: Where this collector receives large dumps; `prepare` chooses it.
        self.uploads = self._all_uploads
        self.damaged = folder / "damaged"
        self.crashes = FileSystemCrashStorage(folder / "crashes")
        self._unpublished = folder / "unpublished"
        self._limit_bytes = limit_bytes
        self._upload_seconds = upload_seconds
        self._adding = threading.Lock()
        self._added_bytes = 0
        self._bytes_before_added = Measured(self._measure, at_first=0, waits_at_first=True)

    def prepare(self) -> None:
        """Make the folders; delete what a killed collector left half done. Call it once, before processes are forked.

        While another collector runs on the same folder, only what is old is deleted, for it may be writing the rest.
        Its uploads are kept apart: they are named by the number of the process, and two containers count alike.

        Raises: StorageError, but not for a disk that is full by now: what has to be spooled later may find room again.
        """
        try:
            for folder in (self._all_uploads, self._unpublished, self.damaged):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Never closed: the processes forked from this one hold the lock as long as one of them lives.
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.remove_leftovers()
            else:
                _remove_old(_paths(self._all_uploads), 0)
                self._remove_leftovers(upload_seconds=0, crash_seconds=0)
            fcntl.flock(lock, fcntl.LOCK_SH)
            self.uploads = self._make_folder_for_uploads()
        except OSError as exc:
            raise StorageError(f"{self.folder}: the spool folder cannot be used: {exc}") from exc
        try:
            self.crashes.check()
        except StorageError as exc:
            if not _is_for_room(exc):
                raise
            log.warning("the disk of the spool is full; while storage is down no crash can be kept: %s", exc)

    def _make_folder_for_uploads(self) -> Path:
        """Make a folder for this collector alone; on a full disk give the one of all, files carry process ids."""
        folder = self._all_uploads / secrets.token_hex(8)
        try:
            folder.mkdir(mode=0o700)
        except OSError as exc:
            if exc.errno not in NO_ROOM:
                raise
            return self._all_uploads
        return folder

    def remove_leftovers(self) -> None:
        """Delete temporary files so old that whoever wrote them has been killed, and folders that nobody uses any more.

        Raises: StorageError.
        """
        self._remove_leftovers(upload_seconds=self._upload_seconds, crash_seconds=LEFTOVER_SECONDS)

    def _remove_leftovers(self, *, upload_seconds: float, crash_seconds: float) -> None:
        """Notes and copies of dumps are a mover's, too, so they are deleted by their age whoever asks."""
        for uploads in _paths(self._all_uploads):
            # What came while the disk was full lies beside the folders.
            _remove_old(_paths(uploads) if uploads.is_dir() else [uploads], upload_seconds)
        _remove_old(_paths(self._unpublished, "."), LEFTOVER_SECONDS)
        _remove_old(_paths(self.folder, _COPIES), LEFTOVER_SECONDS)
        self.crashes.remove_leftovers(crash_seconds)
        for day in self.crashes.list_days():
            for folder in (*_paths(self._day_folder(day)), self._day_folder(day)):
                _remove_if_deserted(folder)

    def remove_uploads_of(self, pid: int) -> None:
        """Delete the large dumps that a process of this collector, which has ended, was receiving."""
        _remove_old(_paths(self.uploads, f"{pid}-"), 0)

    def check(self) -> None:
        """Prove that a crash could be spooled now. Raises: StorageError."""
        self._require_folder()
        self.crashes.check()
        if self.is_full():
            raise StorageError("the spool is full")

    def require_writable(self) -> None:
        """See that files can be taken out; that works on a full disk, too. Raises: StorageError."""
        self._require_folder()
        for folder in (self.folder, self._unpublished):
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise StorageError(
                    f"{folder}: cannot be written (is its disk mounted read-only?), so nothing could be taken out of it"
                )

    def _require_folder(self) -> None:
        if not self._unpublished.is_dir():
            raise StorageError(
                f"{self.folder}: there is no spool; a collector makes it when it starts. Is its disk mounted?"
            )

    def save(self, crash_id: str, raw_crash: Mapping[str, Any], dumps: Mapping[str, Dump]) -> None:
        """Keep a crash that storage did not take. Raises: Overloaded when there is no room; StorageError."""
        self._require_folder()
        if self.is_full():
            raise Overloaded("the spool is full")
        try:
            self.crashes.save_raw_crash(crash_id, raw_crash, dumps)
        except StorageError as exc:
            if _is_for_room(exc):
                raise Overloaded("the disk of the spool is full") from exc
            raise
        with suppress(OSError):  # a mover has already taken it
            size_bytes = self._crash_path(crash_id).stat().st_size
            with self._adding:
                self._added_bytes += size_bytes

    def _crash_path(self, crash_id: str) -> Path:
        return self.folder / "crashes" / keys.file_folder(crash_id) / f"{crash_id}{keys.UNIT_SUFFIX}"

    def is_full(self) -> bool:
        return self.size_bytes() >= self._limit_bytes

    def size_bytes(self) -> int:
        """Give the size of the spooled crashes, as measured some seconds ago, with what this process added since."""
        return self._bytes_before_added.get() + self._added_bytes

    def _measure(self) -> int:
        """Give the size without all that this process has ever added, which is known better: it grows meanwhile."""
        added_bytes = self._added_bytes
        return self.crashes.size_bytes() - added_bytes

    def crash_folders(self) -> Iterator[Path]:
        """Give the folders that hold spooled crashes, the oldest day first; none holds more than a part of a day.

        Raises: StorageError when the spool cannot be read.
        """
        for day in self.crashes.list_days():
            yield from _paths(self._day_folder(day))

    def _day_folder(self, day: date) -> Path:
        return self.folder / "crashes" / keys.day_folder(day)

    def claim_crashes(self, folder: Path) -> Iterator[Claim]:
        """Take, one after the other, the crashes of a folder whose turn it is and that nobody else moves."""
        for path in _paths(folder):
            crash_id = path.name.removesuffix(keys.UNIT_SUFFIX)
            if path.suffix != keys.UNIT_SUFFIX or not crashid.is_valid(crash_id):
                continue
            if path != self._crash_path(crash_id):
                self._set_aside(path, crash_id, "it is not in the folder that its name says")
            elif (claim := self._claim(path, crash_id)) is not None:
                yield claim

    def claim_notes(self) -> Iterator[Claim]:
        """Take, one after the other, the notes whose turn it is and that nobody else publishes."""
        for path in _paths(self._unpublished):
            if crashid.is_valid(path.name) and (claim := self._claim(path, path.name)) is not None:
                yield claim

    def _claim(self, path: Path, crash_id: str) -> Claim | None:
        """Raises: StorageError when files cannot be locked there."""
        try:
            return claims.claim(path, crash_id)
        except claims.NotAFile:
            self._set_aside(path, crash_id, "it is no regular file")
            return None

    def _set_aside(self, path: Path, crash_id: str, why: str) -> None:
        """Move something that no collector has put there to where no mover looks."""
        with suppress(OSError):  # another mover has just done it, or the disk is read-only, which others say
            claims.move_aside(path, self.damaged)
            log.error("%s: %s; it is kept in the spool's folder %s", crash_id, why, self.damaged.name)

    @contextmanager
    def dumps(self, claim: Claim, *, in_memory: bool) -> Iterator[dict[str, Dump]]:
        """Give a crash's dumps by name: in memory, or as copies on the spool's disk while the ``with`` block runs.

        Raises: CrashNotFound; StorageError; OSError when there is no room for the copies.
        """
        opened = self.crashes.open_dumps(claim.crash_id)
        if in_memory:
            yield {name: dump.read() for name, dump in opened}
            return
        # Named by the file, which nobody else moves: after a kill its next mover finds the copies and deletes them.
        folder = self.folder / f"{_COPIES}{os.fstat(claim.descriptor).st_ino}-{claim.crash_id}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            yield {name: _copy(dump, folder / name) for name, dump in opened}
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def note_unpublished(self, crash_id: str, *, product: str, received_at: datetime) -> None:
        """Remember, also through a power cut, that a saved crash has yet to be published. Raises: StorageError."""
        text = json.dumps({"product": product[:100], "received_at": received_at.isoformat()})
        temporary = self._unpublished / f".{crash_id}.{secrets.token_hex(4)}"
        try:
            self._require_folder()
            write_durably(str(self._unpublished / crash_id), [text.encode("ascii")], temporary=str(temporary))
        except OSError as exc:
            raise StorageError(f"{crash_id}: no note could be left in the spool") from exc

    def turn_into_note(self, claim: Claim) -> None:
        """Make a note of the file itself of a crash that storage has: on a full disk nothing else has room.

        The file gets a note's name first, then loses its content. A note that says nothing is made again from storage.
        Raises: StorageError.
        """
        note = self._unpublished / claim.crash_id
        try:
            self._require_folder()
            if claim.rename(note):
                sync_folder(self._unpublished)
                os.truncate(note, 0)
        except OSError as exc:
            raise StorageError(f"{claim.crash_id}: its file in the spool could not become a note") from exc

    def read_note(self, claim: Claim) -> Note | None:
        """Give what a note says; None when it cannot be read."""
        try:
            note = json.loads(claim.content(_LONGEST_NOTE_BYTES))
            return Note(str(note["product"]), datetime.fromisoformat(note["received_at"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def waiting(self, seconds: float = math.inf) -> Waiting:
        """Count what the spool holds, by looking at every file; what was found when the seconds are over, if earlier.

        Raises: StorageError.
        """
        self._require_folder()
        until = time.monotonic() + seconds
        damaged = sum(1 for _ in _before(until, _entries(self.damaged)))
        crashes = crash_bytes = notes = refused = 0
        for folder in _before(until, self.crash_folders()):
            for status in _before(until, _statuses(folder, keys.UNIT_SUFFIX)):
                crashes += 1
                crash_bytes += status.st_size
                refused += claims.is_put_off(status)
        for status in _before(until, _statuses(self._unpublished)):
            notes += 1
            refused += claims.is_put_off(status)
        return Waiting(crashes, crash_bytes, notes, refused, damaged)


def _is_for_room(exc: StorageError) -> bool:
    return getattr(exc.__cause__, "errno", None) in NO_ROOM


def _copy(source: BinaryIO, path: Path) -> Path:
    with path.open("wb") as copy:
        shutil.copyfileobj(source, copy, _COPY_BYTES)
    return path


def _paths(folder: Path, prefix: str = "") -> Iterator[Path]:
    return (folder / entry.name for entry in _entries(folder) if entry.name.startswith(prefix))


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Give what lies in a folder without holding it all in memory; a folder that cannot be read stops nobody."""
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as exc:
        log.warning("%s: this folder of the spool cannot be read: %s", folder.name, type(exc).__name__)


def _remove_if_deserted(folder: Path) -> None:
    """Remove a folder that is empty and has not changed for long, so that nobody is about to write there."""
    with suppress(OSError):
        if time.time() - folder.stat().st_mtime >= LEFTOVER_SECONDS:
            folder.rmdir()


def _before(until: float, found: Iterator[T]) -> Iterator[T]:
    """Give what is found before a time of the monotonic clock."""
    return takewhile(lambda _: time.monotonic() < until, found)


def _statuses(folder: Path, suffix: str = "") -> Iterator[os.stat_result]:
    """Give the status of what is named by a crash id and a suffix in a folder, as long as it is there."""
    for entry in _entries(folder):
        if entry.name.endswith(suffix) and crashid.is_valid(entry.name.removesuffix(suffix)):
            with suppress(FileNotFoundError):  # just moved
                yield entry.stat(follow_symlinks=False)


def _remove_old(paths: Iterable[Path], older_than_seconds: float) -> None:
    limit = time.time() - older_than_seconds
    for path in paths:
        with suppress(OSError):  # its writer has just finished
            status = path.lstat()
            if status.st_mtime <= limit:
                shutil.rmtree(path) if stat.S_ISDIR(status.st_mode) else path.unlink()
