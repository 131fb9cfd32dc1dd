"""What can be seen at the start about signing in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register


@register
def proxies_are_known(**_: Any) -> list[CheckMessage]:
    """Warn when a proxy serves the site, and its address would be taken for that of every client."""
    if settings.BEHIND_TLS and not settings.PROXIES:
        return [
            Warning(
                "BEHIND_TLS=1 and PROXIES=0: the failed attempts of all people to log in count as one person's",
                hint="set PROXIES to the number of proxies that add an address to X-Forwarded-For, mostly 1",
                id="accounts.W001",
            )
        ]
    return []
