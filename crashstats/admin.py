"""The ledger in the administration."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from crashstats.models import LedgerEntry
from crashstats.readonlyadmin import ReadOnlyAdmin
from processing import crashid

admin.site.site_header = admin.site.site_title = "Crash Stats administration"
admin.site.index_title = "Accounts, records and the ledger"


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """Every accepted crash and how far it has come; search by whole crash id."""

    list_display = ("crash_id", "product", "state", "attempts", "last_error", "received_at", "processed_at")
    list_filter = ("state",)
    ordering = ("-day", "-received_at")
    search_fields = ("=crash_id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LedgerEntry], search_term: str
    ) -> tuple[QuerySet[LedgerEntry], bool]:
        """Find one crash id by reading only the partition of its day; anything else would read millions of rows."""
        if not search_term.strip():
            return queryset, False
        try:
            wanted = crashid.parse(search_term)
        except crashid.InvalidCrashId:
            return queryset.none(), False
        return queryset.filter(day=crashid.day_of(wanted), crash_id=wanted), False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> LedgerEntry | None:
        """Give the entry of a crash id, None for anything else."""
        try:
            wanted = crashid.parse(object_id)
        except crashid.InvalidCrashId:
            return None
        return self.get_queryset(request).filter(day=crashid.day_of(wanted), crash_id=wanted).first()
