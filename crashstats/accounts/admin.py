"""Accounts and their records in the administration."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from crashstats.accounts.models import AccessRecord, GrantRecord, User
from crashstats.readonlyadmin import ReadOnlyAdmin

admin.site.register(User, UserAdmin)


@admin.register(AccessRecord)
class AccessRecordAdmin(ReadOnlyAdmin):
    """Who saw protected data of which crash, and when."""

    list_display = ("viewed_at", "username", "crash_id", "door")
    list_filter = ("door", "viewed_at")
    search_fields = ("username", "=crash_id")


@admin.register(GrantRecord)
class GrantRecordAdmin(ReadOnlyAdmin):
    """Who gave whom which right, or took it away, and when."""

    list_display = ("granted_at", "granted_by", "action", "right", "recipient")
    list_filter = ("action", "granted_at")
    search_fields = ("granted_by", "recipient", "right")
