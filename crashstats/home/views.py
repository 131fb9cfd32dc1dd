"""The home pages, and the jump from the search box to a report or to signatures."""

from __future__ import annotations

import re

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from crashstats.home.queries import load_home, load_product, product_exists
from crashstats.links import with_query
from crashstats.lists import parse_range
from processing import crashid
from processing.search import get_search


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show all products, the most frequent signatures and the newest crashes."""
    overview = load_home(get_search(), parse_range(request.GET.get("days")))
    return render(request, "home/home.html", {"overview": overview, "is_home": True})


@require_safe
def product_home(request: HttpRequest, product: str) -> HttpResponse:
    """Show one product; 404 when no crash of it was ever seen."""
    search = get_search()
    overview = load_product(search, parse_range(request.GET.get("days")), product)
    if overview.crashes == 0 and not product_exists(search, product):
        raise Http404(f"No crash of a product called “{product}” has been seen here.")
    return render(request, "home/product.html", {"overview": overview, "product": product})


@require_safe
def quick_search(request: HttpRequest) -> HttpResponse:
    """Jump to the report of a crash id, which may stand in a pasted address; look for signatures otherwise."""
    query = request.GET.get("query", "").strip()
    found = re.search(r"(?:^|/|bp-)([0-9a-f-]{36})(?:$|[/?#])", query)
    if found and crashid.is_valid(found[1]):
        return redirect("report", found[1])
    return redirect(with_query("signatures", query=query))
