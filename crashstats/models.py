"""The ledger as the administration shows it: its pages know no key of two columns."""

from __future__ import annotations

from django.db import models

from processing.models import CrashState


class LedgerEntry(models.Model):
    """One accepted crash: a read-only view of the row that `processing.models.Crash` describes."""

    crash_id = models.CharField(max_length=36, primary_key=True)
    day = models.DateField()
    product = models.TextField()
    received_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=CrashState.choices)
    attempts = models.PositiveSmallIntegerField()
    last_error = models.TextField()
    processed_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "processing_crash"
        verbose_name_plural = "ledger entries"

    def __str__(self) -> str:
        return f"{self.crash_id} {self.state}"
