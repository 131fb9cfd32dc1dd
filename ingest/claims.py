"""Files of the spool that one mover alone works on, for as long as it lives and no longer."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import Any

from processing.errors import StorageError

log = getLogger(__name__)

#: For how long a file may be put off; a later time than that comes from a clock that was set back.
LONGEST_DELAY_SECONDS = 900.0


class NotAFile(Exception):
    """What lies at a path is no regular file, so no collector has written it: a folder, a link, a pipe, a device."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One file of the spool, locked for everybody else; leaving the ``with`` block lets go of it.

    The kernel holds the lock and lets go when the process ends, however it ends: no claim outlives its mover.

    Methods leave a file alone that has come to the path since (the same crash saved again): its turn is still to come.
    Raises, every method: StorageError when the spool cannot be written.
    """

    crash_id: str
    path: Path
    size: int
    descriptor: int

    def remove(self) -> None:
        """Delete the file: it is where it belongs."""
        with _writing(self.path):
            if self._is_there():
                self.path.unlink()

    def set_aside(self, folder: Path) -> None:
        """Keep the file in another folder, where no mover looks."""
        with _writing(self.path):
            if self._is_there():
                move_aside(self.path, folder)

    def rename(self, path: Path) -> bool:
        """Give the file another name. Tell whether it was there; it stays claimed."""
        with _writing(self.path):
            if self._is_there():
                self.path.rename(path)
                return True
        return False

    def content(self, most_bytes: int) -> bytes:
        """Give what the file begins with. Raises: OSError."""
        return os.pread(self.descriptor, most_bytes, 0)

    def put_off(self, seconds: float) -> None:
        """Have nobody claim the file for so long; that is kept as the time of its last change, so every mover knows."""
        with _writing(self.path):
            _put_off(self.descriptor, seconds)

    def release(self) -> None:
        os.close(self.descriptor)

    def _is_there(self) -> bool:
        return os.path.samestat(self.path.lstat(), os.fstat(self.descriptor))

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *_: Any) -> None:
        self.release()


def claim(path: Path, crash_id: str) -> Claim | None:
    """Take a file for this process alone. Give None when it is gone, put off, unreadable, or somebody else's.

    Raises: NotAFile; StorageError when files cannot be locked there.
    """
    try:
        status = path.lstat()  # before it is opened, for that alone may do something to a device
        _require_file(status)
        return None if is_put_off(status) else _open_and_lock(path, crash_id)
    except FileNotFoundError:  # whoever had it before has moved it
        return None
    except OSError as exc:
        log.warning("%s: the spool's disk does not give it: %s", crash_id, type(exc).__name__)
        with suppress(OSError):
            _put_off(path, LONGEST_DELAY_SECONDS)
        return None


def _open_and_lock(path: Path, crash_id: str) -> Claim | None:
    """Raises: StorageError when files cannot be locked there; OSError when this one cannot be opened or looked at.

    Should something else have come to the path, it is not followed nor waited for: opening a pipe waits for its writer.
    """
    with ExitStack() as unless_claimed:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        unless_claimed.callback(os.close, descriptor)
        _require_file(os.fstat(descriptor))
        if not _lock(descriptor, path):
            return None
        status = os.fstat(descriptor)
        if is_put_off(status) or not os.path.samestat(path.lstat(), status):
            return None
        unless_claimed.pop_all()
        return Claim(crash_id, path, status.st_size, descriptor)


def move_aside(path: Path, folder: Path) -> None:
    """Move whatever lies at a path to a folder, where nothing is written over. Raises: OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    kept = folder / path.name
    if os.path.lexists(kept):
        kept = folder / f"{path.stem}-{secrets.token_hex(4)}{path.suffix}"
    path.rename(kept)


def _require_file(status: os.stat_result) -> None:
    """Raises: NotAFile."""
    if not stat.S_ISREG(status.st_mode):
        raise NotAFile


def is_put_off(status: os.stat_result) -> bool:
    """Tell whether a file's turn has yet to come."""
    return 0 < status.st_mtime - time.time() <= LONGEST_DELAY_SECONDS


def _lock(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as exc:
        raise StorageError(
            f"{path}: files cannot be locked here; put the spool on a local disk: {exc}"
        ) from exc
    return True


def _put_off(file: Path | int, seconds: float) -> None:
    due_at = time.time() + min(seconds, LONGEST_DELAY_SECONDS)
    os.utime(file, (due_at, due_at))


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        return  # taken away by hand
    except OSError as exc:
        raise StorageError(f"{path}: the spool cannot be written: {exc}") from exc
