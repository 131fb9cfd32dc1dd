"""Whether crashes could be entered is asked of the database as the collector itself asks, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
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
    parameters = {name: str(value) for name, value in conninfo_to_dict(database).items()}
    made = Publisher(
        parameters | {"user": "collector", "password": "collector"},
        connections=1,
        timeout_seconds=5,
        pause_seconds=0,
    )
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
