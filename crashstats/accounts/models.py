"""People: their accounts and attempts to sign in, who was given which right, and who looked at protected data."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """Our own class from the start, because a project cannot change its user model later."""


class AccessRecord(models.Model):
    """One view of a crash's protected data: who, which crash, when, through which door.

    ``username`` is kept as text besides the link, so that the record outlives the account.
    """

    class Door(models.TextChoices):
        """Where the data went out."""

        REPORT = "report", "report page"
        PROCESSED_CRASH = "processed_crash", "processed crash API"
        RAW_CRASH = "raw_crash", "raw crash API"
        DUMP = "dump", "minidump download"
        SEARCH = "search", "search"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="access_records"
    )
    username = models.CharField(max_length=150)
    crash_id = models.CharField(max_length=36, blank=True)
    door = models.CharField(max_length=16, choices=Door.choices)
    viewed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-viewed_at", "-id")
        indexes = (
            models.Index(fields=("crash_id", "-viewed_at"), name="access_by_crash"),
            models.Index(fields=("username", "-viewed_at"), name="access_by_user"),
            models.Index(fields=("-viewed_at",), name="access_by_time"),
        )

    def __str__(self) -> str:
        return f"{self.username} saw {self.crash_id or 'search results'} ({self.get_door_display()})"


class GrantRecord(models.Model):
    """One right given or taken away: who did it, to whom, what, when.

    ``granted_by`` is "" when it was done outside the web pages, by a command for example. ``recipient`` is a user name,
    or a group's name when the rights of a whole group changed.
    """

    class Action(models.TextChoices):
        GIVEN = "given", "given"
        TAKEN = "taken", "taken away"

    granted_by = models.CharField(max_length=150, blank=True)
    recipient = models.CharField(max_length=150)
    action = models.CharField(max_length=8, choices=Action.choices)
    right = models.CharField(max_length=255, help_text="A group, a permission, or an account flag.")
    granted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-granted_at", "-id")

    def __str__(self) -> str:
        return f"{self.right} {self.get_action_display()}: {self.recipient}"


class SignInAttempt(models.Model):
    """A password that was tried and not found right so far; see `crashstats.accounts.attempts`. Kept for minutes only.

    ``account`` and ``place`` are keyed hashes; ``is_known`` when the place is a browser of that account.
    """

    account = models.CharField(max_length=64)
    place = models.CharField(max_length=64)
    is_known = models.BooleanField()
    attempted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = (
            models.Index(fields=("account", "attempted_at"), name="sign_in_by_account"),
            models.Index(fields=("place", "attempted_at"), name="sign_in_by_place"),
            models.Index(fields=("attempted_at",), name="sign_in_by_time"),
        )

    def __str__(self) -> str:
        return f"an attempt at {self.attempted_at}"
