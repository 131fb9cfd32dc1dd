"""Signing in, and changing one's password."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import views as auth
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy

from crashstats.accounts import attempts
from crashstats.accounts.forms import GuardedForm, PasswordForm, SignInForm


class Login(auth.LoginView):
    """Ask for name and password; to somebody who is signed in already, say that a right is missing."""

    template_name = "accounts/login.html"
    authentication_form = SignInForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form; a link from ``manage.py letin`` makes the browser known before."""
        name = attempts.name_let_in(request.GET.get(attempts.LET_IN_PARAMETER, ""))
        if name is None:
            return super().get(request, *args, **kwargs)
        response = redirect("login")
        attempts.make_browser_known(response, name)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        lacks_right = self.request.user.is_authenticated and self.request.user.is_active
        return super().get_context_data(**kwargs) | {"lacks_right": lacks_right}

    def form_valid(self, form: SignInForm) -> HttpResponse:  # type: ignore[override]  # the form is ours
        response = super().form_valid(form)
        attempts.make_browser_known(response, form.get_user().get_username())
        return response

    def form_invalid(self, form: SignInForm) -> HttpResponse:  # type: ignore[override]
        return _told_to_wait(super().form_invalid(form), form)


class PasswordChange(auth.PasswordChangeView):
    """Let somebody who is signed in change their password."""

    template_name = "accounts/password.html"
    form_class = PasswordForm
    success_url = reverse_lazy("password_change_done")

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def form_invalid(self, form: PasswordForm) -> HttpResponse:  # type: ignore[override]
        return _told_to_wait(super().form_invalid(form), form)


def _told_to_wait(response: HttpResponse, form: GuardedForm) -> HttpResponse:
    """Say by status and header, too, that no password is checked now, if that is so."""
    if form.refused is not None:
        response.status_code = 429
        response["Retry-After"] = str(form.refused.seconds)
    return response
