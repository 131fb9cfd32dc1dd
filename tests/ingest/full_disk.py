"""Disks without room."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def full_disk(longest_bytes: int = 10) -> Iterator[None]:
    """Let no file of this process grow beyond some bytes, as if the disk were full.

    Unlike on a really full disk, folders and empty files can still be made; see `start_on_full_disk`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (longest_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


#: Mounts a small disk for this process alone, copies there what lies in the folder, and leaves no byte and no inode.
_FILL = """
cp -a "$0" "$0.copy"
mount -t tmpfs -o size=1m,nr_inodes=50 full "$0" || exit 1
cp -a "$0.copy/." "$0"
dd if=/dev/zero of="$0/filler" bs=64k 2>/dev/null
number=0
while touch "$0/filler$number" 2>/dev/null; do number=$((number + 1)); done
exec "$@"
"""


def start_on_full_disk(folder: Path) -> list[str]:
    """Give the words before a command to which a folder, with what lies there, is a disk that is full."""
    # Root can mount as it is, and keeps its rights to files of others.
    apart = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c"]
    mount = ['mount -t tmpfs full "$0"', str(folder)]
    if shutil.which("unshare") is None or subprocess.run([*apart, *mount], check=False).returncode:
        pytest.skip("this machine does not let a process mount disks for itself")
    return [*apart, _FILL, str(folder)]
