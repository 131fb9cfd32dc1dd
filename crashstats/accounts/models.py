"""The account of a person who uses Crash Stats."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """Our own class from the start, because a project cannot change its user model later."""
