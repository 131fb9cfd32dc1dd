"""The mover: several crashes at once, none twice, none lost, and none that stops the others."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import socket
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest import claims
from ingest.mover import Moved, Mover
from ingest.spool import Spool, Waiting
from processing import crashid
from processing.errors import QueueError, StorageError
from processing.storage.base import Dump
from processing.storage.filesystem import FileSystemCrashStorage
from processing.storage.memory import MemoryCrashStorage

NOW = datetime.now(UTC)


class Storage(MemoryCrashStorage):
    """A storage that keeps in mind what was saved, and that a test can have misbehave."""

    def __init__(self, while_saving: Callable[[str], object] = lambda crash_id: None) -> None:
        super().__init__()
        self.saved: list[str] = []
        self.is_down = False
        self._while_saving = while_saving

    def save_raw_crash(self, crash_id: str, raw_crash: Mapping[str, Any], dumps: Mapping[str, Dump]) -> None:
        self.check()
        self._while_saving(crash_id)
        super().save_raw_crash(crash_id, raw_crash, dumps)
        self.saved.append(crash_id)

    def check(self) -> None:
        if self.is_down:
            raise StorageError("down")


class Queue:
    """A ledger and queue that is up, or down, or refuses one crash."""

    def __init__(self) -> None:
        self.is_down = False
        self.refused = ""
        self.published: list[str] = []

    def publish(self, crash_id: str, *, product: str, received_at: datetime) -> None:
        self.check()
        if crash_id == self.refused:
            raise QueueError("not this one")
        self.published.append(crash_id)

    def check(self) -> None:
        if self.is_down:
            raise QueueError("down")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool", limit_bytes=1 << 30)
    made.prepare()
    return made


@pytest.fixture
def queue() -> Queue:
    return Queue()


@contextmanager
def mover(spool: Spool, storage: MemoryCrashStorage, queue: Queue, **options: int) -> Iterator[Mover]:
    made = Mover(spool, storage, queue, **options)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.close()


def run_once(spool: Spool, storage: MemoryCrashStorage, queue: Queue, **options: int) -> Moved:
    with mover(spool, storage, queue, **options) as running:
        return running.run_once()


def spooled(spool: Spool, dump: bytes = b"MDMP", received_at: datetime = NOW) -> str:
    crash_id = crashid.create()
    raw_crash = {"ProductName": "WaterWolf", "submitted_timestamp": received_at.isoformat()}
    spool.save(crash_id, raw_crash, {"upload_file_minidump": dump})
    return crash_id


def file_of(spool: Spool, crash_id: str) -> Path:
    (path,) = (spool.folder / "crashes").glob(f"*/*/{crash_id}.tar")
    return path


def make_due(path: Path) -> None:
    os.utime(path, (0, 0))


class TestManyAtOnce:
    def test_as_many_crashes_are_saved_at_the_same_time_as_there_are_threads(
        self, spool: Spool, queue: Queue
    ) -> None:
        meeting = threading.Barrier(4, timeout=20)
        storage = Storage(lambda crash_id: meeting.wait())
        crash_ids = {spooled(spool) for _ in range(8)}
        assert run_once(spool, storage, queue, threads=4) == Moved(saved=8, published=8)
        assert set(storage.saved) == set(queue.published) == crash_ids
        assert spool.waiting() == Waiting()

    def test_they_are_together_no_larger_than_the_memory_allowed(self, spool: Spool, queue: Queue) -> None:
        """Each crash is asked for by ``wanted`` before it is handed to a thread."""
        meeting = threading.Barrier(2, timeout=20)
        storage = Storage(lambda crash_id: meeting.wait())
        in_hand: list[int] = []

        def wanted() -> bool:
            in_hand.append(len(in_hand) - len(storage.saved))
            return True

        for _ in range(12):
            spooled(spool, bytes(30_000))
        with mover(spool, storage, queue, threads=12, memory_bytes=80_000) as running:
            assert running.run_once(wanted).saved == 12
        assert max(in_hand) == 2

    def test_a_larger_one_is_moved_too_and_its_copies_go(self, spool: Spool, queue: Queue) -> None:
        copies: list[Path] = []
        storage = Storage(lambda crash_id: copies.extend(spool.folder.glob("moving-*/*")))
        crash_id = spooled(spool, bytes(range(256)) * 1000)
        assert run_once(spool, storage, queue, memory_bytes=10_000).saved == 1
        with storage.open_dump(crash_id, "upload_file_minidump") as dump:
            assert dump.read() == bytes(range(256)) * 1000
        assert [path.name for path in copies] == ["upload_file_minidump"]
        assert not list(spool.folder.glob("moving-*"))

    def test_the_copies_of_a_killed_mover_are_deleted_with_the_crash(
        self, spool: Spool, queue: Queue
    ) -> None:
        folder = file_of(spool, spooled(spool, bytes(50_000))).parent
        (claim,) = spool.claim_crashes(folder)
        with claim, spool.dumps(claim, in_memory=False) as dumps:
            (copy,) = dumps.values()
            assert isinstance(copy, Path)
            shutil.copytree(copy.parent, spool.folder / "kept")
        (spool.folder / "kept").rename(copy.parent)
        assert run_once(spool, Storage(), queue, memory_bytes=10_000).saved == 1
        assert not list(spool.folder.glob("moving-*"))


class TestSeveralMovers:
    def test_what_one_is_moving_the_others_leave_alone_and_they_do_the_rest(
        self, spool: Spool, queue: Queue
    ) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def wait(crash_id: str) -> None:
            begun.set()
            assert go_on.wait(20)

        slow, fast = Storage(wait), Storage()
        first = spooled(spool)
        with mover(spool, slow, queue) as slow_mover:
            running = threading.Thread(target=slow_mover.run_once)
            running.start()
            assert begun.wait(20)
            others = {spooled(spool) for _ in range(3)}
            assert run_once(spool, fast, queue).saved == 3
            go_on.set()
            running.join()
        assert set(fast.saved) == others
        assert slow.saved == [first]
        assert sorted(queue.published) == sorted({first, *others})
        assert spool.waiting() == Waiting()

    def test_a_crash_that_is_saved_again_while_it_is_moved_is_moved_again(
        self, spool: Spool, queue: Queue
    ) -> None:
        again = {"ProductName": "Again", "submitted_timestamp": NOW.isoformat()}
        storage = Storage(lambda crash_id: len(storage.saved) or spool.save(crash_id, again, {}))
        crash_id = spooled(spool)
        run_once(spool, storage, queue)
        assert spool.waiting() == Waiting(crashes=1)
        run_once(spool, storage, queue)
        assert storage.get_raw_crash(crash_id) == again
        assert spool.waiting() == Waiting()


class TestDestinationsThatAreDown:
    def test_storage_keeps_everything_waiting_and_nothing_is_put_off(
        self, spool: Spool, queue: Queue, caplog: pytest.LogCaptureFixture
    ) -> None:
        storage = Storage()
        for _ in range(20):
            spooled(spool)
        storage.is_down = True
        with caplog.at_level(logging.INFO), mover(spool, storage, queue) as running:
            assert running.run_once() == running.run_once() == Moved(storage_down=True)
            assert spool.waiting() == Waiting(crashes=20)
            storage.is_down = False
            assert running.run_once() == Moved(saved=20, published=20)
        assert caplog.text.count("the crash storage is down") == 1
        assert caplog.text.count("the crash storage is back") == 1

    def test_the_database_leaves_a_note_and_the_crash_goes_to_storage(
        self, spool: Spool, queue: Queue
    ) -> None:
        storage, crash_id = Storage(), spooled(spool)
        queue.is_down = True
        assert run_once(spool, storage, queue) == Moved(saved=1, database_down=True)
        assert storage.saved == [crash_id]
        assert spool.waiting() == Waiting(notes=1)
        queue.is_down = False
        assert run_once(spool, storage, queue) == Moved(published=1)
        assert (storage.saved, queue.published) == ([crash_id], [crash_id])
        assert spool.waiting() == Waiting()


class TestOneThatIsRefused:
    def test_the_others_go_on_and_it_is_tried_again_later(
        self, spool: Spool, queue: Queue, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(crash_id: str) -> None:
            if crash_id == refused:
                tried.append(crash_id)
                raise StorageError("not this one")

        storage, tried = Storage(refuse), list[str]()
        crash_ids = [spooled(spool) for _ in range(5)]
        refused = crash_ids[2]
        assert run_once(spool, storage, queue) == Moved(saved=4, published=4, refused=1)
        assert spool.waiting() == Waiting(crashes=1, refused=1)
        assert f"{refused}: storage refuses it" in caplog.text
        tried.clear()
        assert run_once(spool, storage, queue) == Moved()
        assert tried == []
        make_due(file_of(spool, refused))
        refused = ""
        assert run_once(spool, storage, queue) == Moved(saved=1, published=1)
        assert sorted(storage.saved) == sorted(crash_ids)

    def test_a_crash_that_the_database_refuses_is_saved_and_its_note_is_tried_again(
        self, spool: Spool, queue: Queue
    ) -> None:
        storage = Storage()
        crash_ids = [spooled(spool) for _ in range(3)]
        queue.refused = crash_ids[0]
        assert run_once(spool, storage, queue) == Moved(saved=3, published=2)
        assert run_once(spool, storage, queue) == Moved(refused=1)
        assert spool.waiting() == Waiting(notes=1, refused=1)
        assert run_once(spool, storage, queue) == Moved()
        queue.refused = ""
        make_due(spool.folder / "unpublished" / crash_ids[0])
        assert run_once(spool, storage, queue) == Moved(published=1)
        assert sorted(queue.published) == sorted(storage.saved) == sorted(crash_ids)

    def test_notes_do_not_wait_behind_crashes(self, spool: Spool, queue: Queue) -> None:
        spooled(spool)
        noted = crashid.create()
        spool.note_unpublished(noted, product="x", received_at=NOW)
        storage = Storage(lambda crash_id: queue.published == [noted] or pytest.fail("saved before"))
        assert run_once(spool, storage, queue, threads=1) == Moved(saved=1, published=2)

    @pytest.mark.parametrize(
        ("waited", "seconds"),
        [(timedelta(0), 60), (timedelta(minutes=5), 300), (timedelta(days=3), 900), (timedelta(days=-1), 60)],
    )
    def test_the_longer_it_has_waited_the_longer_it_waits_again_within_limits(
        self, spool: Spool, queue: Queue, waited: timedelta, seconds: int
    ) -> None:
        def refuse(crash_id: str) -> None:
            raise StorageError("no")

        crash_id = spooled(spool, received_at=datetime.now(UTC) - waited)
        run_once(spool, Storage(refuse), queue)
        due_at = file_of(spool, crash_id).stat().st_mtime
        assert due_at - datetime.now(UTC).timestamp() == pytest.approx(seconds, abs=20)

    def test_an_unforeseen_failure_stops_no_other(
        self, spool: Spool, queue: Queue, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(crash_id: str) -> None:
            if crash_id == failing:
                raise ZeroDivisionError("secret")

        crash_ids = [spooled(spool) for _ in range(3)]
        failing = crash_ids[0]
        assert run_once(spool, Storage(fail), queue) == Moved(saved=2, published=2, refused=1)
        assert f"{failing}: moving it fails: ZeroDivisionError in fail, line" in caplog.text
        assert "secret" not in caplog.text

    def test_a_clock_that_was_set_back_keeps_nothing_waiting(self, spool: Spool, queue: Queue) -> None:
        path = file_of(spool, spooled(spool))
        future = NOW.timestamp() + claims.LONGEST_DELAY_SECONDS + 3600
        os.utime(path, (future, future))
        assert run_once(spool, Storage(), queue).saved == 1


class TestWhatIsDamaged:
    @pytest.mark.parametrize("left", [0, 700, 2000])
    def test_a_crash_is_set_aside_and_the_others_go_on(
        self, spool: Spool, queue: Queue, caplog: pytest.LogCaptureFixture, left: int
    ) -> None:
        crash_ids = [spooled(spool) for _ in range(3)]
        path = file_of(spool, crash_ids[1])
        content = path.read_bytes()[:left]
        path.write_bytes(content)
        assert run_once(spool, Storage(), queue) == Moved(saved=2, published=2, damaged=1)
        assert spool.waiting() == Waiting(damaged=1)
        assert (spool.damaged / path.name).read_bytes() == content
        assert f"{crash_ids[1]}: damaged" in caplog.text

    def test_the_log_says_now_and_then_what_stays(
        self, spool: Spool, queue: Queue, caplog: pytest.LogCaptureFixture
    ) -> None:
        with mover(spool, Storage(), queue) as running:
            running.run_once()
        assert "the spool holds" not in caplog.text
        spool.save(crashid.create(), {}, {})
        run_once(spool, Storage(), queue)
        claims.claim(file_of(spool, spooled(spool)), "").put_off(60)  # type: ignore[union-attr]
        run_once(spool, Storage(), queue)
        assert (
            "the spool holds 1 refused crashes and notes, which are tried again, and 1 damaged" in caplog.text
        )

    @pytest.mark.parametrize("raw_crash", [{}, {"submitted_timestamp": "x"}, {"submitted_timestamp": 1}])
    def test_so_is_one_that_no_collector_wrote(
        self, spool: Spool, queue: Queue, raw_crash: dict[str, Any]
    ) -> None:
        spool.save(crashid.create(), raw_crash, {})
        assert run_once(spool, Storage(), queue) == Moved(damaged=1)

    def test_nothing_that_was_set_aside_before_is_written_over(self, spool: Spool, queue: Queue) -> None:
        crash_id = crashid.create()
        for number in (1, 2):
            spool.save(crash_id, {"number": number}, {})
            run_once(spool, Storage(), queue)
        assert spool.waiting() == Waiting(damaged=2)

    @pytest.mark.parametrize("text", ["", "{}", '{"product": 1, "received_at": "x"}', "[]", "[" * 4000])
    def test_for_a_note_storage_is_asked(self, spool: Spool, queue: Queue, text: str) -> None:
        known, unknown = crashid.create(), crashid.create()
        storage = Storage()
        storage.save_raw_crash(known, {"submitted_timestamp": NOW.isoformat()}, {})
        for crash_id in (known, unknown):
            (spool.folder / "unpublished" / crash_id).write_text(text)
        assert run_once(spool, storage, queue) == Moved(published=1, damaged=1)
        assert queue.published == [known]
        assert (spool.damaged / unknown).read_text() == text


def make_pipe(path: Path, made: ExitStack) -> None:
    """Whoever opens it to read gets an empty file; so who should not do that does not hang, either."""
    os.mkfifo(path)
    other_name = path.with_name(f".{path.name}")
    other_name.hardlink_to(path)
    done = threading.Event()

    def write_nothing() -> None:
        while not done.is_set():
            other_name.open("wb").close()

    def stop() -> None:
        done.set()
        reader = os.open(other_name, os.O_RDONLY | os.O_NONBLOCK)
        writer.join()
        os.close(reader)
        other_name.unlink()

    writer = threading.Thread(target=write_nothing)
    writer.start()
    made.callback(stop)


def make_socket(path: Path, made: ExitStack) -> None:
    server = made.enter_context(socket.socket(socket.AF_UNIX))
    with chdir(path.parent):  # the path of a socket is not as long as others may be
        server.bind(path.name)


ODD: dict[str, Callable[[Path, ExitStack], object]] = {
    "a pipe": make_pipe,
    "a socket": make_socket,
    "a folder": lambda path, made: path.mkdir(),
    "a folder that holds something": lambda path, made: (path / "inside").mkdir(parents=True),
    "a link to a file": lambda path, made: path.symlink_to("/etc/passwd"),
    "a link to a folder": lambda path, made: path.symlink_to("/etc"),
    "a link to nothing": lambda path, made: path.symlink_to("/no/such/file"),
    "a link to itself": lambda path, made: path.symlink_to(path.name),
}


class TestWhatNoCollectorHasWritten:
    @pytest.mark.parametrize("kind", ODD)
    def test_it_is_set_aside_with_one_line_in_the_log_and_the_others_go_on(
        self, spool: Spool, queue: Queue, caplog: pytest.LogCaptureFixture, kind: str
    ) -> None:
        crash_ids = [spooled(spool) for _ in range(3)]
        odd, odd_note = crash_ids[1], crashid.create()
        path, note = file_of(spool, odd), spool.folder / "unpublished" / odd_note
        path.unlink()
        with ExitStack() as made:
            for place in (path, note):
                ODD[kind](place, made)
            kinds = {stat.S_IFMT(place.lstat().st_mode) for place in (path, note)}
            with caplog.at_level(logging.INFO):
                assert run_once(spool, Storage(), queue) == Moved(saved=2, published=2)
                assert run_once(spool, Storage(), queue) == Moved()
        assert spool.waiting() == Waiting(damaged=2)
        kept = [spool.damaged / path.name, spool.damaged / note.name]
        assert {stat.S_IFMT(place.lstat().st_mode) for place in kept} == kinds
        for crash_id in (odd, odd_note):
            (line,) = [text for text in caplog.messages if crash_id in text]
            assert line == f"{crash_id}: it is no regular file; it is kept in the spool's folder damaged"

    def test_a_link_that_comes_to_a_path_at_the_last_moment_is_not_followed(self, spool: Spool) -> None:
        crash_id = spooled(spool)
        path = file_of(spool, crash_id)
        path.rename(path.with_suffix(".there"))
        path.symlink_to(path.with_suffix(".there"))
        with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
            claims._open_and_lock(path, crash_id)

    def test_a_crash_in_another_folder_than_its_name_says_does_not_wait_there_unseen(
        self, spool: Spool, queue: Queue, caplog: pytest.LogCaptureFixture
    ) -> None:
        crash_id = spooled(spool)
        path = file_of(spool, crash_id)
        elsewhere = path.parent.with_name("elsewhere")
        elsewhere.mkdir()
        path.rename(elsewhere / path.name)
        assert run_once(spool, Storage(), queue) == Moved()
        assert spool.waiting() == Waiting(damaged=1)
        assert f"{crash_id}: it is not in the folder that its name says" in caplog.text
        (spool.damaged / path.name).rename(path)
        assert run_once(spool, Storage(), queue).saved == 1

    def test_a_note_that_is_huge_is_not_read_into_memory(self, spool: Spool, queue: Queue) -> None:
        storage, crash_id = Storage(), crashid.create()
        storage.save_raw_crash(crash_id, {"submitted_timestamp": NOW.isoformat()}, {})
        with (spool.folder / "unpublished" / crash_id).open("wb") as note:
            note.truncate(1 << 40)
        assert run_once(spool, storage, queue) == Moved(published=1)
        assert spool.waiting() == Waiting()

    def test_links_among_leftovers_are_deleted_and_what_they_lead_to_is_not(
        self, spool: Spool, tmp_path: Path
    ) -> None:
        (tmp_path / "kept").mkdir()
        (tmp_path / "kept" / "file").write_text("x")
        for name, target in (("to-folder", "kept"), ("to-file", "kept/file"), ("to-nothing", "none")):
            (spool.uploads / name).symlink_to(tmp_path / target)
        Spool(spool.folder, limit_bytes=1, upload_seconds=0).remove_leftovers()
        assert not list(spool.uploads.iterdir())
        assert (tmp_path / "kept" / "file").read_text() == "x"


class DiskThatFails(type(Path())):  # type: ignore[misc]
    """A path whose file can be looked at once, and then no more."""

    looks = 0

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        self.looks += 1
        if self.looks > 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        status: os.stat_result = super().stat(follow_symlinks=follow_symlinks)
        return status


class TestTheSpoolsDisk:
    def test_a_round_that_fails_keeps_no_crash_from_the_next(
        self, spool: Spool, queue: Queue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One thread: the second crash is in hand while the first fails."""

        def fail(claim: claims.Claim) -> None:
            raise StorageError("the spool cannot be written")

        storage = Storage()
        crash_ids = {spooled(spool) for _ in range(4)}
        with mover(spool, storage, queue, threads=1) as running:
            with monkeypatch.context() as bad_disk:
                bad_disk.setattr(claims.Claim, "remove", fail)
                for _ in range(3):
                    with pytest.raises(StorageError, match="cannot be written"):
                        running.run_once()
            assert spool.waiting() == Waiting(crashes=4)
            assert running.run_once().saved == 4
        assert set(storage.saved) == crash_ids
        assert spool.waiting() == Waiting()

    def test_a_crash_that_cannot_be_looked_at_is_left_to_a_later_round(
        self, spool: Spool, queue: Queue, caplog: pytest.LogCaptureFixture
    ) -> None:
        crash_id = spooled(spool)
        path = file_of(spool, crash_id)
        assert claims.claim(DiskThatFails(path), crash_id) is None
        assert f"{crash_id}: the spool's disk does not give it: OSError" in caplog.text
        assert spool.waiting() == Waiting(crashes=1, refused=1)
        make_due(path)
        assert run_once(spool, Storage(), queue).saved == 1

    def test_a_spool_that_is_not_there_is_said_and_not_made(
        self, spool: Spool, queue: Queue, tmp_path: Path
    ) -> None:
        crash_id = spooled(spool)
        spool.folder.rename(tmp_path / "unmounted")
        spool.folder.mkdir()
        with pytest.raises(StorageError, match="Is its disk mounted"):
            run_once(spool, Storage(), queue)
        for use in (lambda: spool.save(crash_id, {}, {}), spool.check):
            with pytest.raises(StorageError, match="Is its disk mounted"):
                use()
        assert list(spool.folder.iterdir()) == []
        spool.folder.rmdir()
        (tmp_path / "unmounted").rename(spool.folder)
        assert run_once(spool, Storage(), queue).saved == 1

    def test_a_folder_that_is_no_folder_stops_nobody(self, spool: Spool, queue: Queue) -> None:
        path = file_of(spool, spooled(spool))
        (path.parent.parent / "zz").write_text("x")
        (path.parent / "notes.txt").write_text("x")
        (path.parent / f"{crashid.create()}.tar").mkdir()
        assert run_once(spool, Storage(), queue).saved == 1

    def test_folders_that_have_been_empty_for_long_are_removed(self, spool: Spool, queue: Queue) -> None:
        path = file_of(spool, spooled(spool))
        run_once(spool, Storage(), queue)
        assert path.parent.exists()
        for folder in (path.parent, path.parent.parent):
            make_due(folder)
            run_once(spool, Storage(), queue)
            assert not folder.exists()
        spooled(spool)
        assert run_once(spool, Storage(), queue).saved == 1

    def test_what_a_process_has_spooled_counts_at_once(self, tmp_path: Path) -> None:
        spool = Spool(tmp_path, limit_bytes=20_000)
        spool.prepare()
        spooled(spool, bytes(15_000))
        assert 15_000 < spool.size_bytes() < 20_000
        spooled(spool, bytes(15_000))
        assert spool.is_full()

    def test_a_note_is_whole_or_not_there(self, spool: Spool) -> None:
        (spool.folder / "unpublished").rename(spool.folder / "away")
        with pytest.raises(StorageError, match="Is its disk mounted"):
            spool.note_unpublished(crashid.create(), product="x", received_at=NOW)
        assert not (spool.folder / "unpublished").exists()
        (spool.folder / "away").rename(spool.folder / "unpublished")
        taken = crashid.create()
        (spool.folder / "unpublished" / taken).mkdir()
        with pytest.raises(StorageError, match=f"{taken}: no note"):
            spool.note_unpublished(taken, product="x", received_at=NOW)
        (spool.folder / "unpublished" / taken).rmdir()
        crash_id = crashid.create()
        spool.note_unpublished(crash_id, product="x" * 200, received_at=NOW)
        (path,) = (spool.folder / "unpublished").iterdir()
        assert path.name == crash_id
        assert json.loads(path.read_text()) == {"product": "x" * 100, "received_at": NOW.isoformat()}


class TestLeftovers:
    @pytest.fixture
    def storage(self, tmp_path: Path) -> FileSystemCrashStorage:
        return FileSystemCrashStorage(tmp_path / "storage")

    def test_those_of_killed_writers_are_deleted_and_those_of_living_ones_are_not(
        self, tmp_path: Path, queue: Queue, storage: FileSystemCrashStorage
    ) -> None:
        spool = Spool(tmp_path / "spool", limit_bytes=1, upload_seconds=10_000)
        spool.prepare()
        storage.check()
        folders = (
            tmp_path / "storage" / "tmp",
            spool.folder / "crashes" / "tmp",
            spool.folder / "unpublished",
            spool.uploads,
        )
        for folder in folders:
            for name, age_seconds in ((".new", 60), (".old", 5_000), (".ancient", 20_000)):
                (folder / name).write_bytes(b"x")
                changed_at = datetime.now(UTC).timestamp() - age_seconds
                os.utime(folder / name, (changed_at, changed_at))
        run_once(spool, storage, queue)  # type: ignore[arg-type]
        left = [sorted(path.name for path in folder.iterdir()) for folder in folders]
        assert left == [[".new"], [".new"], [".new"], [".new", ".old"]]

    def test_uploads_of_one_process_are_told_from_those_of_others(self, spool: Spool) -> None:
        for name in ("12-aa.dump", "12-bb.dump", "123-aa.dump", "1-12.dump", "12.dump"):
            (spool.uploads / name).write_bytes(b"x")
        spool.remove_uploads_of(12)
        assert sorted(path.name for path in spool.uploads.iterdir()) == [
            "1-12.dump",
            "12.dump",
            "123-aa.dump",
        ]
