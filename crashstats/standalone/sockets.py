"""Folders for unix sockets, whose paths must be short and without a comma, which libpq takes for the end of a host."""

from __future__ import annotations

import hashlib
import os
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
