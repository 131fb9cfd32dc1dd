"""Addresses with query strings, ready to put into a page."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from django.urls import NoReverseMatch, reverse


def with_query(view_name: str, **parameters: str | int) -> str:
    """Give the address of a page with a query string; empty parameters are left out, blanks become ``%20``."""
    given = {name: value for name, value in parameters.items() if value != ""}
    # crash data may hold half a surrogate pair, which no address can carry
    query = urlencode(given, quote_via=quote, errors="replace")
    return f"{reverse(view_name)}?{query}" if query else reverse(view_name)


def product_home(product: str) -> str:
    """Give the address of a product's home, or "" for a name that fits into no address."""
    if not product.strip("./ "):
        return ""
    try:
        return reverse("product_home", args=[product])
    except NoReverseMatch:
        return ""
