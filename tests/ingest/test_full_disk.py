"""A full disk ends no process, though some files are mapped into memory, and what has no room leaves nothing behind."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from pytest_django import Settings

from ingest.build import build_recent_reports
from ingest.deduplication import RecentReports
from ingest.errors import Overloaded
from ingest.metrics import Metrics
from ingest.mover import Moved, Mover
from ingest.numbers import start_from_zero
from ingest.payload import CrashReport, parse_payload
from ingest.publisher import Publisher
from ingest.spool import Spool, Waiting
from processing.storage.memory import MemoryCrashStorage
from tests.ingest.full_disk import full_disk, start_on_full_disk
from tests.ingest.make_limits import make_limits
from tests.ingest.process import run_collector
from tests.ingest.reports import BOUNDARY, dump, encode, text, valid
from tests.ingest.test_mover import Queue, mover

OTHER_ID = "0b1ec0de-7a11-4f00-8a5e-1c3f51260801"
CRASH_ID = "0b1ec0de-7a11-4f00-8a5e-1c3f50260801"


def has_holes(path: Path) -> bool:
    status = path.stat()
    return status.st_blocks * 512 < status.st_size


def test_files_that_are_mapped_have_no_holes(collector_database: str, tmp_path: Path) -> None:
    with run_collector(tmp_path, collector_database) as collector:
        assert collector.send(valid()).crash_id
        folder = collector.var / "collector"
        mapped = [*(folder / "metrics").iterdir(), folder / "recent_reports"]
        assert len(mapped) == 2  # of the worker, and the reports
        assert not [path.name for path in mapped if has_holes(path)]


def test_recent_reports_outlive_the_filling_of_their_holes(tmp_path: Path) -> None:
    path = tmp_path / "recent_reports"
    first = RecentReports(path, window_seconds=300)
    key = first.key(b"report", "client")
    first.remember(key, CRASH_ID)
    assert RecentReports(path, window_seconds=300).claim(key, OTHER_ID) == CRASH_ID


def test_a_process_without_room_for_its_numbers_goes_on_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    without_room = Metrics(folder=tmp_path)
    with full_disk(10_000):
        without_room.count("malformed", "bad_gzip")
        without_room.observe("save", 0.1)
    assert "for its numbers find no room on the disk" in caplog.text
    assert b'reason="bad_gzip"' not in without_room.exposition()
    with_room = Metrics(folder=tmp_path)
    with_room.count("malformed", "bad_gzip")
    assert b'collector_malformed_total{reason="bad_gzip"} 1.0' in without_room.exposition()


def test_numbers_without_room_leave_no_file_that_is_read_where_it_has_holes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full tmpfs that would kill whoever asks for /metrics."""

    def have_no_room(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    without_room = Metrics(folder=tmp_path)
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", have_no_room)
        without_room.count("saved")
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [0]
    assert b"collector_saved_total 0.0" in without_room.exposition()


def test_a_collector_that_has_run_before_starts_on_a_full_disk_and_storage_takes_its_crashes(
    collector_database: str, tmp_path: Path
) -> None:
    folder = tmp_path / "collector"
    Spool(folder / "spool", limit_bytes=1).prepare()
    shutil.rmtree(folder / "spool" / "uploads")
    (folder / "spool" / "uploads").mkdir()
    start_from_zero(folder / "metrics")
    with run_collector(tmp_path, collector_database, start_by=start_on_full_disk(folder)) as collector:
        crash_id = collector.send(valid()).crash_id
        assert collector.storage.get_raw_crash(crash_id)["ProductName"] == "Firefox"
        assert collector.ledger(crash_id) == ("Firefox", "queued")
        assert collector.get("/metrics").status == 200
        large = collector.send(valid(dump("log", os.urandom(20_000_000))))
        assert (large.status, large.headers["retry-after"]) == (503, "60")
        (tmp_path / "crashes").rename(tmp_path / "away")
        (tmp_path / "crashes").write_text("no folder")
        assert collector.send(valid(Notes="storage is down")).status == 503
    for said in ("the disk of the spool is full", "recent_reports: finds no room", "/metrics leaves out"):
        assert said in collector.log


def test_a_spool_can_be_prepared_without_room_for_the_folder_of_its_uploads(tmp_path: Path) -> None:
    """Then uploads lie beside such folders."""

    class Full(type(tmp_path)):  # type: ignore[misc]
        def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
            if not self.is_dir():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    Spool(tmp_path, limit_bytes=1).prepare()
    spool = Spool(Full(tmp_path), limit_bytes=1, upload_seconds=1000)
    spool.prepare()
    assert spool.uploads == tmp_path / "uploads"
    names = ("1-a.dump", "2-a.dump", "3-a.dump")
    for name in names:
        (spool.uploads / name).touch()
    os.utime(spool.uploads / names[1], (0, 0))
    spool.remove_uploads_of(1)
    spool.remove_leftovers()
    assert [path.name for path in spool.uploads.iterdir() if path.is_file()] == [names[2]]
    assert len(list(spool.uploads.iterdir())) == 2  # the first collector's folder, too


def test_a_spool_is_prepared_on_a_full_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(tmp_path, limit_bytes=1_000_000)
    with full_disk(0):
        spool.prepare()
        with pytest.raises(Overloaded, match="disk of the spool is full"):
            spool.save(CRASH_ID, {}, {})
    assert "the disk of the spool is full" in caplog.text
    spool.save(CRASH_ID, {}, {})
    assert spool.waiting() == Waiting(crashes=1)


def test_without_room_for_their_table_repeats_are_not_recognised_but_kept(
    tmp_path: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.COLLECTOR = {**settings.COLLECTOR, "folder": tmp_path, "deduplicate_seconds": 300}
    with full_disk(10):
        reports = build_recent_reports()
    assert "recent_reports: finds no room" in caplog.text
    key = reports.key(b"report", "client")
    reports.remember(key, CRASH_ID)
    assert reports.claim(key, OTHER_ID) is None
    build_recent_reports().remember(key, CRASH_ID)
    assert build_recent_reports().claim(key, OTHER_ID) == CRASH_ID


def test_a_table_of_repeats_that_cannot_be_made_for_another_reason_ends_the_start(
    tmp_path: Path, settings: Settings
) -> None:
    settings.COLLECTOR = {**settings.COLLECTOR, "folder": tmp_path, "deduplicate_seconds": 300}
    (tmp_path / "recent_reports").mkdir()
    with pytest.raises(IsADirectoryError):
        build_recent_reports()


def test_a_saved_crash_for_which_not_even_a_note_finds_room_is_logged_as_such(tmp_path: Path) -> None:
    with run_collector(tmp_path, "postgresql://nobody@127.0.0.1:1/none") as collector:
        notes = tmp_path / "collector" / "spool" / "unpublished"
        notes.rmdir()
        notes.write_text("no folder")
        crash_id = collector.send(valid()).crash_id
        assert collector.storage.get_raw_crash(crash_id)
        assert f"{crash_id}: saved unnoted" in collector.log


@pytest.mark.parametrize("size", [100, 100_000], ids=["fails when closed", "fails when written"])
def test_an_upload_that_has_no_room_leaves_no_file(uploads: Path, size: int) -> None:
    body = encode([text("ProductName", "x"), dump(content=bytes(size))])
    with full_disk(10), pytest.raises(Overloaded, match="folder for large dumps"), CrashReport() as report:
        parse_payload(iter([body]), BOUNDARY.encode(), report, make_limits(memory_bytes=0), uploads)
    assert not list(uploads.iterdir())


def test_crashes_leave_a_spool_that_has_filled_its_disk(collector_database: str, tmp_path: Path) -> None:
    with run_collector(tmp_path, collector_database, COLLECTOR_SAVE_SECONDS="1") as collector:
        storage = tmp_path / "crashes"
        storage.rename(tmp_path / "away")
        storage.write_text("no folder")
        crash_id = collector.send(valid(dump("log", bytes(100_000)))).crash_id
        storage.unlink()
        (tmp_path / "away").rename(storage)
        spool = Spool(collector.var / "collector" / "spool", limit_bytes=1)
        database = {name: str(value) for name, value in conninfo_to_dict(collector_database).items()}
        publisher = Publisher(
            database,
            connections=1,
            timeout_seconds=2,
            pause_seconds=2,
        )
        mover = Mover(spool, MemoryCrashStorage(), publisher)
        with closing(publisher), closing(mover), full_disk(10):
            moved = mover.run_once()
        assert moved == Moved(saved=1, published=1)
        assert spool.waiting() == Waiting()
        assert collector.ledger(crash_id) == ("Firefox", "queued")


def test_they_leave_it_also_while_the_database_is_down_and_notes_have_no_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=1_000_000)
    spool.prepare()
    queue, storage = Queue(), MemoryCrashStorage()
    queue.is_down = True
    raw_crash = {"ProductName": "WaterWolf", "submitted_timestamp": "2026-08-01T00:00:00+00:00"}
    spool.save(CRASH_ID, raw_crash, {"log": bytes(100_000)})
    with mover(spool, storage, queue) as running:
        with full_disk(10):
            assert running.run_once() == Moved(saved=1, database_down=True)
        assert spool.waiting() == Waiting(notes=1)
        assert (tmp_path / "unpublished" / CRASH_ID).stat().st_size == 0
        assert running.run_once() == Moved(database_down=True)
        queue.is_down = False
        assert running.run_once() == Moved(published=1)
    assert queue.published == [CRASH_ID]
    assert spool.waiting() == Waiting()


def test_clients_are_to_try_again_when_the_spool_has_no_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=1_000_000)
    spool.prepare()
    with full_disk(10), pytest.raises(Overloaded, match="disk of the spool is full"):
        spool.save(CRASH_ID, {"uuid": CRASH_ID}, {"log": bytes(100)})
    assert spool.waiting() == Waiting()


def test_a_crash_too_large_for_the_movers_memory_waits_for_room_on_the_disk_and_smaller_ones_go_on(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path, limit_bytes=1_000_000)
    spool.prepare()
    raw_crash = {"submitted_timestamp": "2026-08-01T00:00:00+00:00"}
    spool.save(CRASH_ID, raw_crash, {"log": bytes(100_000)})
    spool.save(CRASH_ID.replace("0b", "0a"), raw_crash, {"log": bytes(100)})
    publisher = Publisher(
        {"host": "127.0.0.1", "port": "1"}, connections=1, timeout_seconds=1, pause_seconds=0
    )
    mover = Mover(spool, MemoryCrashStorage(), publisher, memory_bytes=50_000)
    with closing(mover), full_disk(1000):
        assert mover.run_once() == Moved(saved=1, refused=1, database_down=True)
    assert spool.waiting() == Waiting(crashes=1, notes=1, refused=1)
    assert not list(tmp_path.glob("moving-*"))
