"""The list of signatures, and the page of one signature."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from crashstats.signaturereport.queries import load_signature_report, load_signatures, parse_choices
from processing.search import get_search


@require_safe
def signatures(request: HttpRequest) -> HttpResponse:
    """Show the signatures that match the choices in the query string, the most frequent first."""
    found = load_signatures(get_search(), parse_choices(request.GET))
    return render(request, "signaturereport/signatures.html", {"found": found, "choices": found.choices})


@require_safe
def signature(request: HttpRequest) -> HttpResponse:
    """Show the reports of one signature; 400 unless exactly one is given."""
    given = request.GET.getlist("signature")
    if problem := _problem(given):
        return render(request, "signaturereport/invalid.html", {"problem": problem}, status=400)
    report = load_signature_report(get_search(), given[0], parse_choices(request.GET))
    return render(request, "signaturereport/signature.html", {"report": report, "choices": report.choices})


def _problem(given: list[str]) -> str:
    """What is wrong with the signature parameter, "" when nothing is."""
    if len(given) > 1:
        return "Only one signature can be shown at a time; the address names several."
    if not given or not given[0].strip():
        return "Which signature? The address needs ?signature= followed by one."
    return "A signature cannot hold NUL characters." if "\0" in given[0] else ""
