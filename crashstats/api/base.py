"""What all endpoints share: JSON, errors, headers for scripts on other sites, who is asking."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crashstats.accounts.models import AccessRecord, User
from crashstats.accounts.records import record_access
from crashstats.api.errors import response_for
from crashstats.api.rendering import AlwaysJson, CompactJson
from crashstats.permissions import allowed_permissions

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "DELETE, GET, OPTIONS, PATCH, POST, PUT",
    "Access-Control-Allow-Headers": (
        "accept, auth-token, authorization, content-type, user-agent, x-csrftoken, x-requested-with"
    ),
    "Access-Control-Max-Age": "86400",
}


class SessionViewer(BaseAuthentication):
    """Who is signed in to the site. Endpoints that change nothing need no CSRF token."""

    def authenticate(self, request: Request) -> tuple[AbstractUser, None] | None:
        user = request._request.user
        return (user, None) if isinstance(user, AbstractUser) and user.is_active else None


class ApiView(APIView):
    """One endpoint. ``cache_seconds``: how long a client may keep an answer; 0 forbids keeping it."""

    authentication_classes = [SessionViewer]
    permission_classes: list[Any] = []
    renderer_classes = [CompactJson]
    content_negotiation_class = AlwaysJson
    cache_seconds = 0

    @property
    def allowed(self) -> frozenset[str]:
        """What the caller may see and do."""
        user = self.request.user
        return allowed_permissions(user if isinstance(user, AbstractUser) else AnonymousUser())

    def record_access(self, door: AccessRecord.Door, crash_id: str = "") -> None:
        """Write down that the caller is shown protected data."""
        if isinstance(self.request.user, User):
            record_access(self.request.user, crash_id, door)

    def handle_exception(self, exc: Exception) -> Response:
        response = response_for(exc, self.request)
        response.exception = True
        return response

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        headers = _PREFLIGHT if "Access-Control-Request-Method" in request.headers else {}
        return Response({"allow": self.allowed_methods}, headers=headers)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        final = super().finalize_response(request, response, *args, **kwargs)
        final["Access-Control-Allow-Origin"] = "*"
        if self.cache_seconds and final.status_code == 200:
            final["Cache-Control"] = f"private, max-age={self.cache_seconds}"
        else:
            final["Cache-Control"] = "private, no-store"
        return final
