"""How every crash storage behaves. A test class inherits `StorageContract`; fixtures: ``storage`` and ``crash_id``."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from processing import crashid
from processing.errors import CrashNotFound
from processing.storage import CrashStorage

DAY = date(2026, 8, 1)
RAW = {
    "ProductName": "WaterWolf",
    "Notes": "Größe \u0000 \U0001f600",
    "metadata": {"dump_checksums": {}},
    "version": 2,
}


def make_crash_id() -> str:
    return crashid.create(DAY)


class StorageContract:
    def test_raw_crash_comes_back_as_saved(self, storage: CrashStorage, crash_id: str) -> None:
        storage.save_raw_crash(crash_id, RAW, {})
        assert storage.get_raw_crash(crash_id) == RAW
        assert storage.get_dump_names(crash_id) == []

    def test_dumps_come_back_byte_for_byte(
        self, storage: CrashStorage, crash_id: str, tmp_path: Path
    ) -> None:
        spooled = tmp_path / "spooled"
        spooled.write_bytes(bytes(range(256)) * 5000)
        dumps: dict[str, Any] = {
            "upload_file_minidump": b"MDMP\x93\xa7",
            "upload_file_minidump_content": spooled,
            "memory_report": b"",
            "exactly_one_block": b"x" * 512,
        }
        storage.save_raw_crash(crash_id, RAW, dumps)
        assert storage.get_dump_names(crash_id) == sorted(dumps)
        for name, content in dumps.items():
            with storage.open_dump(crash_id, name) as file:
                assert file.read() == (content.read_bytes() if isinstance(content, Path) else content)
        assert spooled.exists()

    def test_an_open_dump_can_be_read_in_pieces_and_again(self, storage: CrashStorage, crash_id: str) -> None:
        storage.save_raw_crash(crash_id, RAW, {"first": b"0123456789", "second": b"abcdefghij"})
        with storage.open_dump(crash_id, "second") as file:
            assert file.read(4) == b"abcd"
            assert file.read() == b"efghij"
            assert file.read() == b""
            file.seek(2)
            assert file.read(3) == b"cde"

    def test_saving_again_replaces_the_crash_whole(self, storage: CrashStorage, crash_id: str) -> None:
        storage.save_raw_crash(crash_id, RAW, {"first": b"1", "second": b"2"})
        storage.save_raw_crash(crash_id, {"ProductName": "Other"}, {"second": b"3"})
        assert storage.get_raw_crash(crash_id) == {"ProductName": "Other"}
        assert storage.get_dump_names(crash_id) == ["second"]
        with storage.open_dump(crash_id, "second") as file:
            assert file.read() == b"3"

    def test_what_is_not_there_is_not_found(self, storage: CrashStorage, crash_id: str) -> None:
        for read in (storage.get_raw_crash, storage.get_dump_names, storage.get_processed_crash):
            with pytest.raises(CrashNotFound, match=crash_id):
                read(crash_id)
        with pytest.raises(CrashNotFound, match=crash_id):
            storage.open_dump(crash_id, "upload_file_minidump")
        storage.save_raw_crash(crash_id, RAW, {"first": b"1"})
        with pytest.raises(CrashNotFound, match=crash_id):
            storage.open_dump(crash_id, "second")

    def test_processed_crash_comes_back_and_can_be_replaced(
        self, storage: CrashStorage, crash_id: str
    ) -> None:
        storage.save_processed_crash(crash_id, {"signature": "a", "threads": [{"frames": []}]})
        assert storage.get_processed_crash(crash_id) == {"signature": "a", "threads": [{"frames": []}]}
        storage.save_processed_crash(crash_id, {"signature": "b"})
        assert storage.get_processed_crash(crash_id) == {"signature": "b"}

    def test_a_deleted_crash_is_gone_and_deleting_again_is_fine(
        self, storage: CrashStorage, crash_id: str
    ) -> None:
        storage.save_raw_crash(crash_id, RAW, {"first": b"1"})
        storage.save_processed_crash(crash_id, {"signature": "a"})
        storage.delete(crash_id)
        for read in (storage.get_raw_crash, storage.get_dump_names, storage.get_processed_crash):
            with pytest.raises(CrashNotFound):
                read(crash_id)
        with pytest.raises(CrashNotFound):
            storage.open_dump(crash_id, "first")
        assert list(storage.list_crash_ids(DAY)) == []
        storage.delete(crash_id)

    def test_the_crashes_of_one_day_are_listed(self, storage: CrashStorage) -> None:
        wanted = {crashid.create(DAY) for _ in range(20)}
        for crash_id in wanted:
            storage.save_raw_crash(crash_id, RAW, {"first": b"1"})
            storage.save_processed_crash(crash_id, {})
        storage.save_raw_crash(crashid.create(DAY + timedelta(days=1)), RAW, {})
        storage.save_processed_crash(crashid.create(DAY), {})
        listed = list(storage.list_crash_ids(DAY))
        assert len(listed) == len(wanted)
        assert set(listed) == wanted
        assert list(storage.list_crash_ids(DAY - timedelta(days=1))) == []

    def test_a_working_storage_passes_its_check(self, storage: CrashStorage) -> None:
        storage.check()
