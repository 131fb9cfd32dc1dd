from __future__ import annotations

import os
import shutil
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from processing.errors import CrashDamaged, CrashNotFound, StorageError
from processing.storage.filesystem import FileSystemCrashStorage
from tests.contracts.storage import DAY, RAW, StorageContract


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "crashes"


@pytest.fixture
def storage(root: Path) -> FileSystemCrashStorage:
    return FileSystemCrashStorage(root)


class TestFileSystemCrashStorage(StorageContract):
    pass


def test_a_crash_is_one_private_tar_file_with_the_raw_crash_last(
    storage: FileSystemCrashStorage, root: Path, crash_id: str
) -> None:
    storage.save_raw_crash(crash_id, {"b": 1, "a": "ü"}, {"upload_file_minidump": b"abcd1234"})
    path = root / "20260801" / crash_id[:2] / f"{crash_id}.tar"
    assert [file for file in root.rglob("*") if file.is_file()] == [path]
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as unit:
        assert unit.getnames() == ["upload_file_minidump", "raw_crash.json"]
        raw_crash = unit.extractfile("raw_crash.json")
        assert raw_crash is not None
        assert raw_crash.read() == b'{"a": "\\u00fc", "b": 1}'


def test_a_write_that_fails_leaves_nothing_behind(
    storage: FileSystemCrashStorage, root: Path, crash_id: str, tmp_path: Path
) -> None:
    with pytest.raises(StorageError, match=crash_id):
        storage.save_raw_crash(crash_id, RAW, {"first": b"1", "second": tmp_path / "missing"})
    assert [file for file in root.rglob("*") if file.is_file()] == []
    assert list(storage.list_crash_ids(DAY)) == []


def test_a_root_that_cannot_be_made_is_a_storage_error(tmp_path: Path, crash_id: str) -> None:
    (tmp_path / "file").write_text("in the way")
    storage = FileSystemCrashStorage(tmp_path / "file" / "crashes")
    with pytest.raises(StorageError, match=crash_id):
        storage.save_raw_crash(crash_id, RAW, {})
    with pytest.raises(StorageError, match="cannot be written"):
        storage.check()


@pytest.mark.parametrize("there_instead", ["nothing", "an empty folder", "a folder that once was in use"])
def test_a_root_that_was_unmounted_takes_nothing_until_it_is_back(
    storage: FileSystemCrashStorage, root: Path, crash_id: str, tmp_path: Path, there_instead: str
) -> None:
    """Its folder is taken away, as when a disk is unmounted, and what lies below shows."""
    storage.save_raw_crash(crash_id, RAW, {})
    began_and_wrote_nothing = FileSystemCrashStorage(root)
    other_id = f"1{crash_id[1:]}"
    root.rename(tmp_path / "away")
    if there_instead != "nothing":
        (root / "tmp").mkdir(parents=True)
    if there_instead == "an empty folder":
        (root / "tmp").rmdir()
    with pytest.raises(StorageError, match="is its disk unmounted"):
        storage.save_raw_crash(other_id, RAW, {})
    with pytest.raises(StorageError, match="is its disk unmounted"):
        storage.save_processed_crash(other_id, {})
    for began_before in (storage, began_and_wrote_nothing):
        with pytest.raises(StorageError, match="is its disk unmounted"):
            began_before.check()
    assert [path for path in root.rglob("*") if path.is_file()] == []
    FileSystemCrashStorage(root).check()  # a new process takes what is there
    shutil.rmtree(root)
    (tmp_path / "away").rename(root)
    storage.check()
    storage.save_raw_crash(other_id, RAW, {})
    assert set(storage.list_crash_ids(DAY)) == {crash_id, other_id}


@pytest.mark.parametrize("there_instead", ["nothing", "an empty folder", "another storage"])
def test_a_storage_that_is_held_to_its_root_takes_no_other_after_a_restart(
    root: Path, crash_id: str, tmp_path: Path, there_instead: str
) -> None:
    memory = tmp_path / "memory"

    def held(begin: bool = True, root: Path = root) -> FileSystemCrashStorage:
        storage = FileSystemCrashStorage(root)
        storage.hold_to(memory, begin=begin)
        return storage

    held(begin=False).check()
    assert not memory.exists()
    held().save_raw_crash(crash_id, RAW, {})
    root.rename(tmp_path / "away")
    if there_instead != "nothing":
        root.mkdir()
    if there_instead == "another storage":
        other = FileSystemCrashStorage(root)
        other.hold_to(tmp_path / "other memory", begin=True)
        other.check()
    waiting = held(begin=False)
    for storage in (held(), waiting):
        with pytest.raises(StorageError, match=f"is its disk unmounted.*delete {memory}"):
            storage.save_raw_crash(crash_id, RAW, {})
    assert not list(root.glob("2*"))
    held(root=tmp_path / "by another setting").check()
    memory.unlink()
    held().check()
    shutil.rmtree(root)
    (tmp_path / "away").rename(root)
    memory.unlink()
    held().check()
    waiting.check()
    assert held().get_raw_crash(crash_id) == RAW


@pytest.mark.parametrize(
    "save",
    [
        lambda storage, crash_id: storage.save_raw_crash(crash_id, RAW, {}),
        lambda storage, crash_id: storage.save_processed_crash(crash_id, RAW),
    ],
    ids=["raw crash", "processed crash"],
)
def test_a_root_that_goes_away_during_a_write_is_not_made_again(
    storage: FileSystemCrashStorage,
    root: Path,
    crash_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    save: Callable[[FileSystemCrashStorage, str], None],
) -> None:
    storage.check()
    open_file = os.open

    def unmount_and_open(path: str, *args: int) -> int:
        if root.exists():
            root.rename(tmp_path / "away")
        return open_file(path, *args)

    monkeypatch.setattr(os, "open", unmount_and_open)
    with pytest.raises(StorageError, match=crash_id):
        save(storage, crash_id)
    assert not root.exists()


def test_what_was_written_while_another_root_showed_does_not_count_as_saved(
    storage: FileSystemCrashStorage,
    root: Path,
    crash_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage.check()
    rename = os.rename

    def unmount_and_rename(source: str, target: str) -> None:
        if not (tmp_path / "away").exists():
            rename(root, tmp_path / "away")
            shutil.copytree(tmp_path / "away", root)
        rename(source, target)

    monkeypatch.setattr(os, "rename", unmount_and_rename)
    with pytest.raises(StorageError, match="is its disk unmounted"):
        storage.save_raw_crash(crash_id, RAW, {})


def test_all_dumps_are_opened_by_one_look_at_what_there_is(
    storage: FileSystemCrashStorage, crash_id: str
) -> None:
    dumps = {f"dump_{number}": bytes([number]) * number for number in range(200)}
    storage.save_raw_crash(crash_id, RAW, dumps)
    assert {name: dump.read() for name, dump in storage.open_dumps(crash_id)} == dumps
    with pytest.raises(CrashNotFound):
        next(storage.open_dumps(crash_id[:-6] + "260730"))


def test_a_crash_that_is_saved_again_while_it_is_read_is_read_as_it_was(
    storage: FileSystemCrashStorage, crash_id: str
) -> None:
    before = {"first": b"1" * 600, "second": b"2" * 600}
    storage.save_raw_crash(crash_id, RAW, before)
    read = {}
    for name, dump in storage.open_dumps(crash_id):
        storage.save_raw_crash(crash_id, RAW, {"first": b"other", "second": b"also"})
        read[name] = dump.read()
    assert read == before


def test_so_is_one_that_is_saved_again_between_a_look_for_its_parts_and_the_reading_of_one(
    storage: FileSystemCrashStorage, crash_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = tarfile.TarFile.close

    def close_and_save_again(tar: tarfile.TarFile) -> None:
        close(tar)
        storage.save_raw_crash(crash_id, {"version": 3}, {})

    storage.save_raw_crash(crash_id, RAW, {"first": b"1" * 600})
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(tarfile.TarFile, "close", close_and_save_again)
        assert storage.get_raw_crash(crash_id) == RAW
    assert storage.get_raw_crash(crash_id) == {"version": 3}


class TestFoldersThatSomebodyElseHasJustMade:
    """Their maker may not have synced the folders above yet, so whoever writes there sees to it before it answers."""

    @pytest.fixture
    def synced(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """The numbers of what was synced, in this order."""
        numbers: list[int] = []
        fsync = os.fsync

        def sync(descriptor: int) -> None:
            fsync(descriptor)
            numbers.append(os.fstat(descriptor).st_ino)

        monkeypatch.setattr(os, "fsync", sync)
        return numbers

    def test_they_are_made_lasting_once(self, root: Path, crash_id: str, synced: list[int]) -> None:
        folder = root / "20260801" / crash_id[:2]
        folder.mkdir(parents=True)
        (root / "tmp" / crash_id[:2]).mkdir(parents=True)
        storage = FileSystemCrashStorage(root)
        storage.save_raw_crash(crash_id, RAW, {})
        file = folder / f"{crash_id}.tar"
        places = (file, folder, root.parent, root, folder.parent)
        assert synced == [path.stat().st_ino for path in places]
        synced.clear()
        storage.save_raw_crash(crash_id, RAW, {})
        assert synced == [path.stat().st_ino for path in (file, folder)]

    def test_after_some_minutes_they_may_be_others(
        self,
        storage: FileSystemCrashStorage,
        crash_id: str,
        synced: list[int],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        storage.save_raw_crash(crash_id, RAW, {})
        synced.clear()
        later = time.monotonic() + 1000
        monkeypatch.setattr(time, "monotonic", lambda: later)
        storage.save_raw_crash(crash_id, RAW, {})
        assert len(synced) == 5
        synced.clear()
        storage.save_raw_crash(crash_id, RAW, {})
        assert len(synced) == 2

    def test_a_folder_above_the_root_that_may_not_be_read_hinders_nobody(
        self, storage: FileSystemCrashStorage, root: Path, crash_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        storage.check()
        opened = os.open

        def refuse(path: str | Path, *args: int) -> int:
            if Path(path) == root.parent:
                raise PermissionError(13, "Permission denied", str(path))
            return opened(path, *args)

        monkeypatch.setattr(os, "open", refuse)
        storage.save_raw_crash(crash_id, RAW, {})
        assert storage.get_raw_crash(crash_id) == RAW


@pytest.mark.parametrize("left", [0, 100, 700, 1100])
def test_a_file_that_was_cut_short_is_a_damaged_crash(
    storage: FileSystemCrashStorage, root: Path, crash_id: str, left: int
) -> None:
    storage.save_raw_crash(crash_id, RAW, {"upload_file_minidump": b"x" * 300})
    path = root / "20260801" / crash_id[:2] / f"{crash_id}.tar"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(CrashDamaged, match=crash_id):
        storage.get_raw_crash(crash_id)


@pytest.mark.parametrize("content", [b"junk" * 1000, b"", b'{"a":', b"\xff{}", b"[" * 100_000])
def test_a_file_that_holds_something_else_is_a_damaged_crash(
    storage: FileSystemCrashStorage, root: Path, crash_id: str, content: bytes
) -> None:
    storage.save_raw_crash(crash_id, RAW, {})
    storage.save_processed_crash(crash_id, {"signature": "f"})
    for path in (root / "20260801" / crash_id[:2]).iterdir():
        path.write_bytes(content)
    for read in (storage.get_raw_crash, storage.get_processed_crash):
        with pytest.raises(CrashDamaged, match=crash_id):
            read(crash_id)


def test_days_are_listed_oldest_first(storage: FileSystemCrashStorage, crash_id: str) -> None:
    assert storage.list_days() == []
    storage.save_raw_crash(crash_id, RAW, {})
    storage.save_raw_crash(crash_id[:-6] + "260730", RAW, {})
    assert [f"{day}" for day in storage.list_days()] == ["2026-07-30", "2026-08-01"]


def test_a_folder_that_is_no_day_is_nobodys(
    storage: FileSystemCrashStorage, root: Path, crash_id: str
) -> None:
    storage.save_raw_crash(crash_id, RAW, {})
    for name in ("123", "20261345", "x"):
        (root / name).mkdir()
    assert storage.list_days() == [DAY]


def test_files_of_killed_writers_are_removed_once_old(storage: FileSystemCrashStorage, root: Path) -> None:
    storage.check()
    (root / "tmp" / "0b").mkdir()
    old = root / "tmp" / "0b" / "old", root / "tmp" / "old"
    new = root / "tmp" / "0b" / "new", root / "tmp" / "new"
    for path in (*old, *new):
        path.write_bytes(b"1")
    for path in (*old, root / "tmp" / "0b"):
        os.utime(path, (1_000_000, 1_000_000))
    assert storage.remove_leftovers(older_than_seconds=3600) == 2
    assert sorted(path for path in (root / "tmp").rglob("*") if path.is_file()) == sorted(new)


def test_the_size_counts_every_file(storage: FileSystemCrashStorage, crash_id: str) -> None:
    assert storage.size_bytes() == 0
    storage.save_raw_crash(crash_id, RAW, {"first": bytes(100_000)})
    assert 100_000 < storage.size_bytes() < 105_000
