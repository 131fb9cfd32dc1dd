"""Make the parts of a collector from the settings."""

from __future__ import annotations

from logging import getLogger
from logging.config import dictConfig
from typing import Any

from django.conf import settings

from ingest.admission import Gate
from ingest.application import Application
from ingest.collector import Collector, SaveRetries
from ingest.deduplication import RecentReports
from ingest.health import Health
from ingest.limits import Limits
from ingest.metrics import Metrics, Statsd
from ingest.publisher import Publisher
from ingest.spool import Spool
from ingest.throttler import Throttler
from processing.errors import QueueError
from processing.storage import get_storage

log = getLogger(__name__)


def build_application() -> Application:
    """Make the application that the settings describe, and prove that it can keep crashes.

    A database that does not answer only gets a warning: crashes are saved without it.

    Raises: BadRules, StorageError when reports could not be judged or kept.
    """
    dictConfig(settings.LOGGING)
    options: dict[str, Any] = settings.COLLECTOR
    storage, spool, publisher = get_storage(), build_spool(), build_publisher()
    spool.prepare()
    storage.check()
    try:
        publisher.check()
    except QueueError as exc:
        log.warning(
            "the ledger and the queue cannot be reached; crashes are saved and published later: %s", exc
        )
    publisher.close()  # connections cannot be shared with the processes forked from this one
    statsd = options["statsd_host"]
    metrics = Metrics(
        Statsd(statsd, options["statsd_port"], host_tag=options["host_tag"]) if statsd else None
    )
    return Application(
        collector=Collector(
            storage=storage,
            spool=spool,
            publisher=publisher,
            throttler=Throttler(options["throttle_rules"]),
            recent=RecentReports(
                options["folder"] / "recent_reports", window_seconds=options["deduplicate_seconds"]
            ),
            metrics=metrics,
            retries=SaveRetries(
                budget_seconds=options["save_seconds"], first_wait_seconds=0.1, pause_seconds=5
            ),
            bearer_token=options["bearer_token"],
        ),
        gate=Gate(requests=options["requests"], wire_bytes=options["wire_bytes"]),
        limits=Limits(**options["limits"]),
        uploads=spool.uploads,
        metrics=metrics,
        health=Health(storage, publisher, spool),
        version_file=settings.VERSION_FILE,
    )


def build_spool() -> Spool:
    options: dict[str, Any] = settings.COLLECTOR
    return Spool(options["folder"] / "spool", limit_bytes=options["spool_bytes"])


def build_publisher() -> Publisher:
    """Make a publisher to the database of the settings; it connects when it is first used."""
    options: dict[str, Any] = settings.COLLECTOR
    return Publisher(
        libpq_parameters(settings.DATABASES["default"]),
        connections=options["connections"],
        timeout_seconds=options["publish_seconds"],
        pause_seconds=2,
    )


def libpq_parameters(database: dict[str, Any]) -> dict[str, str]:
    """Give Django's settings of a PostgreSQL database in libpq's words."""
    words = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    options = {
        key: str(value) for key, value in database.get("OPTIONS", {}).items() if isinstance(value, str)
    }
    return {word: str(database[key]) for key, word in words.items() if database.get(key)} | options
