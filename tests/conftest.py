"""Fixtures for every test. Each run has its own embedded PostgreSQL, started when the first test needs a database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from crashstats.standalone.postgres import EmbeddedPostgres

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """The embedded PostgreSQL of this run, as a child process that goes with it."""
    server = EmbeddedPostgres(settings.VAR_DIR)
    process = subprocess.Popen(
        [sys.executable, "-m", "crashstats.standalone.postgres", settings.VAR_DIR], cwd=CHECKOUT
    )
    try:
        server.wait_until_ready(timeout_seconds=60)
        yield server
    finally:
        server.stop_leftover()
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres_server: EmbeddedPostgres) -> None:
    """Have the server up before pytest-django makes its database."""
