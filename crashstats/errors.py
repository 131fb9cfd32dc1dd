"""Pages for what went wrong; JSON for those who asked for JSON."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string

_SENTENCES = {
    400: ("Bad request", "The address or the form holds something this site cannot read."),
    403: ("Not allowed", "You may not do this. If a form brought you here, load its page again and retry."),
    404: ("Page not found", "There is nothing at this address."),
}


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Use the sentence of a Http404 that a view raised; never that of a failed look-up, which holds internals."""
    sentence = exception.args[0] if exception.args and isinstance(exception.args[0], str) else ""
    return _answer(request, 404, sentence)


def server_error(request: HttpRequest) -> HttpResponse:
    """Needs neither database nor session nor context: any of them may be what broke."""
    if _wants_json(request):
        return JsonResponse({"error": "Internal Server Error", "path": request.path}, status=500)
    return HttpResponse(render_to_string("errors/500.html"), status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _answer(request, 403)


def _answer(request: HttpRequest, status: int, sentence: str = "") -> HttpResponse:
    title, usual = _SENTENCES[status]
    if _wants_json(request):
        query = request.META.get("QUERY_STRING", "")
        return JsonResponse({"error": title, "path": request.path, "query_string": query}, status=status)
    return render(
        request, "errors/error.html", {"title": title, "sentence": sentence or usual}, status=status
    )


def _wants_json(request: HttpRequest) -> bool:
    return request.path.startswith("/api/") or request.path.endswith(".json")
