"""Gather what the status page shows."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Count, Q
from django.db.models.functions import Now

from processing import ledger, queue
from processing.errors import QueueError, SearchError
from processing.models import SearchOutbox
from processing.search import get_search


@dataclass(frozen=True)
class Status:
    """Numbers and texts only. All but ``versions`` are empty when the database does not answer.

    ``search``: the processed crashes that are ``waiting`` to be taken by search, and those ``put_off`` by an error;
    the ``documents`` it holds, unless its index cannot be read; while that is made anew, those ``rebuilt`` by now.
    """

    ledger: dict[str, int]
    queues: dict[str, int]
    search: dict[str, int]
    versions: dict[str, str]

    @property
    def database_works(self) -> bool:
        return bool(self.ledger)

    @property
    def unexplained(self) -> int:
        return self.ledger.get("unexplained", 0)


def load_status() -> Status:
    """Give the ledger's equation, the queue lengths and what runs here. Takes longer the more crashes wait."""
    try:
        versions = _versions(database=_database_version())
        return Status(asdict(ledger.equation()), queue.waiting(), _outbox() | _index(), versions)
    except (DatabaseError, QueueError):
        return Status({}, {}, {}, _versions())


def read_version_file(path: Path) -> dict[str, Any]:
    """Give what the deployment says about itself, ``{}`` when it says nothing that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _outbox() -> dict[str, int]:
    is_due = Q(due_at__lte=Now())
    return SearchOutbox.objects.aggregate(
        waiting=Count("id", filter=is_due), put_off=Count("id", filter=~is_due)
    )


def _index() -> dict[str, int]:
    try:
        state = get_search().state()
    except SearchError:
        return {}
    shown = {"documents": state.documents} if state.exists else {}
    return shown if state.rebuilt is None else {**shown, "rebuilt": state.rebuilt}


def _versions(**more: str) -> dict[str, str]:
    deployed = read_version_file(settings.VERSION_FILE)
    versions = {
        "crashstats": str(deployed.get("version") or deployed.get("commit") or "development"),
        "python": platform.python_version(),
        "django": django.get_version(),
    }
    return versions | more


def _database_version() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (version,) = cursor.fetchone()
    return str(version)
