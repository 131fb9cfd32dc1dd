"""Servers that a test can really stop and start again."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
import psutil
import psycopg

from crashstats.standalone.postgres import EmbeddedPostgres
from tests.ingest.process import CHECKOUT, free_port, make_database
from tests.waiting import wait_until


class Database:
    """A PostgreSQL of its own."""

    def __init__(self, var: Path) -> None:
        self._var = var
        self._server = EmbeddedPostgres(var)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        self.url = make_database(self._server.connection(), "outages")

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "crashstats.standalone.postgres", self._var], cwd=CHECKOUT
        )
        self._server.wait_until_ready(timeout_seconds=60)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # PostgreSQL's fast way to end
            self._process.wait(timeout=30)
            self._process = None

    def backends(self) -> list[psutil.Process]:
        """Give the server's processes that serve collectors."""
        with psycopg.connect(self.url) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'crashstats collector'"
            ).fetchall()
        return [psutil.Process(pid) for (pid,) in rows]


class Bucket:
    """A bucket on a server of its own that speaks S3 and forgets everything when it stops."""

    def __init__(self) -> None:
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = (
            f"s3://crashes?endpoint_url=http%3A//127.0.0.1%3A{self._port}"
            "&region_name=us-east-1&access_key=key&secret_key=secret"
        )
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._resource = boto3.resource(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self._port}",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            region_name="us-east-1",
        )
        wait_until(self._made)

    def _made(self) -> bool:
        from botocore.exceptions import BotoCoreError

        try:
            self._resource.create_bucket(Bucket="crashes")
        except BotoCoreError:
            return False
        return True

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Have the server answer nothing for a while."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def objects(self) -> set[str]:
        return {item.key for item in self._resource.Bucket("crashes").objects.all()}


@contextmanager
def database() -> Iterator[Database]:
    """Not below pytest's folder: when root runs the tests, the server runs as another user, whom pytest locks out."""
    with TemporaryDirectory(prefix="crashstats-test-") as var:
        made = Database(Path(var).resolve())
        try:
            yield made
        finally:
            made.stop()


@contextmanager
def bucket() -> Iterator[Bucket]:
    made = Bucket()
    try:
        yield made
    finally:
        made.stop()
