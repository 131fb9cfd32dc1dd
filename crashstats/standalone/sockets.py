"""Folders for unix sockets, whose paths must be short and without a comma, which libpq takes for the end of a host."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

#: Linux allows 108 bytes for a socket's path, macOS 104, the final zero included.
LONGEST_SOCKET_PATH = 103


def socket_folder(wanted: Path, socket_name: str) -> Path:
    """Give ``wanted`` when a socket of that name can lie there, else a folder of its own below the temporary one."""
    if len(os.fsencode(wanted / socket_name)) <= LONGEST_SOCKET_PATH and "," not in str(wanted):
        return wanted
    digest = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"crashstats-{digest}"


def claim_folder(folder: Path, owner: int) -> None:
    """Make a folder of mode 0700 for the user id ``owner``, or see that an existing one is just that.

    A folder below the temporary one has a name that others can guess: theirs, or a link of theirs, is refused.
    Raises: PermissionError for a link, or for a folder of somebody who is neither ``owner`` nor we.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(descriptor)
        if found.st_uid not in (owner, os.geteuid()):
            raise PermissionError(f"{folder} belongs to user id {found.st_uid}, not to {owner}")
        if found.st_uid != owner:
            os.fchown(descriptor, owner, -1)
        if stat.S_IMODE(found.st_mode) != 0o700:
            os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)
