"""Tell a full local disk from everything else that goes wrong with files: it is never a crash's fault."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processing.errors import CrashStatsError

#: What the system says when the disk has no room, or our user's share of it is used up.
_ERRORS = (errno.ENOSPC, errno.EDQUOT)
#: How Rust programs write these errors, whatever the language of the system.
_IN_LOGS = tuple(f"(os error {number})" for number in _ERRORS)
_PROBE = "room.probe"
_PROBE_BYTES = 64 * 1024


class DiskFull(CrashStatsError):
    """The local disk, or our quota of it, has no room; trying again later helps when somebody has made some."""


@contextmanager
def noticed() -> Iterator[None]:
    """Turn a file error that means a full disk into DiskFull; let all others be."""
    try:
        yield
    except OSError as exc:
        if exc.errno in _ERRORS:
            raise DiskFull(f"no room on the disk of {exc.filename or 'the working folder'}: {exc}") from exc
        raise


def prove_room(folder: Path, log: str = "") -> None:
    """Prove that the disk which holds ``folder`` takes another 64 KiB.

    To be called after a program failed that writes there, with what it left still in place: then a disk that it found
    full is full. ``log`` is what the program said; it may name the cause when others have made room since.
    Raises: DiskFull.
    """
    if any(words in log for words in _IN_LOGS):
        raise DiskFull(f"no room on the disk of {folder}, says the program that was to write there")
    probe = folder / _PROBE
    try:
        with noticed():
            probe.write_bytes(bytes(_PROBE_BYTES))
    finally:
        probe.unlink(missing_ok=True)
