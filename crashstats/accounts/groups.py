"""Our permissions and groups in the database: made after every migration, never taken away."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import DEFAULT_DB_ALIAS

from crashstats.permissions import APP_LABEL, GROUPS, PERMISSIONS


def create_permissions_and_groups(using: str = DEFAULT_DB_ALIAS, **_signal: Any) -> None:
    """Make what is missing, and put right labels that changed; may run any number of times.

    A permission that an administrator took from a group stays away: only a group that is new gets its permissions.
    """
    content_type, _ = ContentType.objects.using(using).get_or_create(app_label=APP_LABEL, model="")
    permissions = {}
    for wanted in PERMISSIONS:
        permissions[wanted.codename], _ = Permission.objects.using(using).update_or_create(
            content_type=content_type, codename=wanted.codename, defaults={"name": wanted.label}
        )
    for name, held in GROUPS.items():
        group, is_new = Group.objects.using(using).get_or_create(name=name)
        if is_new:
            group.permissions.set(permissions[permission.codename] for permission in held)
