"""The form that asks for name and password."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from crashstats.accounts import attempts


class SignInForm(AuthenticationForm):
    """Checks a password, unless too many wrong ones came before: `refused` tells then."""

    refused: attempts.TooManyAttempts | None = None

    def clean(self) -> dict[str, Any]:
        name = self.cleaned_data.get("username")
        if self.request is None or not name or not self.cleaned_data.get("password"):
            return super().clean()
        try:
            attempt = attempts.begin(self.request, name)
        except attempts.TooManyAttempts as exc:
            self.refused = exc
            raise ValidationError(str(exc), code="too_many_attempts") from exc
        cleaned = super().clean()
        attempts.succeeded(attempt)
        return cleaned
