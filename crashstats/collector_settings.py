"""Settings of the collector, enough to run it by itself; `crashstats.settings` has them all.

A collector on a machine of its own runs with ``DJANGO_SETTINGS_MODULE=crashstats.collector_settings``: then no search,
no pages, no workers and no accounts are configured, and `manage.py` knows the collector's commands only.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from crashstats import env
from crashstats.standalone import postgres
from processing.storage import url as storage_url

ENV = env.Environment(os.environ)
BASE_DIR = Path(__file__).resolve().parent.parent

VAR_DIR = ENV.read(
    "VAR_DIR",
    env.folder,
    default=str(BASE_DIR / "var"),
    doc="the folder for everything the system writes: database, crashes, index, symbols, logs.",
)
HOST = ENV.read("HOST", env.text, default="127.0.0.1", doc="the address that web and collector listen on.")
COLLECTOR_PORT = ENV.read("COLLECTOR_PORT", env.port, default="8001", doc="the port of the collector.")
DATABASE_URL = ENV.read(
    "DATABASE_URL",
    env.text,
    default="",
    doc="postgresql://user:password@host:port/name of a PostgreSQL 15 or newer; unset: the embedded one under VAR_DIR.",
    secret=True,
)
DATABASE_POOL = ENV.read(
    "DATABASE_POOL",
    env.whole_number,
    default="0",
    doc="the most connections one process pools for its threads; 0 keeps one open connection per thread instead.",
)
DATABASES = {"default": postgres.django_database(DATABASE_URL, VAR_DIR, pool_size=DATABASE_POOL)}
INSTALLED_APPS = ["ingest"]
TIME_ZONE = "UTC"
USE_TZ = True
CRASH_STORAGE = ENV.read(
    "CRASH_STORAGE_URL",
    lambda text: storage_url.parse(text or (VAR_DIR / "crashes").as_uri()),
    default="",
    doc="where crashes are kept: file:///folder, s3://bucket?endpoint_url=...&region_name=... or gs://bucket, with "
    "credentials from where boto3 and Google's library look for them; unset: VAR_DIR/crashes.",
    secret=True,
)
COLLECTOR: dict[str, Any] = {
    "folder": VAR_DIR / "collector",
    "workers": ENV.read(
        "COLLECTOR_WORKERS", env.positive_number, default="2", doc="how many processes the collector has."
    ),
    "threads": ENV.read(
        "COLLECTOR_THREADS",
        env.positive_number,
        default="32",
        doc="how many connections one process of the collector serves at the same time.",
    ),
    "requests": ENV.read(
        "COLLECTOR_REQUESTS",
        env.positive_number,
        default="28",
        doc="how many submissions one process of the collector takes at the same time; further ones are answered 503. "
        "It has to be below COLLECTOR_THREADS, so that a thread is left to say so.",
    ),
    "wire_bytes": ENV.read(
        "COLLECTOR_IN_FLIGHT_MB",
        env.positive_number,
        default="256",
        doc="megabytes of submissions that one process of the collector takes at the same time; more is answered 503.",
    )
    * 1024
    * 1024,
    "memory_bytes": ENV.read(
        "COLLECTOR_ANNOTATIONS_MB",
        env.positive_number,
        default="128",
        doc="megabytes of memory that large annotations (over 0.5 MB in a submission) may take in one process "
        "of the collector at the same time, four bytes for each byte sent; more is answered 503.",
    )
    * 1024
    * 1024,
    "client_connections": ENV.read(
        "COLLECTOR_CLIENT_CONNECTIONS",
        env.positive_number,
        default="1000",
        doc="how many connections of clients one process of the collector holds open at the same time, of which "
        "COLLECTOR_THREADS are served; when all are taken, the oldest of those that wait is closed for each new one.",
    ),
    "client_grace_seconds": ENV.read(
        "COLLECTOR_CLIENT_GRACE",
        env.positive_number,
        default="20",
        doc="seconds that any client has for its request, before COLLECTOR_CLIENT_RATE counts.",
    ),
    "client_rate": ENV.read(
        "COLLECTOR_CLIENT_RATE",
        env.positive_number,
        default="4096",
        doc="bytes per second that a client has to send at least, on average, beyond COLLECTOR_CLIENT_GRACE; one that "
        "sends less than eight times as many may lose its place to another when there is no room.",
    ),
    "limits": {
        "wire_bytes": ENV.read(
            "COLLECTOR_REQUEST_BYTES",
            env.positive_number,
            default="209715200",
            doc="the largest submission as it comes over the wire, in bytes; a larger one is answered 413 "
            "(Mozilla's collector allows 26214400).",
        ),
        "body_bytes": ENV.read(
            "COLLECTOR_BODY_BYTES",
            env.positive_number,
            default="209715200",
            doc="the largest submission after decompression, in bytes; a larger one is answered 413.",
        ),
        "dump_bytes": ENV.read(
            "COLLECTOR_DUMP_BYTES",
            env.positive_number,
            default="209715200",
            doc="the largest single dump, in bytes; a larger one is answered 413.",
        ),
        "annotation_bytes": ENV.read(
            "COLLECTOR_ANNOTATION_BYTES",
            env.positive_number,
            default="20971520",
            doc="the largest single annotation, in bytes; a larger one is answered 413.",
        ),
        "all_annotations_bytes": ENV.read(
            "COLLECTOR_ALL_ANNOTATIONS_BYTES",
            env.positive_number,
            default="26214400",
            doc="the most that all annotations of a submission may be together, in bytes; more is answered 413.",
        ),
        "parts": ENV.read(
            "COLLECTOR_PARTS",
            env.positive_number,
            default="2000",
            doc="the most annotations and dumps of one submission; more is answered 413.",
        ),
        "ratio": ENV.read(
            "COLLECTOR_COMPRESSION_RATIO",
            env.positive_number,
            default="150",
            doc="how many times larger a submission may become by decompression, from 64 MB on; more is answered 413.",
        ),
    },
    "save_seconds": ENV.read(
        "COLLECTOR_SAVE_SECONDS",
        env.whole_number,
        default="3",
        doc="seconds for which saving a crash is tried again before it goes to the spool.",
    ),
    "publish_seconds": ENV.read(
        "COLLECTOR_PUBLISH_SECONDS",
        env.positive_number,
        default="2",
        doc="seconds that the database may take for one step of queueing a crash, before the crash is queued later.",
    ),
    "connections": ENV.read(
        "COLLECTOR_CONNECTIONS",
        env.positive_number,
        default="4",
        doc="the most connections to the database that one process of the collector opens.",
    ),
    "spool_bytes": ENV.read(
        "COLLECTOR_SPOOL_MB",
        env.whole_number,
        default="2048",
        doc="megabytes of crashes that may lie in VAR_DIR/collector/spool while the crash storage is down.",
    )
    * 1024
    * 1024,
    "mover_threads": ENV.read(
        "COLLECTOR_MOVER_THREADS",
        env.positive_number,
        default="8",
        doc="how many crashes the mover brings from the spool to the crash storage at the same time.",
    ),
    "deduplicate_seconds": ENV.read(
        "COLLECTOR_DEDUPLICATE_SECONDS",
        env.whole_number,
        default="300",
        doc="seconds for which exactly the same report from the same client gets its first crash id again; 0: never.",
    ),
    "throttle_rules": ENV.read(
        "THROTTLE_RULES",
        env.text,
        default="accept_all",
        doc="the rules that decide which reports are kept: accept_all, mozilla, or the path of a file.",
    ),
    "bearer_token": ENV.read(
        "COLLECTOR_BEARER_TOKEN",
        env.text,
        default="",
        doc="the token of senders that may choose crash ids (`Authorization: Bearer ...`); unset: nobody may.",
        secret=True,
    ),
    "statsd_host": ENV.read(
        "STATSD_HOST",
        env.text,
        default="",
        doc="the host that takes statsd metrics over UDP; unset: none is sent.",
    ),
    "statsd_port": ENV.read("STATSD_PORT", env.port, default="8125", doc="the port of STATSD_HOST."),
    "host_tag": ENV.read(
        "HOST_TAG", env.text, default="", doc="the host name that metrics carry; unset: this machine's."
    )
    or socket.gethostname(),
}
VERSION_FILE = BASE_DIR / "version.json"


LOG_LEVEL = ENV.read(
    "LOG_LEVEL",
    env.choice("DEBUG", "INFO", "WARNING", "ERROR"),
    default="INFO",
    doc="the least severity that is logged.",
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "crashstats.logs.LineFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {"django-q": {"level": "WARNING"}},  # it has two lines for every task
}
