from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import connection as django_connection

from processing import crashid, queue

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
