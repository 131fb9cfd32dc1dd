"""No accepted report is lost, whatever is down: storage, database and collector are really stopped and started."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from ingest.spool import Spool
from tests.ingest.outages import Bucket, Database, bucket, database
from tests.ingest.process import CHECKOUT, CollectorProcess, CouldNotStart, read_response, run_collector
from tests.ingest.reports import dump, valid
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def own_database() -> Iterator[Database]:
    with database() as made:
        yield made


@pytest.fixture(scope="module")
def collector(own_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    with run_collector(tmp_path_factory.mktemp("durable"), own_database.url) as running:
        yield running


@pytest.fixture(scope="module")
def s3() -> Iterator[Bucket]:
    with bucket() as made:
        yield made


@pytest.fixture(scope="module")
def s3_collector(
    own_database: Database, s3: Bucket, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CollectorProcess]:
    """Four threads: every thread connects to S3 for itself."""
    var = tmp_path_factory.mktemp("s3")
    with run_collector(
        var,
        own_database.url,
        CRASH_STORAGE_URL=s3.url,
        COLLECTOR_SAVE_SECONDS="1",
        COLLECTOR_THREADS="4",
        COLLECTOR_REQUESTS="3",
    ) as running:
        yield running


def moved(collector: CollectorProcess) -> str:
    done = collector.manage("runmover", "--once")
    assert done.returncode == 0, done.stderr
    return done.stdout


class TestDatabaseDown:
    def test_a_crash_is_saved_and_answered_and_queued_when_the_database_is_back(
        self, collector: CollectorProcess, own_database: Database
    ) -> None:
        own_database.stop()
        try:
            crash_ids = [collector.send(valid(Notes=f"down {number}")).crash_id for number in range(3)]
            for crash_id in crash_ids:
                assert collector.storage.get_raw_crash(crash_id)["ProductName"] == "Firefox"
            heartbeat = collector.get("/__heartbeat__")
            assert heartbeat.status == 503
            assert '"name": "queue"' in heartbeat.text
            assert "0 crashes to storage, published 0; 3 are left" in moved(collector)
        finally:
            own_database.start()
        assert "published 3; 0 are left" in moved(collector)
        assert "published 0; 0 are left" in moved(collector)
        queued = collector.queued()
        for crash_id in crash_ids:
            assert collector.ledger(crash_id) == ("Firefox", "queued")
            assert queued.count(("standard", crash_id)) == 1
        wait_until(lambda: collector.get("/__heartbeat__").status == 200)
        wait_until(lambda: is_published(collector))

    def test_a_database_that_hangs_delays_one_client_at_a_time(
        self, collector: CollectorProcess, own_database: Database
    ) -> None:
        """The log tells who has asked the database: only who has not is without an error of psycopg's."""
        wait_until(lambda: is_published(collector))
        crash_ids: list[str] = []

        def asked(clients: int) -> int:
            """Send reports at once, and give for how many of them the database was asked."""
            sent = send_at_once(collector, clients)
            crash_ids.extend(sent)
            said = dict(re.findall(r"(\S{36}): saved, not yet published: (\w+)", collector.log))
            return sum(said[crash_id] != "QueueError" for crash_id in sent)

        with hanging(own_database):
            assert asked(1) == 1
            assert asked(8) == 0
            assert collector.get("/__heartbeat__").status == 503  # after about as long as the pause
            assert wait_until(lambda: asked(8)) == 1
        wait_until(lambda: is_published(collector))
        moved(collector)
        for crash_id in crash_ids:
            assert collector.storage.get_raw_crash(crash_id)
            assert collector.ledger(crash_id) == ("Firefox", "queued")

    def test_connections_that_were_cut_are_made_again_at_once(
        self, collector: CollectorProcess, own_database: Database
    ) -> None:
        wait_until(lambda: is_published(collector))
        with psycopg.connect(own_database.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'crashstats collector'"
            )
        before = collector.metric(retries := 'collector_retries_total{count="publish_crash_exception.count"}')
        assert all(is_published(collector) for _ in range(4))  # over each of its connections
        assert collector.metric(retries) == before + 1

    def test_what_the_database_refuses_keeps_nothing_else_waiting(
        self, collector: CollectorProcess, own_database: Database
    ) -> None:
        own_database.stop()
        try:
            refused, *others = [
                collector.send(valid(Notes=f"refused {number}")).crash_id for number in range(4)
            ]
        finally:
            own_database.start()
        rule = f"CHECK (crash_id <> '{refused}') NOT VALID"
        with psycopg.connect(own_database.url, autocommit=True) as connection:
            connection.execute(f"ALTER TABLE processing_queuedcrash ADD CONSTRAINT refused {rule}")
        said = moved(collector)
        assert "published 3; 1 are left" in said
        assert "1 of them were refused and are tried again later" in said
        assert all(collector.ledger(crash_id) for crash_id in others)
        with psycopg.connect(own_database.url, autocommit=True) as connection:
            connection.execute("ALTER TABLE processing_queuedcrash DROP CONSTRAINT refused")
        os.utime(collector.var / "collector" / "spool" / "unpublished" / refused, (0, 0))
        assert "published 1; 0 are left" in moved(collector)
        assert collector.ledger(refused) == ("Firefox", "queued")


def is_published(collector: CollectorProcess) -> bool:
    return collector.ledger(collector.send(valid(Notes=os.urandom(8).hex())).crash_id) is not None


def send_at_once(collector: CollectorProcess, clients: int) -> list[str]:
    """Send a report from each of some clients, at the same time; give the crash ids."""
    reports = [valid(Notes=os.urandom(8).hex()) for _ in range(clients)]
    with ThreadPoolExecutor(clients) as senders:
        return [response.crash_id for response in senders.map(collector.send, reports)]


@contextmanager
def hanging(database: Database) -> Iterator[None]:
    """Have all processes of the server, also those that new connections need, do nothing for a while."""
    server = database.backends()[0].parent()
    assert server is not None
    processes = [server]
    try:
        server.suspend()  # before its children, or it would make others
        processes += server.children(recursive=True)
        for process in processes:
            with suppress(psutil.NoSuchProcess):  # it was just ending
                process.suspend()
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


class TestStorageDown:
    def test_crashes_go_to_the_spool_and_from_there_to_storage_and_queue(
        self, s3_collector: CollectorProcess, s3: Bucket
    ) -> None:
        before = s3_collector.send(valid(Notes="before")).crash_id
        assert f"v1/dump/{before}" in s3.objects()
        s3.stop()
        try:
            large = bytes(range(256)) * 10_000
            crash_ids = [
                s3_collector.send(valid(dump("large", large), Notes=f"s3 down {number}")).crash_id
                for number in range(3)
            ]
            assert all(s3_collector.ledger(crash_id) is None for crash_id in crash_ids)
            heartbeat = s3_collector.get("/__heartbeat__")
            assert heartbeat.status == 503
            assert '"name": "storage"' in heartbeat.text
            assert "moved 0 crashes" in moved(s3_collector)
        finally:
            s3.start()
        assert "moved 3 crashes to storage, published 3; 0 are left" in moved(s3_collector)
        keys = s3.objects()
        for crash_id in crash_ids:
            assert {f"v1/dump_names/{crash_id}", f"v1/dump/{crash_id}", f"v1/large/{crash_id}"} <= keys
            assert s3_collector.ledger(crash_id) == ("Firefox", "queued")
        spool = s3_collector.var / "collector" / "spool"
        assert [path.name for path in spool.rglob("*") if path.is_file()] == ["lock"]
        wait_until(lambda: s3_collector.get("/__heartbeat__").status == 200)
        numbers = itertools.count()

        def goes_to_storage_again() -> bool:
            crash_id = s3_collector.send(valid(Notes=f"after {next(numbers)}")).crash_id
            return f"v1/dump/{crash_id}" in s3.objects()

        wait_until(goes_to_storage_again)
        assert "0 are left" in moved(s3_collector)

    def test_a_mover_that_is_killed_while_it_saves_keeps_nothing_for_itself(
        self, s3_collector: CollectorProcess, s3: Bucket
    ) -> None:
        s3.stop()
        try:
            crash_ids = [s3_collector.send(valid(Notes=f"killed {number}")).crash_id for number in range(3)]
        finally:
            s3.start()
        spool = Spool(s3_collector.var / "collector" / "spool", limit_bytes=1)
        with s3.hanging(), mover(s3_collector) as running:
            wait_until(lambda: not can_claim_all(spool))
            assert "moved 0 crashes to storage, published 0; 3 are left" in moved(s3_collector)
            running.kill()
            running.wait()
            assert can_claim_all(spool)
        assert "moved 3 crashes to storage, published 3; 0 are left" in moved(s3_collector)
        for crash_id in crash_ids:
            assert f"v1/dump/{crash_id}" in s3.objects()
            assert s3_collector.queued().count(("standard", crash_id)) == 1

    def test_a_full_spool_is_answered_with_a_time_to_come_back(
        self, own_database: Database, s3: Bucket, tmp_path: Path
    ) -> None:
        with run_collector(
            tmp_path,
            own_database.url,
            CRASH_STORAGE_URL=s3.url,
            COLLECTOR_SAVE_SECONDS="0",
            COLLECTOR_SPOOL_MB="0",
        ) as collector:
            s3.stop()
            try:
                response = collector.send(valid())
                assert (response.status, response.headers["retry-after"]) == (503, "60")
                assert "CrashID" not in response.text
                assert '"name": "spool"' in collector.get("/__heartbeat__").text
            finally:
                s3.start()

    def test_files_that_cannot_be_written_go_to_the_spool_and_without_one_nobody_gets_an_id(
        self, own_database: Database, tmp_path: Path
    ) -> None:
        with run_collector(tmp_path, own_database.url, COLLECTOR_SAVE_SECONDS="0") as collector:
            in_the_way(tmp_path / "crashes")
            crash_id = collector.send(valid()).crash_id
            in_the_way(tmp_path / "collector" / "spool" / "crashes")
            response = collector.send(valid(Notes="2"))
            assert (response.status, response.body) == (500, b"")
            assert response.headers["content-type"] == "text/plain"
            out_of_the_way(tmp_path / "collector" / "spool" / "crashes")
            out_of_the_way(tmp_path / "crashes")
            assert "moved 1 crashes" in moved(collector)
            assert collector.storage.get_raw_crash(crash_id)


@contextmanager
def mover(collector: CollectorProcess) -> Iterator[subprocess.Popen[str]]:
    """Run a collector's mover until the end of the block."""
    with subprocess.Popen(
        [sys.executable, "manage.py", "runmover", "--interval", "0.1"],
        cwd=CHECKOUT,
        env=collector.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def run_read_only(
    folder: Path, collector: CollectorProcess, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a management command to which a folder is a disk that can only be read."""
    mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && '
    apart = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*apart, f"{mount} true", folder], check=False).returncode
    ):
        pytest.skip("this machine does not let a process mount folders for itself")
    return subprocess.run(
        [*apart, f'{mount} exec "$@"', folder, sys.executable, "manage.py", *arguments],
        cwd=CHECKOUT,
        env=collector.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def can_claim_all(spool: Spool) -> bool:
    """Tell whether nobody holds a crash of the spool."""
    claimed = 0
    for folder in spool.crash_folders():
        for claim in spool.claim_crashes(folder):
            claim.release()
            claimed += 1
    return claimed == spool.waiting().crashes


def in_the_way(folder: Path) -> None:
    """Put a file where a folder has to be: that stops root, too."""
    folder.rename(f"{folder}-aside")
    folder.write_text("in the way")


def out_of_the_way(folder: Path) -> None:
    """Bring the folder back."""
    folder.unlink()
    Path(f"{folder}-aside").rename(folder)


class TestSpoolDamaged:
    def test_a_damaged_crash_is_kept_and_shown_and_the_others_are_moved(
        self, own_database: Database, tmp_path: Path
    ) -> None:
        with run_collector(tmp_path, own_database.url, COLLECTOR_SAVE_SECONDS="0") as collector:
            in_the_way(tmp_path / "crashes")
            crash_ids = [collector.send(valid(Notes=f"damaged {number}")).crash_id for number in range(2)]
            out_of_the_way(tmp_path / "crashes")
            spool = tmp_path / "collector" / "spool"
            (damaged,) = (spool / "crashes").rglob(f"{crash_ids[0]}.tar")
            damaged.write_bytes(b"damaged")
            said = moved(collector)
            assert "moved 1 crashes to storage, published 1; 0 are left" in said
            assert f"1 are damaged and kept in {spool / 'damaged'}" in said
            assert (spool / "damaged" / damaged.name).read_bytes() == b"damaged"
            assert collector.ledger(crash_ids[1])

    def test_from_a_disk_that_can_only_be_read_nothing_is_moved(
        self, own_database: Database, tmp_path: Path
    ) -> None:
        """It would be moved again and again, since it cannot be deleted."""
        with run_collector(tmp_path, own_database.url, COLLECTOR_SAVE_SECONDS="0") as collector:
            in_the_way(tmp_path / "crashes")
            crash_id = collector.send(valid()).crash_id
            out_of_the_way(tmp_path / "crashes")
            done = run_read_only(tmp_path / "collector" / "spool", collector, "runmover", "--once")
            assert done.returncode != 0
            assert "is its disk mounted read-only?" in done.stderr
            assert not list((tmp_path / "crashes").glob("2*"))
            assert "moved 1 crashes" in moved(collector)
            assert collector.ledger(crash_id)

    def test_a_mover_outlives_a_spool_that_is_taken_away(
        self, own_database: Database, tmp_path: Path
    ) -> None:
        with run_collector(tmp_path, own_database.url, COLLECTOR_SAVE_SECONDS="0") as collector:
            in_the_way(tmp_path / "crashes")
            crash_id = collector.send(valid()).crash_id
            (tmp_path / "collector" / "spool").rename(tmp_path / "away")
            done = collector.manage("runmover", "--once")
            assert done.returncode != 0
            assert (
                "there is no spool; a collector makes it when it starts. Is its disk mounted?" in done.stderr
            )
            out_of_the_way(tmp_path / "crashes")
            with mover(collector) as running:
                assert running.stdout is not None
                assert "there is no spool" in running.stdout.readline()
                (tmp_path / "away").rename(tmp_path / "collector" / "spool")
                wait_until(lambda: collector.ledger(crash_id))
            assert collector.storage.get_raw_crash(crash_id)


class TestEnds:
    def test_an_upload_that_has_begun_when_the_end_is_asked_for_is_finished(
        self, own_database: Database, tmp_path: Path
    ) -> None:
        with run_collector(tmp_path, own_database.url) as collector, collector.connect() as connection:
            request = valid().encode()
            connection.sendall(request[:-100])
            wait_until(lambda: collector.metric("collector_requests_begun_total") >= 1)
            collector.process.send_signal(signal.SIGTERM)
            wait_until(lambda: "Handling signal: term" in collector.log)
            connection.sendall(request[-100:])
            crash_id = read_response(connection).crash_id
            collector.process.wait(timeout=30)
            assert collector.storage.get_raw_crash(crash_id)
            assert collector.ledger(crash_id)

    def test_who_comes_while_the_last_uploads_are_finished_is_refused_at_once(
        self, own_database: Database, tmp_path: Path
    ) -> None:
        def is_refused() -> bool:
            try:
                collector.connect().close()
            except ConnectionRefusedError:
                return True
            return False

        with (
            run_collector(tmp_path, own_database.url, COLLECTOR_WORKERS="2") as collector,
            collector.connect() as connection,
        ):
            request = valid().encode()
            connection.sendall(request[:-100])
            wait_until(lambda: collector.metric("collector_requests_begun_total") >= 1)
            collector.process.send_signal(signal.SIGTERM)
            wait_until(is_refused)
            connection.sendall(request[-100:])
            assert collector.ledger(read_response(connection).crash_id)

    def test_what_was_answered_before_a_kill_is_all_there(
        self, own_database: Database, tmp_path: Path
    ) -> None:
        answered: list[str] = []
        with run_collector(tmp_path, own_database.url, COLLECTOR_WORKERS="2") as collector:

            def send_until_killed(sender: int) -> None:
                for number in range(1000):
                    try:
                        answered.append(collector.send(valid(Notes=f"{sender} {number}")).crash_id)
                    except (OSError, AssertionError):
                        return

            senders = [threading.Thread(target=send_until_killed, args=(number,)) for number in range(4)]
            for sender in senders:
                sender.start()
            wait_until(lambda: len(answered) > 100)
            for process in [collector.process, *collector.workers()]:
                process.kill()
            for sender in senders:
                sender.join()
        for crash_id in answered:
            assert collector.storage.get_raw_crash(crash_id)["uuid"] == crash_id
            assert collector.ledger(crash_id)
        with run_collector(tmp_path, own_database.url) as collector:
            assert collector.uploads() == []
            assert collector.send(valid(Notes="after")).crash_id

    def test_uploads_of_a_killed_worker_are_deleted_and_those_of_others_are_not(
        self, own_database: Database, tmp_path: Path
    ) -> None:
        with run_collector(tmp_path, own_database.url) as collector:
            (worker,) = collector.workers()
            (folder,) = collector.upload_folders()
            (folder / f"{worker.pid}-aa.dump").write_bytes(b"half")
            other = folder / f"{os.getpid()}-bb.dump"
            other.write_bytes(b"half")
            worker.kill()
            wait_until(lambda: collector.uploads() == [other])
            with run_collector(tmp_path, own_database.url):
                assert collector.uploads() == [other]  # the other collector may be writing it
        with run_collector(tmp_path, own_database.url) as collector:
            assert collector.uploads() == []
            assert len(collector.upload_folders()) == 1

    def test_collectors_that_number_their_processes_alike_leave_each_others_uploads_alone(
        self, own_database: Database, tmp_path: Path
    ) -> None:
        """As those do that run in two containers and have one VAR_DIR."""
        with run_collector(tmp_path, own_database.url) as first:
            (others,) = first.upload_folders()
            with run_collector(tmp_path, own_database.url) as second:
                (own,) = second.upload_folders() - {others}
                (worker,) = second.workers()
                for folder in (own, others):
                    (folder / f"{worker.pid}-aa.dump").write_bytes(b"half")
                worker.kill()
                wait_until(lambda: not list(own.iterdir()))
                assert second.uploads() == [others / f"{worker.pid}-aa.dump"]


class TestStart:
    def test_a_database_that_is_down_keeps_nobody_from_starting(self, tmp_path: Path) -> None:
        with run_collector(tmp_path, "postgresql://nobody@127.0.0.1:1/none") as collector:
            crash_id = collector.send(valid()).crash_id
            assert collector.storage.get_raw_crash(crash_id)
            assert "the database is down" in collector.log

    @pytest.mark.parametrize(
        ("settings", "complaint"),
        [
            ({"THROTTLE_RULES": "missing.toml"}, "missing.toml: cannot be read"),
            ({"CRASH_STORAGE_URL": "file:///dev/null/crashes"}, "cannot be written"),
            ({"CRASH_STORAGE_URL": "ftp://x"}, "CRASH_STORAGE_URL=(hidden): not file:///folder"),
            ({"COLLECTOR_THREADS": "many"}, "COLLECTOR_THREADS='many': not a whole number"),
        ],
    )
    def test_a_wrong_setting_does(
        self, own_database: Database, tmp_path: Path, settings: dict[str, str], complaint: str
    ) -> None:
        with pytest.raises(CouldNotStart) as failure, run_collector(tmp_path, own_database.url, **settings):
            pass
        assert complaint in str(failure.value)

    def test_a_missing_bucket_does(self, own_database: Database, s3: Bucket, tmp_path: Path) -> None:
        url = s3.url.replace("crashes?", "other?")
        with (
            pytest.raises(CouldNotStart, match="StorageMisconfigured"),
            run_collector(tmp_path, own_database.url, CRASH_STORAGE_URL=url),
        ):
            pass

    def test_missing_tables_do(self, own_database: Database, tmp_path: Path) -> None:
        with psycopg.connect(own_database.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE empty")
        with (
            pytest.raises(CouldNotStart, match=r"manage\.py migrate"),
            run_collector(tmp_path, own_database.url.replace("/outages?", "/empty?")),
        ):
            pass
