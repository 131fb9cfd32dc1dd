"""Numbers that the processes of one collector add up: each adds to a file of its own, any of them reads all files.

The files are mapped into memory. So adding is no system call, the others see it at once, and it stays when the process
is killed; the next process that is made goes on with the file, so there are never more of them than processes.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import mmap
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.mapped import map_whole

#: A place for what has no room: the first numbers are never read.
NOWHERE = 0
_LONGEST_SERIES = 32

_NAMES_BYTES = 48 * 1024
_NUMBERS = 2048
_SIZE = _NAMES_BYTES + 8 * _NUMBERS

#: By metric and label.
Sums = dict[tuple[str, str], list[float]]


@dataclass(frozen=True, slots=True)
class Series:
    """Neighbouring numbers that belong to one metric with one label; ``place`` is that of the first."""

    metric: str
    label: str
    place: int
    size: int


class Numbers:
    """The numbers of one process: 64-bit floats, at first 0, and the names of the series that they belong to.

    ``values`` is changed directly; threads need a lock of their own for that, and for `place`.

    The names are lines of JSON, each written before a number of its series changes. When a process is killed while it
    writes one, or is read by another process, then the line is cut off or has bytes that are still zero: it is no JSON
    and counts for nothing. The numbers need no such care, for processors read and write eight aligned bytes at once.
    """

    def __init__(self, memory: mmap.mmap | bytearray) -> None:
        self._memory = memory
        self._names = memoryview(memory)[:_NAMES_BYTES]
        self.values: memoryview[float] = memoryview(memory)[_NAMES_BYTES:].cast("d")
        written = bytes(self._names).rstrip(b"\0")
        self._names_end = len(written)
        if written and not written.endswith(b"\n"):
            self._append(b"\n")  # the process before was killed while it wrote this line
        known = list(_series(memory))
        self._places = {(series.metric, series.label): series.place for series in known}
        self._free = max((series.place + series.size for series in known), default=_LONGEST_SERIES)

    def place(self, metric: str, label: str, size: int) -> int:
        """Give the place of a series' first number among ``values``; `NOWHERE` when there is no room for the series.

        Args: ``size`` is how many numbers it has, at most 32.
        """
        place = self._places.get((metric, label))
        if place is not None:
            return place
        place = self._free
        line = json.dumps([metric, label, place, size], ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        names_end = self._names_end + len(line)
        if (
            place + size > _NUMBERS or names_end >= _NAMES_BYTES
        ):  # one byte is for ending a line that is cut off
            return NOWHERE
        self._append(line)
        self._free += size
        self._places[metric, label] = place
        return place

    def sums(self) -> Sums:
        """Give the numbers of this process alone."""
        return _add_up([self._memory])

    def _append(self, line: bytes) -> None:
        start = self._names_end
        self._names_end += len(line)
        self._names[start : self._names_end] = line


def make_private() -> Numbers:
    """Make numbers that no other process sees."""
    return Numbers(bytearray(_SIZE))


def start_from_zero(folder: Path) -> None:
    """Empty the folder for the numbers of a collector that starts; what is left of an earlier one counts unseen.

    The folder itself stays: on a full disk it could not be made again.

    Raises: OSError when the folder cannot be made, or holds anything but files.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink(missing_ok=True)


def take_file(folder: Path) -> Numbers:
    """Go on with the file of a process that has ended, or make a new one.

    Raises: OSError when the disk has no room for all of it, or knows no locks.
    """
    taken = (_take(folder / str(number)) for number in itertools.count())
    return Numbers(next(memory for memory in taken if memory is not None))


def sums_in(folder: Path) -> Sums:
    """Add up what all processes have counted, also those that have ended.

    Raises: OSError when the folder is gone.
    """
    files = (_look_into(path) for path in sorted(folder.iterdir()))
    return _add_up(memory for memory in files if memory is not None)


def _take(path: Path) -> mmap.mmap | None:
    """Map a file for this process alone. Give None when a living process has it.

    The kernel keeps the lock for as long as the file is mapped, and not longer, however the process ends.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return map_whole(descriptor, _SIZE)
    except BlockingIOError:
        return None
    finally:
        os.close(descriptor)


def _look_into(path: Path) -> mmap.mmap | None:
    """Map a file to read it. Give None when it is only being made: reading past the end of a file kills."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_size < _SIZE:
            return None
        return mmap.mmap(descriptor, _SIZE, prot=mmap.PROT_READ)
    finally:
        os.close(descriptor)


def _series(memory: mmap.mmap | bytearray) -> Iterator[Series]:
    for line in bytes(memoryview(memory)[:_NAMES_BYTES]).split(b"\n"):
        try:
            values = json.loads(line.decode())
        except ValueError:
            continue
        yield Series(*values)


def _add_up(memories: Iterable[mmap.mmap | bytearray]) -> Sums:
    sums: Sums = {}
    for memory in memories:
        known = list(_series(memory))
        values = memoryview(memory)[_NAMES_BYTES:].cast("d").tolist()
        for series in known:
            numbers = values[series.place : series.place + series.size]
            so_far = sums.get((series.metric, series.label), [0.0] * series.size)
            sums[series.metric, series.label] = [a + b for a, b in zip(so_far, numbers, strict=True)]
    return sums
