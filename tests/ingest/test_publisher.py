"""Whether crashes could be entered is asked of the database as the collector itself asks, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from crashstats.standalone.postgres import EmbeddedPostgres
from ingest.publisher import Publisher
from processing import crashid
from processing.errors import QueueError
from tests.ingest.process import make_database

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
