"""A storage of dictionaries, for tests."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from processing import crashid
from processing.errors import CrashNotFound
from processing.storage.base import CrashStorage, Dump

V = TypeVar("V")


class MemoryCrashStorage(CrashStorage):
    """Keeps everything in this process's memory; copies in and out, as real storages do."""

    def __init__(self) -> None:
        self._raw: dict[str, dict[str, Any]] = {}
        self._dumps: dict[str, dict[str, bytes]] = {}
        self._processed: dict[str, dict[str, Any]] = {}

    def save_raw_crash(self, crash_id: str, raw_crash: Mapping[str, Any], dumps: Mapping[str, Dump]) -> None:
        self._dumps[crash_id] = {
            name: dump.read_bytes() if isinstance(dump, Path) else bytes(dump) for name, dump in dumps.items()
        }
        self._raw[crash_id] = copy.deepcopy(dict(raw_crash))

    def get_raw_crash(self, crash_id: str) -> dict[str, Any]:
        return copy.deepcopy(_find(self._raw, crash_id, "crash"))

    def get_dump_names(self, crash_id: str) -> list[str]:
        _find(self._raw, crash_id, "crash")
        return sorted(self._dumps[crash_id])

    def open_dump(self, crash_id: str, name: str) -> BinaryIO:
        dumps = _find(self._dumps, crash_id, "crash")
        if name not in dumps:
            raise CrashNotFound(f"{crash_id}: no part {name} in storage")
        return io.BytesIO(dumps[name])

    def save_processed_crash(self, crash_id: str, processed_crash: Mapping[str, Any]) -> None:
        self._processed[crash_id] = copy.deepcopy(dict(processed_crash))

    def get_processed_crash(self, crash_id: str) -> dict[str, Any]:
        return copy.deepcopy(_find(self._processed, crash_id, "processed crash"))

    def delete(self, crash_id: str) -> None:
        self._raw.pop(crash_id, None)
        self._dumps.pop(crash_id, None)
        self._processed.pop(crash_id, None)

    def list_crash_ids(self, day: date) -> Iterator[str]:
        return iter([crash_id for crash_id in self._raw if crashid.day_of(crash_id) == day])

    def check(self) -> None:
        """Memory is always there."""


def _find(values: Mapping[str, V], crash_id: str, what: str) -> V:
    try:
        return values[crash_id]
    except KeyError:
        raise CrashNotFound(f"{crash_id}: no {what} in storage") from None
