"""Collecting without HTTP: throttle a report, give it a crash id, save it, publish it, say what to answer."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from logging import getLogger
from typing import Any, ParamSpec

from ingest.conditions import as_text
from ingest.deduplication import RecentReports
from ingest.errors import MalformedPayload, Overloaded
from ingest.metrics import Metrics
from ingest.outage import Outage
from ingest.payload import CrashReport
from ingest.publisher import Publisher
from ingest.spool import Spool
from ingest.throttler import Decision, Result, RuleSet, Throttler
from processing import crashid
from processing.errors import QueueError, StorageError
from processing.storage.base import CrashStorage

log = getLogger(__name__)
P = ParamSpec("P")

RAW_CRASH_VERSION = 2
_DAYS_AHEAD = 1
_NO_WAITING = nullcontext()


@dataclass(frozen=True, slots=True)
class Sender:
    """What is known of a submission besides its body.

    ``client`` tells senders apart and is stored nowhere; ``authorization`` is the header as sent.
    """

    user_agent: str = ""
    client: str = ""
    authorization: str = ""
    compressed: bool = False
    wire_bytes: int = 0


class UnauthorizedCrashId(Exception):
    """The report carries a crash id, and its sender may not choose one."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The report is safe, or is to seem so to its client."""

    crash_id: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rule decided against the report."""

    rule: str


class SaveRetries:
    """When storage is asked: at once, then after ``first_wait_seconds``, twice as long … while ``budget_seconds`` last.

    When all of that failed, storage is down: then one submission now and then asks it once (see `Outage`), until one
    succeeds.
    """

    def __init__(self, *, budget_seconds: float, first_wait_seconds: float, pause_seconds: float) -> None:
        self._budget_seconds = budget_seconds
        self._first_wait_seconds = first_wait_seconds
        self._outage = Outage(pause_seconds=pause_seconds)

    def attempts(self) -> Iterator[float]:
        """Give the seconds to wait before each attempt; no attempt while storage is down. Then call `succeeded`."""
        started = time.monotonic()
        is_trial = self._outage.lasts
        if not self._outage.may_try():
            return
        yield 0.0
        wait = self._first_wait_seconds
        while not is_trial and time.monotonic() + wait - started < self._budget_seconds:
            yield wait
            wait *= 2
        self._outage.failed()

    def succeeded(self) -> None:
        self._outage.succeeded()


class Collector:
    """Takes parsed reports from any number of threads."""

    def __init__(
        self,
        *,
        storage: CrashStorage,
        spool: Spool,
        publisher: Publisher,
        throttler: Throttler,
        recent: RecentReports,
        metrics: Metrics,
        retries: SaveRetries,
        bearer_token: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._storage = storage
        self._spool = spool
        self._publisher = publisher
        self._throttler = throttler
        self._recent = recent
        self._metrics = metrics
        self._retries = retries
        self._bearer_token = bearer_token
        self._now = now
        self._one_large_report = threading.Lock()

    def collect(self, report: CrashReport, sender: Sender) -> Accepted | Rejected:
        """Decide on a report; when this says Accepted, the report survives a power cut (unless a rule faked it).

        Raises: UnauthorizedCrashId, MalformedPayload ``invalid_uuid``; Overloaded when it can be kept nowhere just now;
        StorageError when it can be kept nowhere at all.
        """
        rules = self._throttler.rules
        received_at = self._now()
        with self._turn(report):
            digest = report.digest()
        chosen_id = self._chosen_id(report.annotations, sender)
        rules.prepare(report.annotations)
        decision = rules.decide(report.annotations, digest, received_at.date())
        crash_id = self._crash_id(chosen_id, decision, received_at)
        self._metrics.count("throttle_rule", decision.rule)
        self._metrics.count("throttle", decision.result.name.lower())
        if decision.result is Result.REJECT:
            log.info("%s: rejected rule=%s", crash_id, decision.rule)
            return Rejected(decision.rule)
        if decision.result is Result.FAKEACCEPT:
            log.info("%s: fakeaccepted rule=%s", crash_id, decision.rule)
            return Accepted(crash_id)
        if chosen_id is not None:
            self._keep(crash_id, report, sender, rules, decision, received_at)
            return Accepted(crash_id)
        recent_key = self._recent.key(digest, sender.client)
        first_id = self._recent.claim(recent_key, crash_id)
        if first_id is not None:
            self._metrics.count("duplicates")
            log.info("%s: the same report again", first_id)
            return Accepted(first_id)
        try:
            self._keep(crash_id, report, sender, rules, decision, received_at)
        except BaseException:
            self._recent.forget(recent_key)
            raise
        self._recent.remember(recent_key, crash_id)
        return Accepted(crash_id)

    def _turn(self, report: CrashReport) -> AbstractContextManager[object]:
        """Let large reports pass one after the other, because they take their size several times meanwhile."""
        return self._one_large_report if report.is_large else _NO_WAITING

    def _chosen_id(self, annotations: dict[str, Any], sender: Sender) -> Any:
        """Give the crash id that the report brings along, unchecked; None when it brings none."""
        if "uuid" not in annotations:
            return None
        sent = sender.authorization.encode("utf-8", "surrogateescape")
        wanted = f"Bearer {self._bearer_token}".encode()
        if not self._bearer_token or not hmac.compare_digest(sent, wanted):
            raise UnauthorizedCrashId
        return annotations["uuid"] if annotations["uuid"] is not None else ""

    def _crash_id(self, chosen_id: Any, decision: Decision, received_at: datetime) -> str:
        if chosen_id is None:
            return crashid.create(received_at.date(), throttle=decision.result.value)
        if not isinstance(chosen_id, str) or not crashid.is_valid(chosen_id):
            raise MalformedPayload("invalid_uuid")
        if (crashid.day_of(chosen_id) - received_at.date()).days > _DAYS_AHEAD:
            raise MalformedPayload("invalid_uuid")
        log.info("%s: has existing crash_id", chosen_id)
        return chosen_id

    def _keep(
        self,
        crash_id: str,
        report: CrashReport,
        sender: Sender,
        rules: RuleSet,
        decision: Decision,
        received_at: datetime,
    ) -> None:
        """Save and publish a report that is to be kept. Raises: Overloaded, StorageError."""
        started = time.monotonic()
        product = as_text(report.annotations.get("ProductName", ""))
        for name in rules.removed_names(report.annotations):
            del report.annotations[name]
            report.notes.append(f"Removed {name} from raw crash.")
        where = "spooled"
        if self._save(crash_id, report, make_raw_crash(crash_id, report, sender, decision, received_at)):
            where = f"saved {self._publish(crash_id, product, received_at)}"
        seconds = time.monotonic() - started
        self._metrics.observe("handling", seconds)
        log.info(
            "%s: %s rule=%s bytes=%d dumps=%d ms=%.1f",
            crash_id,
            where,
            decision.rule,
            report.body_bytes,
            len(report.dumps),
            seconds * 1000,
        )

    def _save(self, crash_id: str, report: CrashReport, raw_crash: dict[str, Any]) -> bool:
        """Save to storage, else to the spool. Give whether it was storage. Raises: Overloaded, StorageError."""
        dumps = {name: dump.content for name, dump in report.dumps.items()}
        for wait in self._retries.attempts():
            if wait:
                self._metrics.count("retries", "save_crash_exception.count")
                time.sleep(wait)
            try:
                with self._turn(report):
                    self._timed("save", self._storage.save_raw_crash, crash_id, raw_crash, dumps)
            except StorageError as exc:
                log.warning("%s: storage did not take it: %s", crash_id, type(exc.__cause__ or exc).__name__)
            else:
                self._retries.succeeded()
                return True
        try:
            with self._turn(report):
                self._spool.save(crash_id, raw_crash, dumps)
        except (StorageError, Overloaded):
            self._metrics.count("not_saved")
            log.error("%s: neither storage nor spool took it; the client is told", crash_id)
            raise
        self._metrics.count("spooled")
        return False

    def _publish(self, crash_id: str, product: str, received_at: datetime) -> str:
        """Queue a saved crash, else leave a note for the mover. Give what was done: published, noted or unnoted."""
        try:
            self._timed(
                "publish", self._publisher.publish, crash_id, product=product, received_at=received_at
            )
        except QueueError as exc:
            self._metrics.count("not_published")
            log.warning("%s: saved, not yet published: %s", crash_id, type(exc.__cause__ or exc).__name__)
        else:
            self._metrics.count("saved")
            return "published"
        try:
            self._spool.note_unpublished(crash_id, product=product, received_at=received_at)
        except StorageError:
            log.warning("%s: no note for the mover either; verifyprocessed will find it", crash_id)
            return "unnoted"
        return "noted"

    def _timed(self, name: str, act: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        started = time.monotonic()
        try:
            act(*args, **kwargs)
        finally:
            self._metrics.observe(name, time.monotonic() - started)


def make_raw_crash(
    crash_id: str, report: CrashReport, sender: Sender, decision: Decision, received_at: datetime
) -> dict[str, Any]:
    """Give what is stored: the annotations, and the collector's own keys over any of the same name."""
    return report.annotations | {
        "submitted_timestamp": received_at.isoformat(),
        "uuid": crash_id,
        "version": RAW_CRASH_VERSION,
        "metadata": {
            "payload": "json" if report.has_json else "multipart",
            "payload_compressed": "1" if sender.compressed else "0",
            "payload_size": sender.wire_bytes,
            "collector_notes": report.notes,
            "dump_checksums": {name: dump.sha256 for name, dump in report.dumps.items()},
            "user_agent": sender.user_agent or "None",
            "throttle_rule": decision.rule,
        },
    }
