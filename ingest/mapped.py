"""Files that are mapped into memory, so that processes share what they write there."""

from __future__ import annotations

import mmap
import os


def map_whole(descriptor: int, size: int) -> mmap.mmap:
    """Give a file its size, keeping what it holds, and map it. What others write to it meanwhile may be lost.

    The map keeps a copy of the descriptor, and with it a lock on the file, until nobody uses the map any more.

    Raises: OSError when the disk has no room for all of the file.
    """
    _fill(descriptor, size)
    return mmap.mmap(descriptor, size)


def _fill(descriptor: int, size: int) -> None:
    """Have all of a file really on the disk, or else a shorter file.

    The kernel kills a process that writes to a mapped file where the file has a hole and the disk is full; one that
    only reads there, too, when the disk is a tmpfs.
    """
    content = os.pread(descriptor, size, 0)
    os.truncate(descriptor, len(content))
    rest = memoryview(content.ljust(size, b"\0"))
    while rest:
        rest = rest[os.pwrite(descriptor, rest, size - len(rest)) :]
