"""What the collector counts and measures: for Prometheus, and for statsd when there is one.

Every metric stands in `METRICS`; another name is an error. docs/collector.md lists them.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

log = getLogger(__name__)

#: prometheus_client reads it when it is imported: where the processes of one collector share their numbers.
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BYTES = (1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8)

#: prometheus_client keeps a file for each kind of metric and process; ours need a tenth of this size.
_SHARED_KINDS = ("counter", "histogram")
_SHARED_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: ``label`` is the name of its only label, if it has one; ``statsd`` is its name there, if it has one.

    Times are seconds for Prometheus and milliseconds for statsd.
    """

    name: str
    kind: str  # "counter", "seconds" or "bytes"
    doc: str
    label: str = ""
    statsd: str = ""
    statsd_type: str = ""


METRICS = (
    Metric("requests_begun", "counter", "Submissions whose headers have come."),
    Metric("answers", "counter", "Answers to submissions by HTTP status.", "status"),
    Metric("submission", "seconds", "Handling of one submission, also of refused ones.",
           statsd="collector.breakpad_resource.on_post.time", statsd_type="ms"),
    Metric("compressed", "counter", "Submissions with a compressed body.",
           statsd="collector.breakpad_resource.gzipped_crash"),
    Metric("decompression", "seconds", "Decompressing one body.", "result",
           statsd="collector.breakpad_resource.gzipped_crash_decompress", statsd_type="h"),
    Metric("body", "bytes", "Size of one body after decompression.", "payload",
           statsd="collector.breakpad_resource.crash_size", statsd_type="h"),
    Metric("malformed", "counter", "Submissions that are not understood.", "reason",
           statsd="collector.breakpad_resource.malformed"),
    Metric("parser_errors", "counter", "Submissions on which the parser failed in an unforeseen way."),
    Metric("too_large", "counter", "Submissions over a limit.", "limit"),
    Metric("turned_away", "counter", "Submissions for which there was no room.", "reason"),
    Metric("slow_clients", "counter", "Submissions given up because the client was too slow."),
    Metric("incoming", "counter", "Well-formed reports, before throttling.",
           statsd="collector.breakpad_resource.incoming_crash"),
    Metric("clients", "counter", "Well-formed reports by family of client.", "family"),
    Metric("throttle_rule", "counter", "Reports by the rule that decided.", "rule",
           statsd="collector.breakpad_resource.throttle_rule"),
    Metric("throttle", "counter", "Reports by what was decided.", "result",
           statsd="collector.breakpad_resource.throttle"),
    Metric("duplicates", "counter", "Reports that were sent again, answered with their first crash id."),
    Metric("unauthorized_uuid", "counter", "Reports with a crash id of their own but without the token.",
           statsd="collector.breakpad_resource.unauthorized_uuid"),
    Metric("handling", "seconds", "Saving and publishing one crash, with retries.",
           statsd="collector.crashmover.crash_handling.time", statsd_type="ms"),
    Metric("save", "seconds", "One attempt to save.",
           statsd="collector.crashmover.crash_save.time", statsd_type="ms"),
    Metric("publish", "seconds", "One attempt to publish.",
           statsd="collector.crashmover.crash_publish.time", statsd_type="ms"),
    Metric("retries", "counter", "Repeated attempts.", "count", statsd="collector.crashmover.retry_count"),
    Metric("saved", "counter", "Crashes saved and published.", statsd="collector.crashmover.save_crash.count"),
    Metric("spooled", "counter", "Crashes that storage did not take and this machine's disk keeps for now."),
    Metric("not_saved", "counter", "Crashes that could not be kept anywhere; their clients were told.",
           statsd="collector.crashmover.save_crash_dropped.count"),
    Metric("not_published", "counter", "Crashes saved, and left for the mover to publish.",
           statsd="collector.crashmover.publish_crash_dropped.count"),
    Metric("broken", "counter", "Calls of /__broken__.", statsd="collector.health.broken.count"),
    Metric("version", "counter", "Calls of /__version__.", statsd="collector.health.version.count"),
    Metric("lbheartbeat", "counter", "Calls of /__lbheartbeat__.", statsd="collector.health.lbheartbeat.count"),
    Metric("heartbeat", "counter", "Calls of /__heartbeat__.", statsd="collector.health.heartbeat.count"),
)  # fmt: skip


class Statsd:
    """Sends metrics over UDP in the DogStatsD dialect. What cannot be sent is lost, and nobody waits.

    Args: ``host_tag`` is the value of the tag ``host`` that every metric carries.
    """

    def __init__(self, host: str, port: int, *, host_tag: str) -> None:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._address = address
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._host_tag = host_tag

    def close(self) -> None:
        self._socket.close()

    def send(self, name: str, value: float, kind: str, tag: str = "") -> None:
        tags = f"host:{self._host_tag}" + (f",{tag}" if tag else "")
        try:
            self._socket.sendto(f"socorro.{name}:{value:g}|{kind}|#{tags}".encode(), self._address)
        except OSError:
            return


class Metrics:
    """Counts and measures by the names of `METRICS`.

    Args: ``registry`` is given in tests; without it the numbers are shared by all processes of the collector.
    """

    #: Whether this process has room for numbers of its own.
    for_prometheus = True

    def __init__(self, statsd: Statsd | None = None, registry: CollectorRegistry | None = None) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self._statsd = statsd
        self._registry = registry or CollectorRegistry()
        self._metrics: dict[str, tuple[Metric, Any]] = {}
        self._kept: dict[tuple[str, str], Any] = {}
        for metric in METRICS:
            labels = (metric.label,) if metric.label else ()
            name, doc = f"collector_{metric.name}", metric.doc
            made: Any
            if metric.kind == "counter":
                made = Counter(name, doc, labels, registry=self._registry)
            else:
                buckets = _SECONDS if metric.kind == "seconds" else _BYTES
                made = Histogram(
                    f"{name}_{metric.kind}", doc, labels, registry=self._registry, buckets=buckets
                )
            self._metrics[metric.name] = (metric, made)

    def count(self, name: str, label: str = "") -> None:
        if self.for_prometheus:
            self._series(name, label).inc()
        if self._statsd is not None:
            self._send(name, 1, "c", label)

    def observe(self, name: str, value: float, label: str = "") -> None:
        if self.for_prometheus:
            self._series(name, label).observe(value)
        if self._statsd is not None:
            metric, _ = self._metrics[name]
            self._send(name, value * 1000 if metric.kind == "seconds" else value, metric.statsd_type, label)

    def _series(self, name: str, label: str) -> Any:
        """Give what holds the number of one metric with one label; kept, for the look-up takes longer than the rest."""
        series = self._kept.get((name, label))
        if series is None:
            metric, made = self._metrics[name]
            series = self._kept[name, label] = made.labels(label) if metric.label else made
        return series

    def _send(self, name: str, value: float, kind: str, label: str) -> None:
        metric, _ = self._metrics[name]
        if self._statsd is not None and metric.statsd:
            self._statsd.send(metric.statsd, value, kind, f"{metric.label}:{label}" if metric.label else "")

    def exposition(self) -> bytes:
        """Give all numbers in Prometheus' text format, summed over the processes when they share them."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        if FOLDER_VARIABLE not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def share_between_processes(folder: Path) -> None:
    """Have all processes that are forked from this one add up their numbers, from zero. Call it before `Metrics`.

    Raises: OSError when the folder cannot be made, or the disk is full.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    os.environ[FOLDER_VARIABLE] = str(folder)
    _reserve_room()


def enter_process() -> None:
    """Call it in each process as soon as it is forked; while the disk is full, its numbers go to statsd only."""
    if FOLDER_VARIABLE not in os.environ:
        return  # another application under the collector's server, as in the benchmark
    try:
        _reserve_room()
    except OSError as exc:
        Metrics.for_prometheus = False
        log.warning(
            "/metrics leaves out process %d, for its numbers have no room on the disk: %s", os.getpid(), exc
        )


def _reserve_room() -> None:
    """Write the files of this process's numbers before prometheus_client maps them.

    It would make files with holes; and the kernel kills who writes to a hole of a mapped file while the disk is full.
    """
    folder = Path(os.environ[FOLDER_VARIABLE])
    paths = [folder / f"{kind}_{os.getpid()}.db" for kind in _SHARED_KINDS]
    try:
        for path in paths:
            path.write_bytes(bytes(_SHARED_BYTES))
    except OSError:
        for path in paths:
            path.unlink(missing_ok=True)
        raise


def retire_process(pid: int) -> None:
    """Take the gauges of a process that has ended out of the sums; its counters stay."""
    if FOLDER_VARIABLE not in os.environ:
        return  # another application under the collector's server
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]


def client_family(user_agent: str, boundary: bytes) -> str:
    """Guess which reporter sent a report, from how it names itself and how it makes boundaries."""
    for family, sign in _USER_AGENTS.items():
        if sign in user_agent:
            return family
    for family, start in _BOUNDARIES.items():
        if boundary.startswith(start):
            return family
    return "other"


_USER_AGENTS: Mapping[str, str] = {
    "crashpad": "Crashpad/",
    "breakpad_linux": "Breakpad/1.0 (Linux)",
    "breakpad_windows": "Breakpad/1.0 (Windows)",
    "breakpad_mac": "CFNetwork/",
    "firefox_desktop": "crashreporter/",
    "firefox_android": "Dalvik/",
    "firefox_browser": "Gecko/",
    "curl": "curl/",
}
_BOUNDARIES: Mapping[str, bytes] = {
    "crashpad": b"---MultipartBoundary-",
    "firefox_browser": b"----geckoformboundary",
}
