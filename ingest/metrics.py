"""What the collector counts and measures: for Prometheus, and for statsd when there is one.

Every metric stands in `METRICS`; another name is an error. docs/collector.md lists them.
"""

from __future__ import annotations

import os
import socket
import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from logging import getLogger
from math import inf
from pathlib import Path

from ingest import numbers
from ingest.numbers import NOWHERE, Numbers

log = getLogger(__name__)

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"

_BOUNDS = {
    "counter": (),
    "gauge": (),
    "seconds": (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    "bytes": (1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8),
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: ``label`` is the name of its only label, if it has one; ``statsd`` is its name there, if it has one.

    Times are seconds for Prometheus and milliseconds for statsd. Gauges are looked up when Prometheus asks.
    """

    name: str
    kind: str  # "counter", "gauge", "seconds" or "bytes"
    doc: str
    label: str = ""
    statsd: str = ""
    statsd_type: str = ""

    @property
    def exposed_name(self) -> str:
        """Give its name at Prometheus; the library adds ``_total`` to that of a counter."""
        return f"collector_{self.name}" + (f"_{self.kind}" if self.bounds else "")

    @property
    def bounds(self) -> tuple[float, ...]:
        """Give the upper bounds of a histogram's buckets; the last bucket has none."""
        return _BOUNDS[self.kind]

    @property
    def size(self) -> int:
        """Give how many numbers it is: a histogram the sum, then what fell into each bucket; any other one."""
        return 1 + len(self.bounds) + 1 if self.bounds else 1


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
    Metric("retries", "counter", "Repeated attempts to save or to publish.", "count",
           statsd="collector.crashmover.retry_count"),
    Metric("saved", "counter", "Crashes saved and published.", statsd="collector.crashmover.save_crash.count"),
    Metric("spooled", "counter", "Crashes that storage did not take and this machine's disk keeps for now."),
    Metric("not_saved", "counter", "Crashes that could not be kept anywhere; their clients were told.",
           statsd="collector.crashmover.save_crash_dropped.count"),
    Metric("not_published", "counter", "Crashes saved, and left for the mover to publish.",
           statsd="collector.crashmover.publish_crash_dropped.count"),
    Metric("spool_crashes", "gauge", "Crashes in the spool, for the mover to save."),
    Metric("spool_bytes", "gauge", "Bytes that they take; COLLECTOR_SPOOL_MB bounds them."),
    Metric("spool_notes", "gauge", "Notes in the spool of saved crashes, for the mover to publish."),
    Metric("spool_refused", "gauge", "Those of both that were refused and are tried again later."),
    Metric("spool_damaged", "gauge", "What the mover has set aside because it could not be read."),
    Metric("broken", "counter", "Calls of /__broken__.", statsd="collector.health.broken.count"),
    Metric("version", "counter", "Calls of /__version__.", statsd="collector.health.version.count"),
    Metric("lbheartbeat", "counter", "Calls of /__lbheartbeat__.", statsd="collector.health.lbheartbeat.count"),
    Metric("heartbeat", "counter", "Calls of /__heartbeat__.", statsd="collector.health.heartbeat.count"),
)  # fmt: skip

_BY_NAME = {metric.name: metric for metric in METRICS}


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
            self._socket.sendto(f"socorro.{name}:{value:.12g}|{kind}|#{tags}".encode(), self._address)
        except OSError:
            return


class Metrics:
    """Counts and measures by the names of `METRICS`, in any number of threads and processes.

    `count` and `observe` are called a dozen times per submission: they find a number by two look-ups and add to it.
    Everything else happens once per process and series.

    Args: ``folder`` is shared by the processes of one collector, and was made by `ingest.numbers.start_from_zero`; a
    process that is forked counts in a file of its own. Without it, in tests, a process has its numbers to itself.
    ``gauges`` looks up by their names those that are known just now.
    """

    def __init__(
        self,
        statsd: Statsd | None = None,
        folder: Path | None = None,
        gauges: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        self._statsd = statsd
        self._folder = folder
        self._gauges = gauges
        self._begin()
        if folder is not None:
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Count in this process from now on: the numbers before the fork are its parent's."""
        self._lock = threading.Lock()
        self._numbers: Numbers | None = None
        self._values: memoryview[float] = memoryview(b"").cast("d")
        self._left_out = False
        self._counters: dict[str, dict[str, int]] = {m.name: {} for m in METRICS if m.kind == "counter"}
        self._histograms: dict[str, dict[str, tuple[int, tuple[float, ...]]]] = {
            m.name: {} for m in METRICS if m.bounds
        }

    def count(self, name: str, label: str = "") -> None:
        try:
            place = self._counters[name][label]
        except KeyError:
            place = self._enter_counter(name, label)
        lock = self._lock
        lock.acquire()  # a `with` takes as long as all the rest
        try:
            self._values[place] += 1.0
        finally:
            lock.release()
        if self._statsd is not None:
            self._send(self._statsd, name, 1, "c", label)

    def observe(self, name: str, value: float, label: str = "") -> None:
        """Args: ``value`` is seconds or bytes. What cannot be one (below 0, infinite, no number) counts as 0."""
        try:
            place, bounds = self._histograms[name][label]
        except KeyError:
            place, bounds = self._enter_histogram(name, label)
        if not 0.0 <= value < inf:
            value = 0.0  # else it would spoil the sum for good
        bucket = place + 1 + bisect_left(bounds, value)
        lock = self._lock
        lock.acquire()
        try:
            self._values[place] += value
            self._values[bucket] += 1.0
        finally:
            lock.release()
        if self._statsd is not None:
            metric = _BY_NAME[name]
            sent = value * 1000 if metric.kind == "seconds" else value
            self._send(self._statsd, name, sent, metric.statsd_type, label)

    def exposition(self) -> bytes:
        """Give all numbers in Prometheus' text format, summed over the processes when they share them."""
        from ingest.exposition import expose

        gauges = self._gauges()
        if self._folder is not None:
            return expose(METRICS, numbers.sums_in(self._folder), gauges)
        with self._lock:
            return expose(METRICS, self._open().sums(), gauges)

    def _enter_counter(self, name: str, label: str) -> int:
        of_label = self._counters[name]
        with self._lock:
            place = self._place(_BY_NAME[name], label)
            if place != NOWHERE:
                of_label[label] = place
        return place

    def _enter_histogram(self, name: str, label: str) -> tuple[int, tuple[float, ...]]:
        of_label = self._histograms[name]
        metric = _BY_NAME[name]
        with self._lock:
            place = self._place(metric, label)
            if place != NOWHERE:
                of_label[label] = (place, metric.bounds)
        return place, metric.bounds

    def _place(self, metric: Metric, label: str) -> int:
        """Find or make the numbers of one metric with one label. The lock is held."""
        if label and not metric.label:
            raise ValueError(f"{metric.name}: counted with the label {label!r}, and it has none")
        place = self._open().place(metric.name, label, metric.size)
        if place == NOWHERE and not self._left_out:
            self._left_out = True
            log.warning("/metrics leaves out new labels of %s, for there are too many", metric.exposed_name)
        return place

    def _open(self) -> Numbers:
        """Give the numbers of this process; while the disk is full, those of a new process go to statsd only."""
        if self._numbers is None:
            self._numbers = self._make_numbers()
            self._values = self._numbers.values
        return self._numbers

    def _make_numbers(self) -> Numbers:
        if self._folder is None:
            return numbers.make_private()
        try:
            return numbers.take_file(self._folder)
        except OSError as exc:
            log.warning(
                "/metrics leaves out process %d, for its numbers find no room on the disk: %s",
                os.getpid(),
                exc,
            )
            return numbers.make_private()

    def _send(self, statsd: Statsd, name: str, value: float, kind: str, label: str) -> None:
        metric = _BY_NAME[name]
        if metric.statsd:
            statsd.send(metric.statsd, value, kind, f"{metric.label}:{label}" if metric.label else "")


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
