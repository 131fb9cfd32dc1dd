"""The folder that holds a tantivy index: which index is in use, who writes, and what a rebuild does beside it.

<folder>/current     symbolic link to the index that answers searches, replaced as a whole
<folder>/next        the same for an index being made anew; it gets every write too
<folder>/index-…/    an index, and ``fields.json``: what it was made for
<folder>/write.lock  held while somebody writes
<folder>/rebuild.lock  held while somebody makes the index anew
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import tantivy

from processing.errors import SearchError
from processing.search.tantivy_layout import WORDS_ANALYZER, Layout

REBUILD = "manage.py searchindex --rebuild"
_FIELDS = "fields.json"
_LOCK_POLL_SECONDS = 0.02
#: A writer that looks whether a rebuild is under way holds the lock for a moment.
_REBUILD_LOCK_SECONDS = 1.0


class IndexFolder:
    """One folder with one index in use. The folder is made readable for its owner only."""

    def __init__(self, path: Path, *, lock_timeout_seconds: float) -> None:
        self.path = path
        self._lock_timeout_seconds = lock_timeout_seconds

    def current(self) -> Path | None:
        """Give the folder of the index that answers searches, None when there is none."""
        return self._target("current")

    def next(self) -> Path | None:
        """Give the folder of the index being made anew, None when there is none. Ask only while writing."""
        return self._target("next")

    def create(self, link: str, layout: Layout) -> Path:
        """Make an empty index and let ``link`` (``current`` or ``next``) point at it. Only while writing."""
        folder = self.path / f"index-{uuid.uuid4().hex}"
        try:
            folder.mkdir(mode=0o700)
            tantivy.Index(layout.schema, path=str(folder))
            (folder / _FIELDS).write_text(layout.to_json())
            _sync(folder / _FIELDS)
            _sync(folder)
        except (OSError, ValueError) as exc:
            raise SearchError(f"the index {folder} cannot be made: {exc}") from exc
        self._point(link, folder)
        return folder

    def promote(self) -> None:
        """Let searches go to the next index from now on, and remove the one before. Only while writing."""
        following = self.next()
        if following is None:
            raise SearchError(
                f"the index being made anew in {self.path} is gone; start again with: {REBUILD}"
            )
        self._point("current", following)
        self.drop_next()

    def drop_next(self) -> None:
        """Forget the next index, and remove every index that is not in use. Only while writing."""
        (self.path / "next").unlink(missing_ok=True)
        current = self.current()
        for folder in self.path.glob("index-*"):
            if folder != current:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer. Raises: SearchError when another one does not finish in time."""
        with self._lock("write.lock", self._lock_timeout_seconds):
            if self.next() is not None and not self._is_locked("rebuild.lock"):
                self.drop_next()  # left by a rebuild that was killed
            yield

    def is_being_rebuilt(self) -> bool:
        """Tell whether somebody makes the index anew right now."""
        return self._is_locked("rebuild.lock")

    def let_others_write(self) -> None:
        """Stay away from the lock long enough that who waits for it gets it. Between writes, not while writing."""
        time.sleep(2 * _LOCK_POLL_SECONDS)

    @contextmanager
    def rebuilding(self) -> Iterator[None]:
        """Be the only one who makes the index anew. Raises: SearchError when somebody else does."""
        with self._lock("rebuild.lock", _REBUILD_LOCK_SECONDS):
            yield

    @contextmanager
    def _lock(self, name: str, timeout_seconds: float) -> Iterator[None]:
        with self._open_lock(name) as file:
            deadline = time.monotonic() + timeout_seconds
            while not _try_lock(file.fileno()):
                if time.monotonic() >= deadline:
                    raise SearchError(
                        f"{self.path / name} is held by another process, longer than {timeout_seconds:g} s; "
                        f"one process at a time can do this: wait for it or end it"
                    )
                time.sleep(_LOCK_POLL_SECONDS)
            yield

    def _is_locked(self, name: str) -> bool:
        with self._open_lock(name) as file:
            return not _try_lock(file.fileno())

    def _open_lock(self, name: str) -> TextIO:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            return (self.path / name).open("w")
        except OSError as exc:
            raise SearchError(f"the search folder {self.path} cannot be written: {exc.strerror}") from exc

    def _target(self, link: str) -> Path | None:
        try:
            return self.path / (self.path / link).readlink()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise SearchError(
                f"{self.path / link} is no link to an index: {exc.strerror}; {REBUILD}"
            ) from exc

    def _point(self, link: str, folder: Path) -> None:
        fresh = self.path / f".{link}-{uuid.uuid4().hex}"
        try:
            fresh.symlink_to(folder.name)
            fresh.replace(self.path / link)
            _sync(self.path)
        except OSError as exc:
            raise SearchError(f"{self.path / link} cannot be set: {exc.strerror}") from exc


def open_index(folder: Path) -> tuple[tantivy.Index, Layout]:
    """Open the index in a folder, to be reloaded by hand. Raises: ValueError, KeyError, OSError when it is damaged."""
    layout = Layout.from_json((folder / _FIELDS).read_text())
    index = tantivy.Index.open(str(folder))
    index.config_reader("manual")
    index.register_tokenizer("words", WORDS_ANALYZER)
    return index, layout


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
