"""Bring what waits in a collector's spool to where it belongs: crashes to storage, saved crashes to the queue."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from logging import getLogger
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ingest.publisher import Publisher
from ingest.spool import MOVING_PREFIX, Spool
from processing.errors import CrashNotFound, QueueError, StorageError
from processing.storage.base import CrashStorage, Dump

log = getLogger(__name__)

_COPY_BYTES = 256 * 1024
#: Dumps up to this size need no room on a disk that the spool may have filled.
_IN_MEMORY_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class Moved:
    """What one round did."""

    saved: int = 0
    published: int = 0
    failed: int = 0


class Mover:
    """Drains one spool. Every step may be repeated, so a mover may be killed at any time and several may run."""

    def __init__(self, spool: Spool, storage: CrashStorage, publisher: Publisher) -> None:
        self._spool = spool
        self._storage = storage
        self._publisher = publisher

    def run_once(self, wanted: Callable[[], bool] = lambda: True) -> Moved:
        """Go through the spool once; stop early when ``wanted`` says no, or when storage or database are still down.

        Raises: StorageError when the spool itself cannot be read.
        """
        moved = Moved()
        self._save_crashes(moved, wanted)
        self._publish_notes(moved, wanted)
        return moved

    def _save_crashes(self, moved: Moved, wanted: Callable[[], bool]) -> None:
        for day in self._spool.crashes.list_days():
            for crash_id in self._spool.crashes.list_crash_ids(day):
                if not wanted():
                    return
                try:
                    self._save(crash_id, moved)
                except CrashNotFound:
                    continue  # another mover was faster
                except StorageError as exc:
                    moved.failed += 1
                    log.warning("%s: storage still does not take it: %s", crash_id, type(exc).__name__)
                    return
                except OSError as exc:
                    moved.failed += 1
                    log.warning(
                        "%s: this machine's disk has no room to move it: %s", crash_id, type(exc).__name__
                    )
                    continue  # a smaller one makes room
                moved.saved += 1
                log.info("%s: moved from the spool to storage", crash_id)

    def _save(self, crash_id: str, moved: Moved) -> None:
        """Save to storage, publish or note that this is to be done, and only then forget it here."""
        raw_crash = self._spool.crashes.get_raw_crash(crash_id)
        with TemporaryDirectory(dir=self._spool.folder, prefix=MOVING_PREFIX) as folder:
            dumps = {
                name: self._copy_of(crash_id, name, Path(folder))
                for name in self._spool.crashes.get_dump_names(crash_id)
            }
            self._storage.save_raw_crash(crash_id, raw_crash, dumps)
        product, received_at = _product(raw_crash), _received_at(raw_crash)
        try:
            self._publisher.publish(crash_id, product=product, received_at=received_at)
        except QueueError:
            self._spool.note_unpublished(crash_id, product=product, received_at=received_at)
        else:
            moved.published += 1
        self._spool.crashes.delete(crash_id)

    def _copy_of(self, crash_id: str, name: str, folder: Path) -> Dump:
        with self._spool.crashes.open_dump(crash_id, name) as source:
            start = source.read(_IN_MEMORY_BYTES)
            if len(start) < _IN_MEMORY_BYTES:
                return start
            path = folder / name
            with path.open("wb") as copy:
                copy.write(start)
                shutil.copyfileobj(source, copy, _COPY_BYTES)
        return path

    def _publish_notes(self, moved: Moved, wanted: Callable[[], bool]) -> None:
        for crash_id, product, received_at in self._spool.unpublished():
            if not wanted():
                return
            try:
                self._publisher.publish(crash_id, product=product, received_at=received_at)
            except QueueError as exc:
                moved.failed += 1
                log.warning("%s: the database still does not take it: %s", crash_id, type(exc).__name__)
                return
            self._spool.forget_note(crash_id)
            moved.published += 1
            log.info("%s: published", crash_id)


def _product(raw_crash: dict[str, Any]) -> str:
    return str(raw_crash.get("ProductName", ""))


def _received_at(raw_crash: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(raw_crash["submitted_timestamp"])
