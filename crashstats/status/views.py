"""Answers about the system itself."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from crashstats.status.heartbeat import CHECKS, Heartbeat
from crashstats.status.queries import Status, load_status, read_version_file
from crashstats.status.shared import Shared


@cache
def _heartbeat() -> Heartbeat:
    """One per process."""
    return Heartbeat(CHECKS)


@cache
def _status() -> Shared[Status]:
    """One per process."""
    return Shared(load_status)


@never_cache
@require_safe
def version(request: HttpRequest) -> HttpResponse:
    """Give the deployment's version file as JSON, ``{}`` without one."""
    return JsonResponse(read_version_file(settings.VERSION_FILE))


@never_cache
@require_safe
def heartbeat(request: HttpRequest) -> HttpResponse:
    """Check database, storage, queue and search; 503 with the names of those that fail."""
    parts = _heartbeat().beat()
    failing = sorted(name for name, works in parts.items() if not works)
    if failing:
        return JsonResponse({"ok": False, "failing": failing}, status=503)
    return JsonResponse({"ok": True})


@never_cache
@require_safe
def load_balancer_heartbeat(request: HttpRequest) -> HttpResponse:
    """Answer that this process takes requests; touches nothing else."""
    return JsonResponse({"ok": True})


@never_cache
@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """Show the ledger's equation, the queues, and whether every part answers."""
    context = {"status": _status().get(), "parts": _heartbeat().beat()}
    return render(request, "status/status.html", context)


@never_cache
@require_safe
def status_json(request: HttpRequest) -> HttpResponse:
    """Give the same as numbers and texts; 503 while the database does not answer."""
    found = _status().get()
    return JsonResponse(asdict(found), status=200 if found.database_works else 503)


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """Keep search engines out: crash data is no reading for everybody, and its pages are endless."""
    return HttpResponse("User-agent: *\nDisallow: /\n", content_type="text/plain")


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Lead browsers that ask by custom to the drawing that pages name themselves."""
    return redirect(static("crashstats/favicon.svg"))
