"""The ledger of accepted crashes, the work queue, and the search outbox."""

from __future__ import annotations

from django.db import models


class CrashState(models.TextChoices):
    """How far a crash has come."""

    SAVED = "saved"
    QUEUED = "queued"
    PROCESSING = "processing"
    PROCESSED = "processed"
    FAILED = "failed"
    DELETED = "deleted"


class Crash(models.Model):
    """The ledger: one row per accepted crash. Partitioned by ``day`` (see the first migration).

    ``day`` is the UTC day that the crash id carries; give it in every look-up, so that one partition is read.
    """

    pk = models.CompositePrimaryKey("day", "crash_id")
    day = models.DateField()
    crash_id = models.CharField(max_length=36)
    product = models.TextField()
    received_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=CrashState.choices)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.TextField(default="")  # a class or code, never an exception's text
    processed_at = models.DateTimeField(null=True)

    class Meta:
        managed = False  # Django knows no partitioned tables; the migration's SQL makes it
        db_table = "processing_crash"

    def __str__(self) -> str:
        return f"{self.crash_id} {self.state}"


class QueuedCrash(models.Model):
    """One message of the work queue: process this crash with this ruleset."""

    queue = models.CharField(max_length=16)
    crash_id = models.CharField(max_length=36)
    ruleset = models.CharField(max_length=64, default="default")
    queued_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    leased_until = models.DateTimeField(
        null=True
    )  # being worked on until then; afterwards it is given out again
    lease = models.UUIDField(null=True)  # who holds it

    def __str__(self) -> str:
        return f"{self.queue}: {self.crash_id}"


class SearchOutbox(models.Model):
    """A processed crash that the search engine has yet to take (or, with ``delete``, to forget)."""

    crash_id = models.CharField(max_length=36)
    delete = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "search outbox"

    def __str__(self) -> str:
        return self.crash_id
