"""What must be true before anything is started; each check raises one line that names the way out."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
from pathlib import Path
from typing import IO

import psycopg

NEEDED_BYTES = 300 * 1000 * 1000
OLDEST_POSTGRES = 150000


class CannotStart(Exception):
    """Something on this machine stands in the way; the text says what, and what to do."""


def check_folder(var_dir: Path) -> None:
    """Make ``VAR_DIR`` when it is missing; raise CannotStart when it cannot be written or its disk is nearly full."""
    try:
        var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = var_dir / f".probe-{os.getpid()}"
        probe.write_bytes(b"probe")
        probe.unlink()
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise CannotStart(
            f"VAR_DIR={var_dir} cannot be written ({reason}). Choose another: VAR_DIR=/some/folder make run"
        ) from exc
    free = shutil.disk_usage(var_dir).free
    if free < NEEDED_BYTES:
        raise CannotStart(
            f"the disk of VAR_DIR={var_dir} has {free // 10**6} MB left, {NEEDED_BYTES // 10**6} MB are needed. "
            f"Make room, or choose a folder on another disk: VAR_DIR=/some/folder make run"
        )


def check_ports(host: str, ports: dict[str, int]) -> None:
    """Raise CannotStart for a port that cannot be listened on. Args: ``ports`` setting name to port."""
    if len(set(ports.values())) < len(ports):
        raise CannotStart(
            f"{' and '.join(ports)} are the same port, {min(ports.values())}: give each its own"
        )
    for name, port in ports.items():
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as exc:
                raise CannotStart(_port_problem(host, name, port, exc)) from exc


def _port_problem(host: str, name: str, port: int, exc: OSError) -> str:
    match exc.errno:
        case errno.EADDRINUSE:
            return f"{name}={port} is taken by another program on {host}. Choose another: {name}={port + 100} make run"
        case errno.EACCES:
            return f"{name}={port} may only be used by root. Choose one above 1023: {name}=8000 make run"
        case _:
            return f"HOST={host} is not an address of this machine ({exc.strerror}). Try HOST=127.0.0.1"


def check_database(url: str) -> None:
    """Raise CannotStart when the server at ``DATABASE_URL`` cannot be used. libpq's reasons name no password."""
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            version = connection.info.server_version
    except psycopg.OperationalError as exc:
        reason = " ".join(str(exc).split())
        raise CannotStart(
            f"DATABASE_URL: {reason} Correct it, or unset it for the embedded PostgreSQL"
        ) from exc
    if version < OLDEST_POSTGRES:
        raise CannotStart(
            f"DATABASE_URL: the server is PostgreSQL {version // 10000}, {OLDEST_POSTGRES // 10000} or newer is needed"
        )


def lock(var_dir: Path) -> IO[str]:
    """Take the lock that one running system holds on its ``VAR_DIR``; it goes with this process."""
    file = (var_dir / "run.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise CannotStart(
            f"Crash Stats already runs on VAR_DIR={var_dir} (process {holder}). Stop it, or start a second one with "
            f"other values: PORT=8100 COLLECTOR_PORT=8101 VAR_DIR=./var2 make run"
        ) from exc
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
