"""What every crash storage can do. All of them pass ``tests/contracts/storage.py``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

#: A dump to save: its bytes, or the path of a file that holds them (a spooled upload).
Dump = bytes | memoryview | Path


class CrashStorage(ABC):
    """Keeps crashes by crash id. Every method may be called again with the same arguments, with the same outcome.

    Crash ids are valid ones (see `processing.crashid`); dump names match ``[A-Za-z0-9_]{1,30}``.
    Raises, every method: StorageError when the storage cannot be reached or written. What cannot be read because it is
    damaged raises CrashDamaged, a kind of CrashNotFound.
    """

    def hold_to(self, memory: Path, *, begin: bool) -> None:  # noqa: B027  # nothing to do for most
        """Use the storage that the file ``memory`` tells of and no other; most storages cannot be mistaken for another.

        Args: ``begin`` says whether this storage, whichever it is, is to be noted there when nothing is.
        """

    @abstractmethod
    def save_raw_crash(self, crash_id: str, raw_crash: Mapping[str, Any], dumps: Mapping[str, Dump]) -> None:
        """Write dumps first and the raw crash last; when this returns, all of it survives a power cut."""

    @abstractmethod
    def get_raw_crash(self, crash_id: str) -> dict[str, Any]:
        """Give the annotations and collector metadata. Raises: CrashNotFound."""

    @abstractmethod
    def get_dump_names(self, crash_id: str) -> list[str]:
        """Give the names of the crash's dumps, sorted. Raises: CrashNotFound."""

    @abstractmethod
    def open_dump(self, crash_id: str, name: str) -> BinaryIO:
        """Open one dump for reading from its start. Raises: CrashNotFound."""

    @abstractmethod
    def save_processed_crash(self, crash_id: str, processed_crash: Mapping[str, Any]) -> None:
        """Write the processed crash, replacing an earlier one."""

    @abstractmethod
    def get_processed_crash(self, crash_id: str) -> dict[str, Any]:
        """Raises: CrashNotFound."""

    @abstractmethod
    def delete(self, crash_id: str) -> None:
        """Remove every part of a crash, raw crash first; unknown ids are no error."""

    @abstractmethod
    def list_crash_ids(self, day: date) -> Iterator[str]:
        """Give the ids of that UTC day whose raw crash is saved, in no particular order."""

    def remove_leftovers(self, older_than_seconds: float) -> int:
        """Delete what killed writers left half written so long ago; most storages have no such thing. Give how much."""
        return 0

    @abstractmethod
    def check(self) -> None:
        """Prove that the storage can be written and read now. Raises: StorageError saying what failed."""
