"""Make the parts of a collector from the settings."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from logging import getLogger
from logging.config import dictConfig
from typing import Any

import psycopg
from django.conf import settings

from ingest.admission import Gate
from ingest.application import Application
from ingest.collector import Collector, SaveRetries
from ingest.deduplication import RecentReports
from ingest.errors import NO_ROOM
from ingest.gauges import SpoolGauges
from ingest.health import Health
from ingest.limits import Limits
from ingest.malformed import MalformedSamples
from ingest.metrics import Metrics, Statsd
from ingest.numbers import start_from_zero
from ingest.publisher import Publisher
from ingest.spool import LEFTOVER_SECONDS, Spool
from ingest.throttler import Throttler
from processing.errors import QueueError, StorageError, StorageMisconfigured
from processing.storage import CrashStorage, get_storage

log = getLogger(__name__)


def build_application() -> Application:
    """Make the application that the settings describe, and prove that it can keep crashes.

    Once per collector, before its worker processes are forked: they share its metrics and its memory of recent reports.

    A storage or a database that is down only gets a warning, because the spool stands in for it; one that is set up
    wrongly ends the start.

    Raises: BadRules, StorageMisconfigured, QueueError, StorageError when the spool cannot be used, and OSError when
    another file of the collector's cannot.
    """
    import_module("ingest.exposition")  # workers that loaded it later would share none of its memory
    dictConfig(settings.LOGGING)
    _log_without_what_no_line_shows()
    options: dict[str, Any] = settings.COLLECTOR
    limits = Limits(**options["limits"])
    spool = build_spool()
    spool.prepare()
    storage = build_storage(spool, begin=True)
    metrics = Metrics(_build_statsd(options), options["folder"] / "metrics", SpoolGauges(spool))
    publisher = build_publisher(
        before_retry=partial(metrics.count, "retries", "publish_crash_exception.count")
    )
    _check(storage, publisher)
    start_from_zero(options["folder"] / "metrics")
    return Application(
        collector=Collector(
            storage=storage,
            spool=spool,
            publisher=publisher,
            throttler=Throttler(
                options["throttle_rules"], last_good=options["folder"] / "throttle_rules.toml"
            ),
            recent=build_recent_reports(),
            metrics=metrics,
            retries=SaveRetries(
                budget_seconds=options["save_seconds"], first_wait_seconds=0.1, pause_seconds=5
            ),
            bearer_token=options["bearer_token"],
        ),
        gate=Gate(
            requests=options["requests"],
            wire_bytes=options["wire_bytes"],
            memory_bytes=options["memory_bytes"],
            client_rate=options["client_rate"],
            small_bytes=limits.memory_bytes,
        ),
        limits=limits,
        uploads=spool.uploads,
        metrics=metrics,
        health=Health(storage, publisher, spool),
        samples=build_samples(),
        version_file=settings.VERSION_FILE,
    )


def _log_without_what_no_line_shows() -> None:
    """Halve what a log line costs; each crash has one. Source: "Optimization" in the documentation of logging."""
    logging.logThreads = logging.logMultiprocessing = False
    logging._srcfile = None


def _check(storage: CrashStorage, publisher: Publisher) -> None:
    try:
        storage.check()
    except StorageMisconfigured:
        raise
    except StorageError as exc:
        log.warning("the crash storage is down; crashes go to the spool: %s", exc)
    try:
        publisher.check()
    except QueueError as exc:
        if isinstance(exc.__cause__, psycopg.errors.UndefinedTable):
            raise QueueError("the database has no tables yet: run `manage.py migrate`") from exc
        if isinstance(exc.__cause__, psycopg.errors.InsufficientPrivilege):
            raise QueueError(
                "the database's user may not enter crashes: "
                "grant it SELECT and INSERT on processing_crash and processing_queuedcrash"
            ) from exc
        log.warning("the database is down; crashes are saved now and queued later: %s", exc)
    finally:
        publisher.close()  # connections cannot be shared with the processes forked from this one


def _build_statsd(options: dict[str, Any]) -> Statsd | None:
    if not options["statsd_host"]:
        return None
    try:
        return Statsd(options["statsd_host"], options["statsd_port"], host_tag=options["host_tag"])
    except OSError as exc:
        log.warning(
            "STATSD_HOST=%r is not known; no statsd metrics are sent: %s", options["statsd_host"], exc
        )
        return None


@cache
def build_spool() -> Spool:
    """Make the spool of this process, the same one for all who ask."""
    options: dict[str, Any] = settings.COLLECTOR
    slowest_seconds = options["limits"]["wire_bytes"] / options["client_rate"]
    return Spool(
        options["folder"] / "spool",
        limit_bytes=options["spool_bytes"],
        upload_seconds=options["client_grace_seconds"] + slowest_seconds + LEFTOVER_SECONDS,
    )


def build_recent_reports() -> RecentReports:
    """Make the memory of recent reports; one that remembers nothing when the disk has no room for it.

    Raises: OSError when its file cannot be made for another reason.
    """
    path = settings.COLLECTOR["folder"] / "recent_reports"
    window_seconds = settings.COLLECTOR["deduplicate_seconds"]
    try:
        return RecentReports(path, window_seconds=window_seconds)
    except OSError as exc:
        if exc.errno not in NO_ROOM:
            raise
        log.warning("%s: finds no room, so reports that are sent twice are kept twice: %s", path, exc)
        return RecentReports(path, window_seconds=0)


def build_storage(spool: Spool, *, begin: bool) -> CrashStorage:
    """Give the crash storage; it is held to the one that the spool has served before, which ``begin`` may note there.

    Else a mover that is started while the storage's disk is unmounted would empty the spool onto the disk below.
    """
    storage = get_storage()
    storage.hold_to(spool.folder / "storage", begin=begin)
    return storage


def build_samples() -> MalformedSamples:
    return MalformedSamples(settings.COLLECTOR["folder"] / "malformed")


def build_publisher(
    *, pause_seconds: float = 2, before_retry: Callable[[], None] = lambda: None
) -> Publisher:
    """Make a publisher to the database of the settings; it connects when it is first used."""
    options: dict[str, Any] = settings.COLLECTOR
    return Publisher(
        libpq_parameters(settings.DATABASES["default"]),
        connections=options["connections"],
        timeout_seconds=options["publish_seconds"],
        pause_seconds=pause_seconds,
        before_retry=before_retry,
    )


def libpq_parameters(database: dict[str, Any]) -> dict[str, str]:
    """Give Django's settings of a PostgreSQL database in libpq's words."""
    words = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    options = {
        key: str(value) for key, value in database.get("OPTIONS", {}).items() if isinstance(value, str)
    }
    return {word: str(database[key]) for key, word in words.items() if database.get(key)} | options
