"""The page of one crash report, in every state a crash can be in."""

from __future__ import annotations

import logging

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from crashstats.accounts.models import AccessRecord, User
from crashstats.accounts.records import record_access
from crashstats.permissions import allowed_permissions
from crashstats.reports.queries import Unprocessed, load_report, load_unprocessed
from processing import crashid, queue
from processing.errors import CrashNotFound, QueueError, StorageError
from processing.models import CrashState
from processing.storage import get_storage

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def report(request: HttpRequest, crash_id: str) -> HttpResponse:
    """Show a crash report; 202 while it waits, 400 for a text that is no crash id, 404 for an unknown crash."""
    try:
        valid = crashid.parse(crash_id)
    except crashid.InvalidCrashId as exc:
        return render(request, "reports/invalid.html", {"reason": exc}, status=400)
    if valid != crash_id:
        return redirect("report", valid)
    allowed = allowed_permissions(request.user)
    try:
        found = load_report(get_storage(), valid, allowed)
    except CrashNotFound:
        return _show_unprocessed(request, valid)
    except StorageError:
        return _say_unavailable(request, valid, "Crash storage")
    if found.shows_protected and isinstance(request.user, User):
        record_access(request.user, valid, AccessRecord.Door.REPORT)
    return render(request, "reports/report.html", {"report": found})


def _show_unprocessed(request: HttpRequest, crash_id: str) -> HttpResponse:
    try:
        crash = load_unprocessed(get_storage(), crash_id)
    except CrashNotFound:
        return render(request, "reports/unknown.html", {"crash_id": crash_id}, status=404)
    except StorageError:
        return _say_unavailable(request, crash_id, "Crash storage")
    except DatabaseError:
        return _say_unavailable(request, crash_id, "The ledger")
    if crash.is_waiting:
        _hurry(crash)
        return render(request, "reports/waiting.html", {"crash": crash}, status=202)
    return render(
        request, "reports/unprocessed.html", {"crash": crash}, status=200 if crash.has_failed else 404
    )


def _say_unavailable(request: HttpRequest, crash_id: str, part: str) -> HttpResponse:
    """Answer inside an ``except``; ``part`` is what does not answer."""
    logger.exception("%s: %s does not answer", crash_id, part)
    return render(request, "reports/unavailable.html", {"crash_id": crash_id, "part": part}, status=503)


def _hurry(crash: Unprocessed) -> None:
    """Somebody waits for this crash: let it overtake. Asking for one that a worker holds would do it twice."""
    if crash.queue not in (queue.STANDARD, queue.REPROCESSING) or crash.state != CrashState.QUEUED:
        return
    try:
        queue.publish(crash.crash_id, queue=queue.PRIORITY)
    except QueueError:
        logger.exception("%s: could not be moved to the priority queue", crash.crash_id)
