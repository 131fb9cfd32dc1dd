"""The forms that ask for a password, and do not let it be guessed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from crashstats.accounts import attempts


class GuardedForm:
    """Part of a form that checks a password, unless too many wrong ones came before: `refused` tells then."""

    refused: attempts.TooManyAttempts | None = None

    @contextmanager
    def guarding(self, request: HttpRequest, name: str) -> Iterator[None]:
        """Count what is checked within as an attempt to sign in with that name; it succeeds when nothing is raised."""
        try:
            attempt = attempts.begin(request, name)
        except attempts.TooManyAttempts as exc:
            self.refused = exc
            raise ValidationError(str(exc), code="too_many_attempts") from exc
        yield
        attempts.succeeded(attempt)


class SignInForm(GuardedForm, AuthenticationForm):
    """Asks for name and password."""

    def clean(self) -> dict[str, Any]:
        name = self.cleaned_data.get("username")
        if self.request is None or not name or not self.cleaned_data.get("password"):
            return super().clean()
        with self.guarding(self.request, name):
            return super().clean()


class PasswordForm(GuardedForm, PasswordChangeForm):
    """Asks for the old password and a new one; who holds a stolen session may not find out the old one."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request = request

    def clean_old_password(self) -> str:
        with self.guarding(self._request, self.user.get_username()):
            return str(super().clean_old_password())
