"""Crashes as files: one tar file per crash, written durably, named by day and crash id."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import secrets
import stat
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, cast

from processing import crashid
from processing.errors import CrashDamaged, CrashNotFound, StorageError, StorageMisconfigured
from processing.storage import keys
from processing.storage.base import CrashStorage, Dump

_RAW_CRASH = "raw_crash.json"
_TEMPORARY = "tmp"
#: A file of the root that tells it from every other.
_NAME = "storage_name"
_COPY_BYTES = 256 * 1024
#: POSIX lets one `writev` take at least 16 buffers, Linux 1,024.
_MOST_BUFFERS = 16
_END_OF_TAR = bytes(2 * tarfile.BLOCKSIZE)
#: What follows the checksum in a member's header; and what it and the checksum's own place, as blanks, add to that.
_TAR_REST = b"0" + bytes(100) + b"ustar\x0000" + bytes(247)
_TAR_CHECKSUM = sum(_TAR_REST) + 8 * ord(" ")
#: For how long, and of how many folders, a process remembers that a power cut cannot take them.
_LASTING_SECONDS = 600.0
_MOST_LASTING = 1024
_encode = json.JSONEncoder(sort_keys=True, allow_nan=False).encode


class FileSystemCrashStorage(CrashStorage):
    """Keeps crashes below one folder; see `processing.storage.keys` for the layout.

    A crash is one file: it is there whole or not at all, it needs two syncs (the file, its folder) however many
    dumps it has, and any tar program can look into it.

    Args: ``root`` is made when it is missing. Once it has been seen, nothing is written to another folder of that name,
    nor is it made again: when its disk is unmounted, writing fails instead of filling the disk below. `hold_to` makes
    that last across restarts.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)
        self._temporary = self._root / _TEMPORARY
        self._identity = _identity(root)
        self._memory: Path | None = None
        self._begins_memory = False
        self._lasting: set[str] = set()
        self._forget_lasting_at = 0.0

    def hold_to(self, memory: Path, *, begin: bool) -> None:
        self._identity = None
        self._memory = memory
        self._begins_memory = begin

    def save_raw_crash(self, crash_id: str, raw_crash: Mapping[str, Any], dumps: Mapping[str, Dump]) -> None:
        try:
            parts: list[Dump] = []
            for name, dump in dumps.items():
                parts += _tar_member(name, dump)
            parts += _tar_member(_RAW_CRASH, to_json(raw_crash))
            parts.append(_END_OF_TAR)
            self._write(self._path(crash_id, keys.UNIT_SUFFIX), parts)
        except OSError as exc:
            raise StorageError(f"{crash_id}: cannot save: {exc}") from exc

    def get_raw_crash(self, crash_id: str) -> dict[str, Any]:
        with self.open_dump(crash_id, _RAW_CRASH) as file:
            return cast("dict[str, Any]", from_json(file.read(), f"{crash_id}: raw crash"))

    def get_dump_names(self, crash_id: str) -> list[str]:
        with self._opened(crash_id) as (_, members):
            return sorted(name for name in members if name != _RAW_CRASH)

    def open_dump(self, crash_id: str, name: str) -> BinaryIO:
        with self._opened(crash_id) as (unit, members):
            if name not in members:
                raise CrashNotFound(f"{crash_id}: no part {name} in storage")
            return _part(crash_id, unit, members[name])

    def open_dumps(self, crash_id: str) -> Iterator[tuple[str, BinaryIO]]:
        """Give name and content of each dump, one after the other; that takes less than opening them one by one.

        Raises: CrashNotFound, StorageError.
        """
        with self._opened(crash_id) as (unit, members):
            for name, place in members.items():
                if name != _RAW_CRASH:
                    with _part(crash_id, unit, place) as dump:
                        yield name, dump

    def save_processed_crash(self, crash_id: str, processed_crash: Mapping[str, Any]) -> None:
        with _storage_errors(f"{crash_id}: cannot save the processed crash"):
            self._write(self._path(crash_id, keys.PROCESSED_SUFFIX), [to_json(processed_crash)])

    def get_processed_crash(self, crash_id: str) -> dict[str, Any]:
        with _storage_errors(
            f"{crash_id}: cannot read the processed crash",
            missing=f"{crash_id}: no processed crash in storage",
        ):
            text = Path(self._path(crash_id, keys.PROCESSED_SUFFIX)).read_bytes()
        return cast("dict[str, Any]", from_json(text, f"{crash_id}: processed crash"))

    def delete(self, crash_id: str) -> None:
        with _storage_errors(f"{crash_id}: cannot delete"):
            for suffix in (keys.UNIT_SUFFIX, keys.PROCESSED_SUFFIX):
                Path(self._path(crash_id, suffix)).unlink(missing_ok=True)

    def list_crash_ids(self, day: date) -> Iterator[str]:
        with _storage_errors(f"cannot list the crashes of {day}"):
            for folder in _entries(self._root / keys.day_folder(day)):
                for name in _entries(folder):
                    crash_id = name.name.removesuffix(keys.UNIT_SUFFIX)
                    if name.suffix == keys.UNIT_SUFFIX and crashid.is_valid(crash_id):
                        yield crash_id

    def list_days(self) -> list[date]:
        """Give the UTC days that have a folder, oldest first."""
        with _storage_errors(f"cannot list {self._root}"):
            names = [path.name for path in _entries(self._root) if path.name.isdecimal()]
        days = []
        for name in names:
            with contextlib.suppress(ValueError):  # somebody else's folder
                days.append(date.fromisoformat(name))
        return sorted(days)

    def check(self) -> None:
        probe = self._temporary / f"check-{secrets.token_hex(8)}"
        with _storage_errors(f"{self._root} cannot be written"):
            self._keep_to_root()
            try:
                _write_synced(str(probe), [b"check"])
                probe.read_bytes()
            finally:
                probe.unlink(missing_ok=True)

    def remove_leftovers(self, older_than_seconds: float) -> int:
        limit = time.time() - older_than_seconds
        removed = 0
        with _storage_errors(f"cannot clean {self._temporary}"):
            for folder in (self._temporary, *_entries(self._temporary)):
                removed += _remove_files(folder, limit)
        return removed

    def size_bytes(self) -> int:
        """Give how much disk all files below the root take, by walking them: a second for some 400,000 files."""
        return _size_bytes(self._root)

    def _keep_to_root(self) -> None:
        """Find the root when it was never seen. Raises: StorageError when it is gone, or another one; OSError."""
        identity = _identity(self._root)
        if self._identity is None:
            self._find_root()
        elif identity != self._identity:
            raise StorageError(
                f"{self._root}: {'another folder than' if identity else 'gone, and there'} when this process began; is "
                f"its disk unmounted? Bring it back, or begin anew with what is there now by a restart."
            )

    def _find_root(self) -> None:
        known = _content_of(self._memory) if self._memory else b""
        if self._memory and known.startswith(self._note_of(b"")):
            if known != self._note_of(_content_of(self._root / _NAME)):
                raise StorageError(
                    f"{self._root}: not the folder in which crashes were kept until now; is its disk unmounted? Bring "
                    f"it back. To begin anew with what is there now, delete {self._memory} and restart."
                )
        else:
            _make_folders(self._root)
            if self._memory and self._begins_memory:
                self._remember_root(self._memory)
        self._identity = _identity(self._root)

    def _remember_root(self, memory: Path) -> None:
        name = _content_of(self._root / _NAME)
        if not name:
            name = secrets.token_hex(16).encode()
            _write_content(self._root / _NAME, name)
        with contextlib.suppress(OSError):  # no room there; what matters is that crashes are kept here
            _write_content(memory, self._note_of(name))

    def _note_of(self, name: bytes) -> bytes:
        """Give how a memory tells of the root, whose setting may change, when it has that name."""
        return os.fsencode(self._root) + b"\n" + name

    def _path(self, crash_id: str, suffix: str) -> str:
        return f"{self._root}/{keys.file_folder(crash_id)}/{crash_id}{suffix}"

    @contextlib.contextmanager
    def _opened(self, crash_id: str) -> Iterator[tuple[BinaryIO, dict[str, tuple[int, int]]]]:
        """Give a crash's file, with offset and size, in bytes, of each part in it.

        It is opened once: what is read by these offsets is this file, also when the crash is saved again meanwhile.
        """
        path = Path(self._path(crash_id, keys.UNIT_SUFFIX))
        with contextlib.ExitStack() as stack:
            with _storage_errors(f"{crash_id}: cannot read", missing=f"{crash_id}: not in storage"):
                unit = stack.enter_context(path.open("rb"))
                with tarfile.open(fileobj=unit, mode="r:", format=tarfile.USTAR_FORMAT) as tar:
                    members = {member.name: (member.offset_data, member.size) for member in tar}
            if _RAW_CRASH not in members:  # which comes last
                raise CrashDamaged(f"{crash_id}: its file ends too early")
            yield unit, members

    def _write(self, path: str, parts: Sequence[Dump]) -> None:
        self._keep_to_root()
        folder, _, name = path.rpartition("/")
        # Many folders, for writers wait for one another in one.
        temporary = f"{self._temporary}/{name[:2]}/{name}.{secrets.token_hex(4)}"
        write_durably(path, parts, temporary=temporary, below=self._root)
        self._make_lasting(folder)
        self._keep_to_root()  # else it was unmounted meanwhile, and who knows where the file is

    def _make_lasting(self, folder: str) -> None:
        """See that a power cut cannot take a folder that was just written to: who made it may not have synced it yet.

        That is remembered for less time than a folder must have been unchanged before anybody removes it.
        """
        if time.monotonic() >= self._forget_lasting_at or len(self._lasting) >= _MOST_LASTING:
            self._lasting = set()
            self._forget_lasting_at = time.monotonic() + _LASTING_SECONDS
        if folder in self._lasting:
            return
        path = Path(folder)
        for made in (self._root, path.parent, path):
            if str(made) not in self._lasting:
                with contextlib.suppress(PermissionError):  # above the root, made by somebody else
                    sync_folder(made.parent)
                self._lasting.add(str(made))


def write_durably(path: str, parts: Sequence[Dump], *, temporary: str, below: Path | None = None) -> None:
    """Write or replace a file so that a power cut leaves all of the new one or what was there before.

    It is written under the name ``temporary``, on the same disk, and renamed. Missing folders are made, if given only
    those ``below`` a folder. Paths are texts: this is the way of every crash, and `Path` would take a tenth of its
    time.
    Raises: OSError; then no temporary file stays.
    """
    folder = path.rpartition("/")[0]
    try:
        _write_synced(temporary, parts, below)
        try:
            os.rename(temporary, path)  # noqa: PTH104
        except FileNotFoundError:
            _make_folders(Path(folder), below)
            os.rename(temporary, path)  # noqa: PTH104
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(folder)


def sync_folder(folder: str | Path) -> None:
    """Wait until the disk has the names in a folder. Raises: OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def to_json(value: Mapping[str, Any]) -> bytes:
    """Write a crash as stored everywhere: keys sorted, ASCII only. Raises: ValueError for NaN and infinities."""
    return _encode(value).encode("ascii")


def from_json(text: bytes, what: str) -> Any:
    """Read what `to_json` wrote. Raises: CrashDamaged, which names ``what``, when it is no JSON (any more)."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise CrashDamaged(f"{what}: what storage has is no JSON ({len(text):,} bytes)") from exc


class _Slice(io.RawIOBase):
    """Part of an open file, as a file of its own; closes the file with itself."""

    def __init__(self, file: io.FileIO, start: int, size: int) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        wanted = max(0, min(len(buffer), self._size - self._position))
        data = os.pread(self._file.fileno(), wanted, self._start + self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _part(crash_id: str, unit: BinaryIO, place: tuple[int, int]) -> BinaryIO:
    """Give a part of a crash's open file; the two are closed independently. Raises: StorageError."""
    with _storage_errors(f"{crash_id}: cannot read"):
        file = io.FileIO(os.dup(unit.fileno()))
    return cast("BinaryIO", io.BufferedReader(_Slice(file, *place)))


def _tar_member(name: str, content: Dump) -> list[Dump]:
    """Give header, content and padding of one member of a tar file."""
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    return [_tar_header(name, size, int(time.time())), content, bytes(-size % tarfile.BLOCKSIZE)]


def _tar_header(name: str, size: int, modified_at: int) -> bytes:
    """Give the header of a regular file of mode 0600 that belongs to root.

    `tarfile` could make it, at six times the cost. Source: struct posix_header in POSIX.1-1988, ``ustar``.
    """
    owner_size_time = b"0000600\x000000000\x000000000\x00%011o\x00%011o\x00" % (size, modified_at)
    start = name.encode("ascii").ljust(100, b"\x00") + owner_size_time
    return b"%b%06o\x00 %b" % (start, sum(start) + _TAR_CHECKSUM, _TAR_REST)


def _write_synced(path: str, parts: Sequence[Dump], below: Path | None = None) -> None:
    """Write a new file, readable by its owner only, and wait until the disk has it; makes the folder when missing."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileNotFoundError:
        _make_folders(Path(path).parent, below)
        descriptor = os.open(path, flags, 0o600)
    try:
        _write_parts(descriptor, parts)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_parts(descriptor: int, parts: Sequence[Dump]) -> None:
    buffers: list[bytes | memoryview] = []
    for part in parts:
        if isinstance(part, Path):
            _write_all(descriptor, buffers)
            buffers = []
            with part.open("rb", buffering=0) as source:
                while chunk := source.read(_COPY_BYTES):
                    _write_all(descriptor, [chunk])
        else:
            buffers.append(part)
    _write_all(descriptor, buffers)


def _write_all(descriptor: int, buffers: Sequence[bytes | memoryview]) -> None:
    """Write buffers one after the other, with one system call as long as the kernel takes them whole."""
    for at in range(0, len(buffers), _MOST_BUFFERS):
        batch = buffers[at : at + _MOST_BUFFERS]
        written = os.writev(descriptor, batch)
        if written < sum(map(len, batch)):
            rest = memoryview(b"".join(batch))[written:]
            while rest:
                rest = rest[os.write(descriptor, rest) :]


def _identity(folder: str | Path) -> int | None:
    """Give a folder's number on its disk, the same when the disk is mounted again; None when it cannot be seen."""
    try:
        return os.stat(folder).st_ino  # noqa: PTH116  # on the way of every crash
    except OSError:
        return None


def _make_folders(folder: Path, below: Path | None = None) -> None:
    """Make a folder and those above it, if given only those ``below`` one, each durably in the one above."""
    if folder == below:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make_folders(folder.parent, below)
        folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


def _content_of(path: Path) -> bytes:
    """Give the content of a small file; nothing when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _write_content(path: Path, content: bytes) -> None:
    write_durably(str(path), [content], temporary=str(path.with_name(f".{path.name}.{secrets.token_hex(4)}")))


def _size_bytes(folder: str | Path) -> int:
    total = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                total += _size_bytes(entry.path)
            else:
                with contextlib.suppress(FileNotFoundError):
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def _remove_files(folder: Path, changed_before: float) -> int:
    removed = 0
    for path in _entries(folder):
        with contextlib.suppress(FileNotFoundError):  # its writer has just finished
            status = path.lstat()
            if status.st_mtime < changed_before and not stat.S_ISDIR(status.st_mode):
                path.unlink()
                removed += 1
    return removed


def _entries(folder: Path) -> list[Path]:
    """Give what lies in a folder; nothing when there is no such folder, or when it is no folder."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


@contextlib.contextmanager
def _storage_errors(what: str, *, missing: str | None = None) -> Iterator[None]:
    """Turn file errors into the two that callers know."""
    try:
        yield
    except FileNotFoundError as exc:
        if missing is None:
            raise StorageError(f"{what}: {exc}") from exc
        raise CrashNotFound(missing) from None
    except (PermissionError, NotADirectoryError) as exc:
        raise StorageMisconfigured(f"{what}: {exc}") from exc
    except tarfile.TarError as exc:
        raise CrashDamaged(f"{what}: {exc}") from exc
    except OSError as exc:
        raise StorageError(f"{what}: {exc}") from exc
