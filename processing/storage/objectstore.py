"""Crashes as objects in a bucket, through any Django storage: S3 and everything that speaks its language, GCS, ..."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import Storage

from processing import backends, crashid
from processing.errors import CrashNotFound, StorageError, StorageMisconfigured
from processing.storage import keys
from processing.storage.base import CrashStorage, Dump
from processing.storage.filesystem import from_json, to_json

#: What S3 and GCS say about a bucket that will not be there later either.
_LASTING_CODES = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "NoSuchBucket", "SignatureDoesNotMatch", "401", "403", "404"}
)


class ObjectCrashStorage(CrashStorage):
    """Keeps crashes as objects; see `processing.storage.keys` for the layout, which is that of Mozilla's buckets.

    An object is there whole or not at all, and the raw crash comes last, so a crash that has one is complete. Saving a
    crash again under the same id with fewer dumps leaves the objects of the others behind, out of reach.

    Args: ``storage`` is a setting such as ``{"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": {...}}``, of a
    storage that overwrites.
    """

    def __init__(self, storage: Mapping[str, Any]) -> None:
        self._setting = storage
        self._connect_anew()
        # Processes that shared a connection would read each other's answers, and GCS's library pools one per object.
        os.register_at_fork(after_in_child=self._connect_anew)

    def _connect_anew(self) -> None:
        self._storage: Storage = backends.build(self._setting, "CRASH_STORAGE")

    def save_raw_crash(self, crash_id: str, raw_crash: Mapping[str, Any], dumps: Mapping[str, Dump]) -> None:
        with _storage_errors(f"{crash_id}: cannot save"):
            self._put(keys.dump_names_key(crash_id), json.dumps(sorted(dumps)).encode("ascii"))
            for name, dump in dumps.items():
                self._put(keys.dump_key(crash_id, name), dump)
            self._put(keys.raw_crash_key(crash_id), to_json(raw_crash))

    def get_raw_crash(self, crash_id: str) -> dict[str, Any]:
        return cast("dict[str, Any]", self._get_json(crash_id, keys.raw_crash_key(crash_id)))

    def get_dump_names(self, crash_id: str) -> list[str]:
        return cast("list[str]", self._get_json(crash_id, keys.dump_names_key(crash_id)))

    def open_dump(self, crash_id: str, name: str) -> BinaryIO:
        with _storage_errors(
            f"{crash_id}: cannot read {name}", missing=f"{crash_id}: no part {name} in storage"
        ):
            file = self._storage.open(keys.dump_key(crash_id, name))
            file.seek(0)  # storages open lazily: a failure is to show here
            return cast("BinaryIO", file)

    def save_processed_crash(self, crash_id: str, processed_crash: Mapping[str, Any]) -> None:
        with _storage_errors(f"{crash_id}: cannot save the processed crash"):
            self._put(keys.processed_crash_key(crash_id), to_json(processed_crash))

    def get_processed_crash(self, crash_id: str) -> dict[str, Any]:
        return cast("dict[str, Any]", self._get_json(crash_id, keys.processed_crash_key(crash_id)))

    def delete(self, crash_id: str) -> None:
        with _storage_errors(f"{crash_id}: cannot delete"):
            try:
                names = self.get_dump_names(crash_id)
            except CrashNotFound:
                names = []
            self._storage.delete(keys.raw_crash_key(crash_id))
            for name in names:
                self._storage.delete(keys.dump_key(crash_id, name))
            self._storage.delete(keys.dump_names_key(crash_id))
            self._storage.delete(keys.processed_crash_key(crash_id))

    def list_crash_ids(self, day: date) -> Iterator[str]:
        with _storage_errors(f"cannot list the crashes of {day}"):
            _, names = self._storage.listdir(keys.raw_crash_prefix(day))
            yield from filter(crashid.is_valid, names)

    def check(self) -> None:
        """Write an object, read it, delete it."""
        key = f"test/testfile-{secrets.token_hex(16)}.txt"
        with _storage_errors("the bucket cannot be written and read"):
            self._put(key, b"test")
            self._storage.open(key).close()
            self._storage.delete(key)

    def _put(self, key: str, content: Dump) -> None:
        if isinstance(content, Path):
            with content.open("rb") as source:
                self._storage.save(key, File(source))
        else:
            self._storage.save(key, ContentFile(bytes(content)))

    def _get_json(self, crash_id: str, key: str) -> Any:
        with (
            _storage_errors(f"{crash_id}: cannot read {key}", missing=f"{crash_id}: no {key} in storage"),
            self._storage.open(key) as file,
        ):
            return from_json(file.read(), f"{crash_id}: {key}")


@contextlib.contextmanager
def _storage_errors(what: str, *, missing: str | None = None) -> Iterator[None]:
    """Turn what a storage raises, whichever it is, into the errors that callers know."""
    try:
        yield
    except (CrashNotFound, StorageError):
        raise
    except FileNotFoundError as exc:
        if missing is None:
            raise StorageError(f"{what}: {exc}") from exc
        raise CrashNotFound(missing) from None
    except Exception as exc:  # each storage has exceptions of its own
        kind = StorageMisconfigured if _code(exc) in _LASTING_CODES else StorageError
        raise kind(f"{what}: {exc}") from exc


def _code(exc: BaseException | None) -> str:
    """Give the error code of the store behind an exception or behind what caused it; nothing when there is none."""
    while exc is not None:
        response = getattr(exc, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
        if isinstance(code := getattr(exc, "code", None), int):
            return str(code)
        exc = exc.__cause__ or exc.__context__
    return ""
