"""Secrets that are made once and kept in files that only their owner can read."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from crashstats.env import BadSetting


def read_or_create_secret(path: Path) -> str:
    """Give the secret kept in a file below ``VAR_DIR``, after making it when there is none.

    It is 50 URL-safe random characters, in a file of mode 0600. Two processes that start together agree: whoever links
    the file first wins.
    Raises: BadSetting when the file can neither be read nor made.
    """
    try:
        if not path.exists():
            _create(path)
        return path.read_text(encoding="ascii").strip()
    except OSError as exc:
        raise BadSetting(
            f"VAR_DIR={path.parent} cannot be used ({exc.strerror}: {path.name}). "
            f"Choose a folder of your own: VAR_DIR=/some/folder make run"
        ) from exc


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(50)[:50])
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
