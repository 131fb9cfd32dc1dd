"""The ledger of accepted crashes, the work queue, and the search outbox."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class CrashState(models.TextChoices):
    """How far a crash has come."""

    SAVED = "saved"
    QUEUED = "queued"
    PROCESSING = "processing"
    PROCESSED = "processed"
    FAILED = "failed"
    DELETED = "deleted"


class Crash(models.Model):
    """The ledger: one row per accepted crash, partitioned by ``day`` (see `processing.partitions`).

    ``day`` is the UTC day that the crash id carries; give it in every look-up, so that one partition is read.
    A crash that is processed again stays ``processed`` meanwhile: what readers see is there.
    """

    pk = models.CompositePrimaryKey("day", "crash_id")
    day = models.DateField()
    crash_id = models.CharField(max_length=36)
    product = models.TextField()
    received_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=CrashState.choices)
    attempts = models.PositiveIntegerField(default=0)  # how often a worker has started on it, ever
    last_error = models.TextField(default="")  # a class or code, never an exception's text
    processed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "processing_crash"

    def __str__(self) -> str:
        return f"{self.crash_id} {self.state}"


class ProcessedCount(models.Model):
    """How the number of processed crashes of a day changed; the sum of the rows is that number.

    A trigger on the ledger adds rows, so that nobody has to count millions of crashes and no two workers wait for
    one counter; `processing.ledger.fold_counts` replaces many rows by their sum.
    """

    day = models.DateField()
    crashes = models.IntegerField()  # +1, -1, or a sum of such

    def __str__(self) -> str:
        return f"{self.day}: {self.crashes:+}"


class QueuedCrash(models.Model):
    """A message of the work queue: process this crash with this ruleset. At most one per crash.

    Nobody gets it before ``due_at``: a worker that takes it sets ``lease`` and moves ``due_at`` ahead again and
    again while it works, so the message of a killed worker soon comes due by itself.
    """

    queue = models.CharField(max_length=16)
    crash_id = models.CharField(max_length=36, unique=True)
    ruleset = models.CharField(max_length=64, default="default")
    queued_at = models.DateTimeField()  # when processing was last asked for
    due_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)  # how often a worker has started on it
    deferrals = models.PositiveSmallIntegerField(default=0)  # how often it was put off; storage was down
    lease = models.UUIDField(null=True)  # the worker that holds it; one value per attempt

    class Meta:
        indexes = [models.Index(fields=["queue", "id"], name="processing_queue_order")]

    def __str__(self) -> str:
        return f"{self.queue}: {self.crash_id}"


class SearchOutbox(models.Model):
    """A processed crash that the search engine has yet to take (or to forget).

    One that cannot be handed over now while others can is put off: it comes due again at ``due_at``.
    """

    crash_id = models.CharField(max_length=36)
    forget = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(db_default=Now())
    last_error = models.TextField(db_default="")  # why it was put off: a class, never an exception's text

    class Meta:
        indexes = [models.Index(fields=["due_at", "id"], name="processing_outbox_order")]
        verbose_name_plural = "search outbox"

    def __str__(self) -> str:
        return self.crash_id
