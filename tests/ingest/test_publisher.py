"""A database that is down keeps few waiting, and whether it works is asked as for a crash, leaving nothing behind."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from crashstats.standalone.postgres import EmbeddedPostgres
from ingest.publisher import Publisher
from processing import crashid
from processing.errors import QueueError
from tests.ingest.process import CouldNotStart, make_database, run_collector
from tests.ingest.reports import valid
from tests.waiting import wait_until

#: What docs/collector.md says that the collector's user needs.
GRANTS = "GRANT SELECT, INSERT ON processing_crash, processing_queuedcrash TO collector"


@pytest.fixture(scope="module")
def database(postgres_server: EmbeddedPostgres) -> str:
    """A database in which the role "collector" may do what the documentation says, and no more."""
    url = make_database(postgres_server.connection(), "publisher_tests")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE ROLE collector LOGIN PASSWORD 'collector'")
        connection.execute(GRANTS)
    return url


@pytest.fixture
def owner(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def publisher(database: str) -> Iterator[Publisher]:
    made = publisher_to(database, timeout_seconds=5)
    yield made
    made.close()


@pytest.fixture
def impatient(database: str) -> Iterator[Publisher]:
    """A publisher to which a locked table is a database that hangs."""
    made = publisher_to(database, timeout_seconds=0.5)
    yield made
    made.close()


def publisher_to(database: str, *, timeout_seconds: float) -> Publisher:
    parameters = {name: str(value) for name, value in conninfo_to_dict(database).items()}
    return Publisher(
        parameters | {"user": "collector", "password": "collector"},
        connections=1,
        timeout_seconds=timeout_seconds,
        pause_seconds=0,
    )


def publish(publisher: Publisher, product: str = "x") -> str:
    """Give the id of a new crash that is entered."""
    crash_id = crashid.create()
    publisher.publish(crash_id, product=product, received_at=datetime.now(UTC))
    return crash_id


class Silent:
    """A server that takes connections and never answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._taken: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    @property
    def database(self) -> dict[str, str]:
        """libpq's parameters, by which it connects once for each attempt."""
        port = self._listener.getsockname()[1]
        return {"host": "127.0.0.1", "port": str(port), "sslmode": "disable", "gssencmode": "disable"}

    @property
    def taken(self) -> int:
        """How many connections there have been."""
        return len(self._taken)

    def hang_up(self) -> None:
        for connection in self._taken:
            connection.close()

    def close(self) -> None:
        with suppress(OSError):  # macOS needs it not, and says so
            self._listener.shutdown(socket.SHUT_RDWR)  # on Linux, closing alone leaves who accepts waiting
        self._listener.close()
        self.hang_up()

    def _take(self) -> None:
        with suppress(OSError):  # closed
            while True:
                self._taken.append(self._listener.accept()[0])


@pytest.fixture
def silent() -> Iterator[Silent]:
    made = Silent()
    yield made
    made.close()


@pytest.fixture
def collectors_url(database: str) -> str:
    """The database's URL for the role "collector"."""
    parts = urlsplit(database)
    return parts._replace(netloc="collector:collector@").geturl()


def entered(owner: psycopg.Connection) -> tuple[int, int]:
    row = owner.execute(
        "SELECT (SELECT count(*) FROM processing_crash), (SELECT count(*) FROM processing_queuedcrash)"
    ).fetchone()
    assert row is not None
    return row


def test_while_one_client_asks_a_database_that_has_failed_the_others_do_not_wait(silent: Silent) -> None:
    publisher = Publisher(silent.database, connections=8, timeout_seconds=20, pause_seconds=1e-9)
    assert [asking_at_once(publisher, silent, waiting=waiting) for waiting in (8, 1, 1)] == [8, 1, 1]


def asking_at_once(publisher: Publisher, silent: Silent, *, waiting: int) -> int:
    """Have eight clients publish at once, wait until only some still do, and give how many have asked the server."""
    before = silent.taken
    with ThreadPoolExecutor(8) as clients:
        together = [clients.submit(publish, publisher) for _ in range(8)]
        try:
            wait_until(lambda: sum(client.done() for client in together) >= 8 - waiting)
            wait_until(lambda: silent.taken >= before + waiting)
        finally:
            silent.hang_up()
        assert all(isinstance(client.exception(), QueueError) for client in together)
    return silent.taken - before


def test_who_waits_for_a_connection_does_not_ask_a_database_that_fails_meanwhile(silent: Silent) -> None:
    publisher = Publisher(silent.database, connections=1, timeout_seconds=20, pause_seconds=60)
    with ThreadPoolExecutor(4) as clients:
        together = [clients.submit(publish, publisher) for _ in range(4)]
        wait_until(lambda: silent.taken == 1)
        silent.hang_up()
        assert all(isinstance(client.exception(), QueueError) for client in together)
    assert silent.taken == 1


def test_a_new_connection_that_fails_is_not_tried_again(silent: Silent) -> None:
    publisher = Publisher(silent.database, connections=1, timeout_seconds=20, pause_seconds=0)
    with ThreadPoolExecutor(1) as client:
        asking = client.submit(publish, publisher)
        wait_until(lambda: silent.taken == 1)
        silent.hang_up()
        assert isinstance(asking.exception(), QueueError)
    assert silent.taken == 1


def test_a_statement_without_an_answer_is_not_tried_again(
    impatient: Publisher, owner: psycopg.Connection
) -> None:
    """A server keeps waiting for the lock when the client has gone: each attempt leaves one behind."""
    publish(impatient)
    with owner.transaction():
        owner.execute("LOCK TABLE processing_crash")
        with pytest.raises(QueueError) as failure:
            publish(impatient)
        assert isinstance(failure.value.__cause__, psycopg.errors.OperationalError)
        waiting = owner.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'processing_crash'::regclass"
        ).fetchone()
    assert waiting == (1,)
    publish(impatient)


def test_products_are_stored_as_they_are_whatever_encoding_the_environment_asks_for(
    publisher: Publisher, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    crash_id = publish(publisher, "Wölf")
    row = owner.execute("SELECT product FROM processing_crash WHERE crash_id = %s", [crash_id]).fetchone()
    assert row == ("Wölf",)


def test_a_check_without_an_answer_says_so_once(
    impatient: Publisher, owner: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with owner.transaction():
        owner.execute("LOCK TABLE processing_crash")
        with pytest.raises(QueueError, match="no crash can be entered"):
            impatient.check()
    assert caplog.text == ""
    impatient.check()


def test_the_check_enters_nothing_and_publishing_goes_on(
    publisher: Publisher, owner: psycopg.Connection
) -> None:
    before = entered(owner)
    publisher.check()
    publisher.check()
    assert entered(owner) == before
    publisher.publish(crashid.create(), product="x", received_at=datetime.now(UTC))
    publisher.check()
    assert entered(owner) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize(
    ("broken", "mended", "reason"),
    [
        (
            "REVOKE INSERT ON processing_crash FROM collector",
            "GRANT INSERT ON processing_crash TO collector",
            psycopg.errors.InsufficientPrivilege,
        ),
        (
            "REVOKE INSERT ON processing_queuedcrash FROM collector",
            "GRANT INSERT ON processing_queuedcrash TO collector",
            psycopg.errors.InsufficientPrivilege,
        ),
        (
            "ALTER ROLE collector SET default_transaction_read_only = on",
            "ALTER ROLE collector RESET default_transaction_read_only",
            psycopg.errors.ReadOnlySqlTransaction,
        ),
        (
            "ALTER TABLE processing_crash DETACH PARTITION processing_crash_default",
            "ALTER TABLE processing_crash ATTACH PARTITION processing_crash_default DEFAULT",
            psycopg.errors.CheckViolation,
        ),
        (
            "ALTER TABLE processing_queuedcrash RENAME COLUMN ruleset TO rules",
            "ALTER TABLE processing_queuedcrash RENAME COLUMN rules TO ruleset",
            psycopg.errors.UndefinedColumn,
        ),
    ],
    ids=[
        "ledger",
        "queue",
        "only reads",
        "no partition for the day",
        "tables of another version",
    ],
)
def test_the_check_fails_when_a_crash_could_not_be_entered(
    publisher: Publisher, owner: psycopg.Connection, broken: str, mended: str, reason: type[Exception]
) -> None:
    before = entered(owner)
    owner.execute(broken)
    try:
        with pytest.raises(QueueError, match="no crash can be entered") as failure:
            publisher.check()
        assert isinstance(failure.value.__cause__, reason)
        with pytest.raises(QueueError):
            publisher.publish(crashid.create(), product="x", received_at=datetime.now(UTC))
    finally:
        owner.execute(mended)
    publisher.check()
    assert entered(owner) == before


def test_a_collector_starts_with_the_documented_rights_and_ends_at_once_with_fewer(
    collectors_url: str, owner: psycopg.Connection, tmp_path: Path
) -> None:
    with run_collector(tmp_path, collectors_url) as collector:
        assert collector.ledger(collector.send(valid()).crash_id) == ("Firefox", "queued")
        assert collector.get_json("/__heartbeat__") == {"errors": []}
    owner.execute("REVOKE INSERT ON processing_crash FROM collector")
    try:
        with (
            pytest.raises(CouldNotStart, match="the database's user may not enter crashes: grant it"),
            run_collector(tmp_path, collectors_url),
        ):
            pass
    finally:
        owner.execute(GRANTS)
