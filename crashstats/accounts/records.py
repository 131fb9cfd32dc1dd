"""Write down who looked at protected data, and who gave whom which right."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from django.contrib.auth.models import AbstractUser, Group, Permission
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from crashstats.accounts.models import AccessRecord, GrantRecord, User

#: The request in whose course rights change; none in commands and start-up.
_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)

#: Flags of an account that are rights in themselves.
FLAGS = ("is_active", "is_staff", "is_superuser")

_ACTIONS = {"post_add": GrantRecord.Action.GIVEN, "post_remove": GrantRecord.Action.TAKEN}


def record_access(user: AbstractUser, crash_id: str, door: AccessRecord.Door) -> None:
    """Remember that ``user`` was shown protected data of a crash; call it before the data goes out.

    ``crash_id`` is "" when many crashes were shown at once (a search).
    """
    AccessRecord.objects.create(user_id=user.pk, username=user.get_username(), crash_id=crash_id, door=door)


class ActorMiddleware:
    """Let the receivers below know on whose behalf rights change."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = _request.set(request)
        try:
            return self._get_response(request)
        finally:
            _request.reset(token)


def _actor() -> str:
    request = _request.get()
    return request.user.get_username() if request is not None else ""


def _record(recipients: Iterable[str], action: GrantRecord.Action, rights: Iterable[str]) -> None:
    granted_by = _actor()
    pairs = [(recipient, right) for recipient in recipients for right in rights]
    GrantRecord.objects.bulk_create(
        GrantRecord(granted_by=granted_by, recipient=recipient, action=action, right=right)
        for recipient, right in pairs
    )


def membership_changed(
    instance: Model, action: str, reverse: bool, model: type[Model], pk_set: set[int] | None, **_: Any
) -> None:
    """Receive ``m2m_changed`` of a user's groups, a user's permissions and a group's permissions.

    Either end may be the one that was edited: ``user.groups.add(group)`` or ``group.user_set.add(user)``.
    """
    if action == "pre_clear":  # afterwards nobody knows any more what there was
        pk_set = set(_related(instance, model).values_list("pk", flat=True))
        action = "post_remove"
    if action not in _ACTIONS or not pk_set:
        return
    others = [_name(other) for other in model._default_manager.filter(pk__in=pk_set)]
    recipients, rights = (others, [_name(instance)]) if reverse else ([_name(instance)], others)
    _record(recipients, _ACTIONS[action], rights)


def _related(instance: Model, model: type[Model]) -> Any:
    """The manager from ``instance`` to the other end of the relation that holds objects of ``model``."""
    names = {
        (User, Group): "groups",
        (User, Permission): "user_permissions",
        (Group, Permission): "permissions",
        (Group, User): "user_set",
        (Permission, User): "user_set",
        (Permission, Group): "group_set",
    }
    return getattr(instance, names[type(instance), model])


def _name(thing: Model) -> str:
    """A user's or group's name, a permission's codename with its app label."""
    match thing:
        case Permission():
            return f"permission {thing.content_type.app_label}.{thing.codename}"
        case Group():
            return f"group {thing.name}"
        case _:
            return str(thing)  # an account: its user name


def group_deleted(instance: Group, **_: Any) -> None:
    """Receive ``pre_delete`` of a group: its members lose it."""
    members = [user.get_username() for user in User.objects.filter(groups=instance)]
    _record(members, GrantRecord.Action.TAKEN, [_name(instance)])


def remember_flags(instance: User, **_: Any) -> None:
    """Receive ``pre_save`` of an account: keep what its flags were before."""
    before = User.objects.filter(pk=instance.pk).values(*FLAGS).first() if instance.pk else None
    instance._flags_before = before or {}  # type: ignore[attr-defined]


def flags_changed(instance: User, **_: Any) -> None:
    """Receive ``post_save`` of an account: record the flags that changed. A new plain account records nothing."""
    before = instance._flags_before or {"is_active": True, "is_staff": False, "is_superuser": False}  # type: ignore[attr-defined]
    for flag in FLAGS:
        now = getattr(instance, flag)
        if now != before[flag]:
            action = GrantRecord.Action.GIVEN if now else GrantRecord.Action.TAKEN
            _record([instance.get_username()], action, [flag])
