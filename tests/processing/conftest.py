from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import psycopg.conninfo
import pytest
from django.conf import settings
from django.db import connection as django_connection

from processing import crashid, outbox, queue
from processing.storage import CrashStorage, get_storage
from tests.processing.workerrules import MEETING_PLACE

RECEIVED = datetime(2026, 8, 1, 12, tzinfo=UTC)


@pytest.fixture
def connection(transactional_db: None) -> Iterator[psycopg.Connection[Any]]:
    """A connection such as the collector's: plain psycopg, without Django."""
    parameters = django_connection.get_connection_params()
    with psycopg.connect(
        **{name: parameters[name] for name in ("host", "user", "password", "dbname")}, autocommit=True
    ) as opened:
        yield opened


@pytest.fixture
def accept(connection: psycopg.Connection[Any]) -> Callable[..., str]:
    """Put a crash into the ledger and the queue as the collector does; gives its id."""

    def accept(crash_id: str | None = None, **changes: Any) -> str:
        chosen = crash_id or crashid.create()
        values = {"product": "WaterWolf", "received_at": RECEIVED, **changes}
        queue.accept(connection, crash_id=chosen, **values)
        return chosen

    return accept


@pytest.fixture
def storage() -> Iterator[CrashStorage]:
    """The storage of the settings, on disk, so that other processes have it too; empty afterwards."""
    get_storage.cache_clear()
    yield get_storage()
    shutil.rmtree(settings.CRASH_STORAGE["OPTIONS"]["root"], ignore_errors=True)
    get_storage.cache_clear()


def make_indexer(stopping: threading.Event) -> threading.Thread:
    """An indexer in a thread, to be started; it ends when ``stopping`` is set."""

    def run() -> None:
        outbox.run(stopping)
        django_connection.close()

    return threading.Thread(target=run)


def damage(name: str) -> None:
    """Cut off the end of a file in the storage of the settings, as a failing disk does."""
    (path,) = Path(settings.CRASH_STORAGE["OPTIONS"]["root"]).rglob(name)
    path.write_bytes(path.read_bytes().rstrip(b"\0")[:-1])


@pytest.fixture
def collect(storage: CrashStorage, accept: Callable[..., str]) -> Callable[..., str]:
    """Save a crash, then accept it; gives its id."""

    def collect(crash_id: str | None = None, **changes: Any) -> str:
        chosen = crash_id or crashid.create()
        storage.save_raw_crash(chosen, {"ProductName": "WaterWolf"}, {})
        return accept(chosen, **changes)

    return collect


@pytest.fixture
def start(transactional_db: None, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a program that uses this test's database and folder, as its settings tell it; ended by SIGTERM."""
    started: list[subprocess.Popen[str]] = []
    parameters = django_connection.get_connection_params()
    database = {name: parameters[name] for name in ("host", "user", "password", "dbname")}
    environment = {
        **os.environ,
        "VAR_DIR": str(settings.VAR_DIR),
        "DATABASE_URL": psycopg.conninfo.make_conninfo(**database),
        MEETING_PLACE: str(tmp_path),
    }
    environment.pop("DJANGO_SETTINGS_MODULE", None)

    def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=settings.BASE_DIR, env={**environment, **variables}, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
    for process in started:
        process.wait(timeout=30)


@pytest.fixture
def workers(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., subprocess.Popen[str]]:
    """Start workers whose default ruleset consists of the named rules of ``tests.processing.workerrules``."""

    def workers(*rules: str, **variables: str) -> subprocess.Popen[str]:
        paths = [f"tests.processing.workerrules.{rule}" for rule in rules]
        return start("-m", "tests.processing.workers", *paths, **variables)

    return workers
