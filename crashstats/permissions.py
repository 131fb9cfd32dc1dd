"""What a viewer may do: the one place where an account becomes a set of permissions."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AbstractUser, AnonymousUser

from processing.schema.field import Permission as FieldPermission

#: The app label under which the permissions below are kept, as in ``crashstats.view_pii``.
APP_LABEL = "crashstats"


@dataclass(frozen=True)
class CustomPermission:
    """One right that an account or group can hold; ``label`` is what people read in the admin pages."""

    codename: str
    label: str


VIEW_PII = CustomPermission("view_pii", "View Personal Identifiable Information")
VIEW_RAWDUMP = CustomPermission("view_rawdump", "View Raw Dumps")
RUN_CUSTOM_QUERIES = CustomPermission("run_custom_queries", "Run Custom Queries in Super Search")
RUN_LONG_QUERIES = CustomPermission("run_long_queries", "Run Long Queries")
REPROCESS_CRASHES = CustomPermission("reprocess_crashes", "Reprocess Crashes")

PERMISSIONS = (VIEW_PII, VIEW_RAWDUMP, RUN_CUSTOM_QUERIES, RUN_LONG_QUERIES, REPROCESS_CRASHES)

_HACKERS = (REPROCESS_CRASHES, RUN_LONG_QUERIES, VIEW_PII, VIEW_RAWDUMP)
GROUPS: dict[str, tuple[CustomPermission, ...]] = {
    "Hackers": _HACKERS,
    "Hackers Plus": (*_HACKERS, RUN_CUSTOM_QUERIES),
}


def allowed_permissions(user: AbstractUser | AnonymousUser) -> frozenset[str]:
    """Give everything ``user`` may see and do: values of the schema's ``Permission`` and codenames of `PERMISSIONS`.

    ``public`` is always among them, ``protected`` for holders of ``view_pii``. A superuser holds all; an account that
    was deactivated counts as anonymous, even while its session lasts.
    """
    held = {
        permission.codename
        for permission in PERMISSIONS
        if user.is_active and user.has_perm(f"{APP_LABEL}.{permission.codename}")
    }
    visible = {FieldPermission.PUBLIC.value}
    if VIEW_PII.codename in held:
        visible.add(FieldPermission.PROTECTED.value)
    return frozenset(held | visible)
