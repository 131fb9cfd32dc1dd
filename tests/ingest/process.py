"""The collector as a process of its own, served by gunicorn, as in production."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from processing.storage.filesystem import FileSystemCrashStorage
from tests.ingest.reports import Request

CHECKOUT = Path(__file__).resolve().parent.parent.parent
_PASSED_ON = ("PATH", "HOME", "LANG", "COVERAGE_PROCESS_START", "PYTHONPATH")


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("ascii")

    @property
    def crash_id(self) -> str:
        """The crash id of an accepted report, without its prefix."""
        assert self.status == 200, (self.status, self.body)
        line = self.text
        assert line.startswith("CrashID=bp-"), line
        assert line.endswith("\n"), line
        return line.removeprefix("CrashID=bp-").removesuffix("\n")


@dataclass
class CollectorProcess:
    """A running collector; ``var`` is its folder, ``database_url`` its database."""

    var: Path
    port: int
    database_url: str
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    checkout: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/submit"

    @property
    def storage(self) -> FileSystemCrashStorage:
        return FileSystemCrashStorage(self.var / "crashes")

    @property
    def log(self) -> str:
        return (self.var / "collector.log").read_text()

    def connect(self, timeout_seconds: float = 30) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout_seconds)

    def send(self, request: Request | bytes) -> Response:
        """Send a request over a connection of its own and read the answer to its end."""
        with self.connect() as connection:
            with suppress(ConnectionError):  # the answer may come before all is sent
                connection.sendall(request if isinstance(request, bytes) else request.encode())
            return read_response(connection)

    def get(self, path: str, method: str = "GET") -> Response:
        return self.send(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())

    def get_json(self, path: str) -> Any:
        return json.loads(self.get(path).body)

    def metric(self, line: str) -> float:
        """Give the value of the metric whose line begins so; 0 when there is none."""
        lines = self.get("/metrics").body.decode().splitlines()
        return sum(float(found.rsplit(" ", 1)[1]) for found in lines if found.startswith(line))

    def queued(self) -> list[tuple[str, str]]:
        """Give queue and crash id of every message, in the order they came."""
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(
                "SELECT queue, crash_id FROM processing_queuedcrash ORDER BY id"
            ).fetchall()

    def ledger(self, crash_id: str) -> tuple[str, str] | None:
        """Give product and state of a crash."""
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(
                "SELECT product, state FROM processing_crash WHERE crash_id = %s", [crash_id]
            ).fetchone()

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def upload_folders(self) -> set[Path]:
        """Give the folders in which the collectors of this VAR_DIR receive large dumps."""
        return set((self.var / "collector" / "spool" / "uploads").iterdir())

    def uploads(self) -> list[Path]:
        return [path for folder in self.upload_folders() for path in folder.iterdir()]

    def manage(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        """Run a management command with this collector's settings."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.checkout,
            env=self.environment,
            input=stdin.decode(),
            capture_output=True,
            text=True,
            check=False,
        )


def read_response(connection: socket.socket) -> Response:
    """Read one answer to the end of the connection."""
    data = b""
    while piece := connection.recv(65536):
        data += piece
    assert data, "the collector closed the connection without an answer"
    while data.startswith(b"HTTP/1.1 100 "):
        data = data.partition(b"\r\n\r\n")[2]
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return Response(int(lines[0].split(" ")[1]), headers, body)


@contextmanager
def run_collector(
    var: Path,
    database_url: str,
    checkout: Path = CHECKOUT,
    start_by: Sequence[str] = (),
    **settings: str,
) -> Iterator[CollectorProcess]:
    """Start a collector below ``var``, with the code of ``checkout``, and end it afterwards.

    Args: ``start_by`` are words of the command line before its own.
    """
    port = free_port()
    environment = {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "DJANGO_SETTINGS_MODULE": "crashstats.collector_settings",
        "VAR_DIR": str(var),
        "DATABASE_URL": database_url,
        "COLLECTOR_PORT": str(port),
        "COLLECTOR_WORKERS": "1",
        **settings,
    }
    var.mkdir(parents=True, exist_ok=True)
    with (var / "collector.log").open("ab") as log:
        process = subprocess.Popen(
            [
                *start_by,
                sys.executable,
                "-m",
                "gunicorn",
                "--config",
                "python:ingest.gunicorn_conf",
                "ingest.wsgi:application",
            ],
            cwd=checkout,
            env=environment,
            stdout=log,
            stderr=log,
        )
    collector = CollectorProcess(var, port, database_url, process, environment, checkout)
    try:
        _wait_until_it_answers(collector)
        yield collector
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


class CouldNotStart(Exception):
    """The collector ended instead of serving; the text is its log."""


def _wait_until_it_answers(collector: CollectorProcess) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if collector.process.poll() is not None:
            raise CouldNotStart(collector.log)
        try:
            collector.get("/")  # a connection alone would be there before the worker is
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(collector.log)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def make_database(server: dict[str, str], name: str) -> str:
    """Make an empty database with the project's tables on a server; give its URL."""
    with psycopg.connect(**{**server, "dbname": "postgres"}, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(f"CREATE DATABASE {name}")
    url = database_url(server, name)
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "crashstats.settings"}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=CHECKOUT,
        env=environment,
        check=True,
    )
    return url


def database_url(server: dict[str, str], name: str) -> str:
    from urllib.parse import quote

    user, password = quote(server["user"]), quote(server["password"])
    return f"postgresql://{user}:{password}@/{name}?host={quote(server['host'], safe='')}"
