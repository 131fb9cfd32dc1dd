from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crashstats.standalone.postgres import EmbeddedPostgres
from tests.ingest.process import CollectorProcess, make_database, run_collector


@pytest.fixture(scope="session")
def collector_database(postgres_server: EmbeddedPostgres) -> str:
    """The URL of a database for collector processes."""
    return make_database(postgres_server.connection(), "collector_tests")


@pytest.fixture(scope="session")
def collector(
    collector_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CollectorProcess]:
    """A collector that accepts everything up to Mozilla's size; the token "secret" may choose crash ids."""
    var = tmp_path_factory.mktemp("collector")
    with run_collector(
        var,
        collector_database,
        COLLECTOR_REQUEST_BYTES="26214400",
        COLLECTOR_BEARER_TOKEN="secret",
        COLLECTOR_CLIENT_GRACE="1",
        COLLECTOR_DEDUPLICATE_SECONDS="0",
    ) as running:
        yield running


@pytest.fixture(scope="session")
def mozilla_collector(
    collector_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CollectorProcess]:
    """A collector with Mozilla's rules."""
    var = tmp_path_factory.mktemp("mozilla")
    with run_collector(
        var, collector_database, THROTTLE_RULES="mozilla", COLLECTOR_DEDUPLICATE_SECONDS="0"
    ) as running:
        yield running


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads"
    folder.mkdir()
    return folder
