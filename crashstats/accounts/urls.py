"""Addresses of signing in and out."""

from __future__ import annotations

from django.contrib.auth import views as auth
from django.urls import path

from crashstats.accounts.views import Login, PasswordChange

urlpatterns = [
    path("login/", Login.as_view(), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("password/", PasswordChange.as_view(), name="password_change"),
    path(
        "password/done/",
        auth.PasswordChangeDoneView.as_view(template_name="accounts/password_done.html"),
        name="password_change_done",
    ),
]
