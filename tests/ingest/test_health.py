"""What `/__heartbeat__` says, whatever the parts do, and whoever asks at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingest.health import Health
from ingest.publisher import Publisher
from ingest.spool import Spool
from processing.errors import StorageError
from processing.storage.memory import MemoryCrashStorage
from tests.ingest.process import run_collector
from tests.ingest.reports import valid
from tests.waiting import wait_until


class Storage(MemoryCrashStorage):
    """A storage whose check waits until it is let go, and then fails as told."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.lets_go = threading.Event()
        self.lets_go.set()
        self.failure: Exception | None = None

    def check(self) -> None:
        self.asked += 1
        self.lets_go.wait()
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def health(storage: Storage, tmp_path: Path) -> Iterator[Health]:
    """The health of a collector without a database."""
    spool = Spool(tmp_path, limit_bytes=1_000_000)
    spool.prepare()
    publisher = Publisher(
        {"host": "127.0.0.1", "port": "1"}, connections=1, timeout_seconds=1, pause_seconds=1
    )
    yield Health(storage, publisher, spool, fresh_seconds=0)
    storage.lets_go.set()


def failing(health: Health) -> list[str]:
    return [error["name"] for error in health.errors()]


@pytest.mark.parametrize("failure", [StorageError("/secret/folder"), RuntimeError("unforeseen")])
def test_a_part_that_fails_in_any_way_is_named_and_the_log_says_why(
    health: Health, storage: Storage, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    assert failing(health) == ["queue"]
    storage.failure = failure
    errors = health.errors()
    assert [error["name"] for error in errors] == ["storage", "queue"]
    assert str(failure) not in str(errors)
    assert str(failure) in caplog.text
    assert "connection" in caplog.text


def test_who_asks_while_another_is_being_answered_gets_the_last_answer(
    health: Health, storage: Storage
) -> None:
    assert failing(health) == ["queue"]
    storage.lets_go.clear()
    with ThreadPoolExecutor(1) as another:
        answer = another.submit(failing, health)
        wait_until(lambda: storage.asked == 2)
        assert failing(health) == ["queue"]
        assert not answer.done()
        storage.failure = StorageError("down")
        storage.lets_go.set()
        assert answer.result() == ["storage", "queue"]


def test_a_storage_whose_disk_is_unmounted_is_noticed_and_crashes_wait_in_the_spool(
    collector_database: str, tmp_path: Path
) -> None:
    """The folder is taken away and an empty one shows in its place, as when a disk is unmounted."""
    folder = tmp_path / "crashes"
    with run_collector(tmp_path, collector_database, COLLECTOR_SAVE_SECONDS="0") as collector:
        assert collector.get_json("/__heartbeat__") == {"errors": []}
        folder.rename(tmp_path / "away")
        folder.mkdir()
        crash_id = collector.send(valid()).crash_id
        wait_until(lambda: '"name": "storage"' in collector.get("/__heartbeat__").text)
        assert list(folder.iterdir()) == []
        assert collector.metric("collector_spooled_total") == 1
        folder.rmdir()
        (tmp_path / "away").rename(folder)
        done = collector.manage("runmover", "--once")
        assert done.returncode == 0, done.stderr
        assert collector.storage.get_raw_crash(crash_id)["uuid"] == crash_id
        wait_until(lambda: collector.get("/__heartbeat__").status == 200)
