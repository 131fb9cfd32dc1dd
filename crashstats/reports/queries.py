"""Gather what the page of one crash shows, already redacted for its viewer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crashstats.display import mapping, moment, plural, sequence, text
from crashstats.links import product_home, with_query
from crashstats.permissions import VIEW_RAWDUMP
from crashstats.reports.annotations import Annotations, read_annotations
from crashstats.reports.details import Group, Row, read_details, read_summary
from crashstats.reports.java import JavaException, read_java_exceptions
from crashstats.reports.modules import Modules, read_modules
from crashstats.reports.stacks import Stacks, read_stacks
from processing import ledger
from processing.errors import CrashNotFound
from processing.models import Crash, CrashState, QueuedCrash
from processing.schema.field import Permission
from processing.schema.redact import redact_processed, redact_raw
from processing.storage import CrashStorage

#: Up to here the messages ahead of a waiting crash are counted; beyond, the number tells nobody more.
MAX_COUNTED_AHEAD = 10_000

#: Dumps of one crash that are offered.
MAX_DUMPS = 30

#: Breadcrumbs shown, the latest ones.
MAX_BREADCRUMBS = 10


@dataclass(frozen=True)
class Breadcrumb:
    """Something that happened before the crash. Protected data."""

    at: str
    level: str
    kind: str
    message: str


@dataclass(frozen=True)
class Report:
    """A processed crash as its viewer may see it: every value is text, ready to show."""

    crash_id: str
    signature: str
    product: str
    version: str
    channel: str
    platform: str
    received_at: str
    shows_protected: bool
    summary: tuple[Row, ...]
    details: tuple[Group, ...]
    stacks: Stacks
    stackwalker_verdict: str
    java_exceptions: tuple[JavaException, ...]
    java_stack_trace: str
    breadcrumbs: tuple[Breadcrumb, ...]
    modules: Modules
    annotations: Annotations
    notes: tuple[str, ...]
    dump_names: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"[@ {self.signature}] - {self.product} {self.version}".strip()

    @property
    def has_java(self) -> bool:
        return bool(self.java_exceptions or self.java_stack_trace)

    @property
    def signature_link(self) -> str:
        return with_query("signature", signature=self.signature, product=self.product)

    @property
    def product_link(self) -> str:
        return product_home(self.product)

    @property
    def processed_crash_link(self) -> str:
        return with_query("api-processed-crash", crash_id=self.crash_id)

    @property
    def raw_crash_link(self) -> str:
        return with_query("api-raw-crash", crash_id=self.crash_id)

    @property
    def dump_links(self) -> tuple[tuple[str, str], ...]:
        """Name and address of every dump that the viewer may load."""
        return tuple(
            (name, with_query("api-raw-crash", crash_id=self.crash_id, format="raw", name=name))
            for name in self.dump_names
        )

    @property
    def no_stack(self) -> str:
        """Say why there is no crashing thread."""
        if self.stacks.others:
            return "Nobody knows which thread crashed; all of them are below."
        if self.stackwalker_verdict and self.stackwalker_verdict != "OK":
            return f"No stack: the stackwalker answered {self.stackwalker_verdict}."
        return "No stack: this report came without a minidump that could be walked."


@dataclass(frozen=True)
class Unprocessed:
    """A crash that cannot be shown yet, or no more: where it stands. ``queue`` is "" while no message waits for it."""

    crash_id: str
    state: str
    product: str
    received_at: str
    attempts: int
    last_error: str
    queue: str
    ahead: int

    @property
    def has_failed(self) -> bool:
        return self.state == CrashState.FAILED

    @property
    def is_waiting(self) -> bool:
        return self.state in (CrashState.SAVED, CrashState.QUEUED, CrashState.PROCESSING)

    @property
    def queue_sentence(self) -> str:
        if self.state == CrashState.PROCESSING:
            return "Taken from the queue"
        if not self.queue:
            return "Waiting to be queued"
        ahead = "at least " * (self.ahead >= MAX_COUNTED_AHEAD) + plural(self.ahead, "crash")
        return f"Waiting in the {self.queue} queue, {ahead} ahead" if self.ahead else "Next in the queue"

    @property
    def ending(self) -> str:
        if self.has_failed:
            return "This crash could not be processed"
        return (
            "This crash was deleted" if self.state == CrashState.DELETED else "The processed crash is missing"
        )

    @property
    def way_out(self) -> str:
        if self.has_failed:
            return "The report is kept as it came, and an operator can have it processed again:"
        if self.state == CrashState.DELETED:
            return "Reports are kept for a limited time only."
        return "It was processed once, and an operator can have it processed again:"


def load_report(storage: CrashStorage, crash_id: str, allowed: Collection[str]) -> Report:
    """Give the report of a processed crash.

    Args: ``allowed`` is what `crashstats.permissions.allowed_permissions` gives for the viewer.
    Raises: CrashNotFound when the crash is unknown or not processed; StorageError.
    """
    processed_crash = redact_processed(storage.get_processed_crash(crash_id), allowed)
    try:
        raw_crash = redact_raw(storage.get_raw_crash(crash_id), allowed)
        dump_names = storage.get_dump_names(crash_id) if VIEW_RAWDUMP.codename in allowed else []
    except CrashNotFound:
        raw_crash, dump_names = {}, []  # the processed crash may live longer
    return read_report(crash_id, processed_crash, raw_crash, allowed, dump_names)


def read_report(
    crash_id: str,
    processed_crash: Mapping[str, Any],
    raw_crash: Mapping[str, Any],
    allowed: Collection[str],
    dump_names: Sequence[str] = (),
) -> Report:
    """Make the report of documents that are already redacted for the same ``allowed`` permissions."""
    json_dump = mapping(processed_crash.get("json_dump"))
    platform = text(processed_crash.get("os_pretty_version")) or text(processed_crash.get("os_name"))
    return Report(
        crash_id=crash_id,
        signature=text(processed_crash.get("signature"), limit=1_000) or "(no signature)",
        product=text(processed_crash.get("product"), limit=100),
        version=text(processed_crash.get("version"), limit=100),
        channel=text(processed_crash.get("release_channel"), limit=100),
        platform=platform,
        received_at=moment(processed_crash.get("submitted_timestamp")),
        shows_protected=Permission.PROTECTED in allowed,
        summary=read_summary(processed_crash),
        details=read_details(processed_crash),
        stacks=read_stacks(json_dump, processed_crash.get("crashing_thread")),
        stackwalker_verdict=text(processed_crash.get("mdsw_status_string")),
        java_exceptions=read_java_exceptions(processed_crash.get("java_exception")),
        java_stack_trace=_java_stack_trace(processed_crash),
        breadcrumbs=_read_breadcrumbs(processed_crash.get("breadcrumbs")),
        modules=read_modules(json_dump),
        annotations=read_annotations(raw_crash),
        notes=tuple(text(processed_crash.get("processor_notes")).splitlines()),
        dump_names=tuple(dump_names[:MAX_DUMPS]),
    )


def _java_stack_trace(processed_crash: Mapping[str, Any]) -> str:
    """The raw trace is among the fields of those only who may see it."""
    raw = text(processed_crash.get("java_stack_trace_raw"), limit=20_000)
    return raw or text(processed_crash.get("java_stack_trace"), limit=20_000)


def _read_breadcrumbs(breadcrumbs: Any) -> tuple[Breadcrumb, ...]:
    latest = sequence(breadcrumbs)[-MAX_BREADCRUMBS:]
    return tuple(
        Breadcrumb(
            at=moment(crumb.get("timestamp")),
            level=text(crumb.get("level"), limit=100),
            kind=" ".join(filter(None, (text(crumb.get(key), limit=100) for key in ("type", "category")))),
            message=" ".join(filter(None, (text(crumb.get(key), limit=500) for key in ("message", "data")))),
        )
        for crumb in map(mapping, latest)
    )


def load_unprocessed(storage: CrashStorage, crash_id: str) -> Unprocessed:
    """Tell where a crash stands for which there is no processed crash.

    A crash that was saved while the database was down is in storage before the ledger knows it.
    Raises: CrashNotFound when neither ledger nor storage knows it; StorageError.
    """
    try:
        found = ledger.find(crash_id)
    except CrashNotFound:
        return _read_saved(crash_id, storage.get_raw_crash(crash_id))
    entry, message = found.entry, found.message
    return Unprocessed(
        crash_id=crash_id,
        state=_state(entry, message),
        product=text(entry.product, limit=100),
        received_at=moment(entry.received_at),
        attempts=entry.attempts,
        last_error=text(entry.last_error, limit=200),
        queue=message.queue if message else "",
        ahead=_count_ahead(message) if message else 0,
    )


def _read_saved(crash_id: str, raw_crash: Mapping[str, Any]) -> Unprocessed:
    return Unprocessed(
        crash_id=crash_id,
        state=CrashState.SAVED,
        product=text(raw_crash.get("ProductName"), limit=100),
        received_at=moment(raw_crash.get("submitted_timestamp")),
        attempts=0,
        last_error="",
        queue="",
        ahead=0,
    )


def _state(entry: Crash, message: QueuedCrash | None) -> str:
    """A crash whose processed form is gone waits again as soon as a message asks for it."""
    if entry.state == CrashState.PROCESSED and message is not None:
        return CrashState.QUEUED
    return entry.state


def _count_ahead(message: QueuedCrash) -> int:
    ahead = QueuedCrash.objects.filter(queue=message.queue, id__lt=message.pk, lease=None)
    return ahead[:MAX_COUNTED_AHEAD].count()
