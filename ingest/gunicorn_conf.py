"""How gunicorn serves the collector."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crashstats.collector_settings")

from django.conf import settings

from ingest import server
from ingest.build import build_spool
from ingest.client import ClientSocket

_collector: dict[str, Any] = settings.COLLECTOR

bind = server.bind_address(settings.HOST, settings.COLLECTOR_PORT)
workers = _collector["workers"]
worker_class = "ingest.server.CollectorWorker"
threads = _collector["threads"]
worker_connections = _collector["client_connections"]
preload_app = True  # the workers share the memory of what is loaded before they are made
timeout = 60
graceful_timeout = 6  # of a collector that ends; for workers that are replaced see `post_fork`
keepalive = 5
limit_request_line = 8190
limit_request_field_size = 8190
forwarded_allow_ips = ""  # nothing here depends on what a proxy says
control_socket_disable = True  # gunicorn would place it in a folder that all systems of a user share
proc_name = "crashstats-collector"
if _collector["statsd_host"]:
    logger_class = "ingest.gunicorn_statsd.Logger"
    statsd_host = server.bind_address(_collector["statsd_host"], _collector["statsd_port"])
    statsd_prefix = "socorro.collector"
    dogstatsd_tags = f"host:{_collector['host_tag']}"

#: How many times ``graceful_timeout`` a replaced worker has for what it has in hand: a minute. Nobody waits for it.
_TIMES_FOR_REPLACED_WORKERS = 10


def on_starting(arbiter: Any) -> None:
    server.check_places(connections=worker_connections, threads=threads, requests=_collector["requests"])
    server.allow_open_files(worker_connections, threads)


def child_exit(arbiter: Any, worker: Any) -> None:
    """Clean up after a worker process that has ended, killed or not."""
    build_spool().remove_uploads_of(worker.pid)


def post_fork(arbiter: Any, worker: Any) -> None:
    # The worker's own copy. When all ends, the arbiter ends the workers by its copy.
    worker.cfg.set("graceful_timeout", _TIMES_FOR_REPLACED_WORKERS * arbiter.cfg.graceful_timeout)
    ClientSocket.grace_seconds = _collector["client_grace_seconds"]
    ClientSocket.minimum_rate = _collector["client_rate"]


def post_worker_init(worker: Any) -> None:
    worker.tpool.start_one()
