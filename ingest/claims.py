"""Files of the spool that one mover alone works on, for as long as it lives and no longer."""

from __future__ import annotations

import fcntl
import os
import secrets
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
            folder.mkdir(mode=0o700, exist_ok=True)
            kept = folder / self.path.name
            if kept.exists():
                kept = folder / f"{self.path.stem}-{secrets.token_hex(4)}{self.path.suffix}"
            if self._is_there():
                self.path.rename(kept)

    def put_off(self, seconds: float) -> None:
        """Have nobody claim the file for so long; that is kept as the time of its last change, so every mover knows."""
        with _writing(self.path):
            _put_off(self.descriptor, seconds)

    def release(self) -> None:
        os.close(self.descriptor)

    def _is_there(self) -> bool:
        return os.path.samestat(self.path.stat(), os.fstat(self.descriptor))

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *_: Any) -> None:
        self.release()


def claim(path: Path, crash_id: str) -> Claim | None:
    """Take a file for this process alone. Give None when it is gone, put off, unreadable, or somebody else's.

    Raises: StorageError when files cannot be locked there.
    """
    try:
        return None if is_put_off(path.stat()) else _open_and_lock(path, crash_id)
    except FileNotFoundError:  # whoever had it before has moved it
        return None
    except OSError as exc:
        log.warning("%s: the spool's disk does not give it: %s", crash_id, type(exc).__name__)
        with suppress(OSError):
            _put_off(path, LONGEST_DELAY_SECONDS)
        return None


def _open_and_lock(path: Path, crash_id: str) -> Claim | None:
    """Raises: StorageError when files cannot be locked there; OSError when this one cannot be opened or looked at."""
    with ExitStack() as unless_claimed:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        unless_claimed.callback(os.close, descriptor)
        if not _lock(descriptor, path):
            return None
        status = os.fstat(descriptor)
        if is_put_off(status) or not os.path.samestat(path.stat(), status):
            return None
        unless_claimed.pop_all()
        return Claim(crash_id, path, status.st_size, descriptor)


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
