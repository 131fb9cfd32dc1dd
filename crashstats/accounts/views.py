"""Signing in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import views as auth


class Login(auth.LoginView):
    """Ask for name and password; to somebody who is signed in already, say that a right is missing."""

    template_name = "accounts/login.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        lacks_right = self.request.user.is_authenticated and self.request.user.is_active
        return super().get_context_data(**kwargs) | {"lacks_right": lacks_right}
