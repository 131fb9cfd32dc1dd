"""Bounds on guessing passwords, such that nobody can be locked out for good by the guesses of others.

Guesses count by account and by the place they come from: an address, or a browser that the account has signed in from
before, which a signed cookie tells. A guess stops counting after `WINDOW`; one that was refused never counts. So who
floods an account with guesses locks out new places only; known browsers have a count of their own, and an operator can
make any browser known (``manage.py letin``).
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlencode

from django.conf import settings
from django.core import signing
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from crashstats.accounts.models import SignInAttempt

logger = logging.getLogger(__name__)

#: How long a failed attempt counts.
WINDOW = timedelta(minutes=15)
#: Failed attempts that count at most: for one account from one place; from one place; for one account, all new places.
PER_ACCOUNT_AND_PLACE = 5
PER_PLACE = 20
PER_ACCOUNT = 50

COOKIE = "known_browser"
COOKIE_AGE = timedelta(days=365)
LET_IN_PARAMETER = "letin"
#: How long the link is good that `let_in_link` gives.
LET_IN_AGE = timedelta(minutes=15)

_COOKIE_SALT = "crashstats.accounts.known_browser"
_LET_IN_SALT = "crashstats.accounts.let_in"


class TooManyAttempts(Exception):
    """No password is checked now. The text may be shown to anyone; ``seconds`` is how long to wait."""

    def __init__(self, wait: timedelta) -> None:
        minutes = -(-wait // timedelta(minutes=1))
        super().__init__(
            f"Too many failed attempts to log in. Try again in {minutes} minute{'s' if minutes > 1 else ''}, or from a "
            f"browser that this account has logged in from before. Whoever runs this site can let you in at once, "
            f"with: manage.py letin NAME"
        )
        self.seconds = int(wait.total_seconds()) + 1


@dataclass(frozen=True)
class Place:
    """Where an attempt comes from; ``is_known`` when it is a browser that the account has signed in from before."""

    key: str
    is_known: bool


def begin(request: HttpRequest, name: str) -> SignInAttempt:
    """Count an attempt to sign in, before its password is checked; tell it by `succeeded` when it was right.

    It is written down first and counted then, so that many at once cannot pass together.
    Raises: TooManyAttempts.
    """
    SignInAttempt.objects.filter(attempted_at__lte=timezone.now() - WINDOW).delete()
    place = place_of(request, name)
    attempt = SignInAttempt.objects.create(account=_account(name), place=place.key, is_known=place.is_known)
    waits = [_wait(failed, limit) for failed, limit in _bounds(attempt)]
    longest = max(waits)
    if longest > timedelta(0):
        attempt.delete()
        logger.warning(
            "an attempt to log in from %s was refused: too many have failed", client_address(request)
        )
        raise TooManyAttempts(longest)
    return attempt


def succeeded(attempt: SignInAttempt) -> None:
    """Forget the failed attempts for this account from this place: they were its owner's."""
    SignInAttempt.objects.filter(account=attempt.account, place=attempt.place).delete()


def place_of(request: HttpRequest, name: str) -> Place:
    """Tell where a request comes from, for attempts to sign in with that name."""
    try:
        cookie = signing.loads(request.COOKIES.get(COOKIE, ""), salt=_COOKIE_SALT, max_age=COOKIE_AGE)
        if cookie["account"] == _account(name):
            return Place(_hashed("browser", cookie["browser"]), is_known=True)
    except (signing.BadSignature, KeyError, TypeError):
        logger.debug("no browser of this account")
    return Place(_hashed("address", _network(client_address(request))), is_known=False)


def make_browser_known(response: HttpResponse, name: str) -> None:
    """Let the browser that gets this response be known as one of that account."""
    value = signing.dumps({"account": _account(name), "browser": secrets.token_hex(8)}, salt=_COOKIE_SALT)
    response.set_cookie(
        COOKIE,
        value,
        max_age=COOKIE_AGE,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def let_in_link(name: str) -> str:
    """Give the path of a page that makes the browser which opens it known to an account; good for `LET_IN_AGE`.

    It signs nobody in: the password is asked for as always.
    """
    return f"{reverse('login')}?{urlencode({LET_IN_PARAMETER: signing.dumps(name, salt=_LET_IN_SALT)})}"


def name_let_in(token: str) -> str | None:
    """Give the name that a link of `let_in_link` was made for; None when it is not one, or too old."""
    try:
        return str(signing.loads(token, salt=_LET_IN_SALT, max_age=LET_IN_AGE))
    except signing.BadSignature:
        return None


def client_address(request: HttpRequest) -> str:
    """Give the address of the client, past as many proxies as ``PROXIES`` says stand in front of us.

    Each proxy adds the address it was called from to the end of ``X-Forwarded-For``; what stands further to the left
    than our own proxies wrote is the client's invention. Some proxies add the port, too.
    """
    direct = str(request.META.get("REMOTE_ADDR", ""))
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    proxies: int = settings.PROXIES
    if not 0 < proxies <= len(forwarded):
        return direct
    try:
        return str(ip_address(_without_port(forwarded[-proxies])))
    except ValueError:
        return direct


def _without_port(host: str) -> str:
    """Give the address of ``192.0.2.1:443``, ``[2001:db8::1]:443`` or ``[2001:db8::1]``; anything else as it is."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host


def _bounds(attempt: SignInAttempt) -> list[tuple[QuerySet[SignInAttempt], int]]:
    """Give the attempts that count against this one, with how many may be."""
    others = SignInAttempt.objects.exclude(pk=attempt.pk)
    of_account, of_place = others.filter(account=attempt.account), others.filter(place=attempt.place)
    bounds = [(of_account & of_place, PER_ACCOUNT_AND_PLACE), (of_place, PER_PLACE)]
    return bounds if attempt.is_known else [*bounds, (of_account.filter(is_known=False), PER_ACCOUNT)]


def _wait(failed: QuerySet[SignInAttempt], limit: int) -> timedelta:
    """Give how long it takes until fewer than ``limit`` of them count; zero when that is so now."""
    now = timezone.now()
    newest = failed.filter(attempted_at__gt=now - WINDOW).order_by("-attempted_at")
    times = list(newest.values_list("attempted_at", flat=True)[:limit])
    return times[-1] + WINDOW - now if len(times) == limit else timedelta(0)


def _account(name: str) -> str:
    """Whoever types a password where the name belongs shall not find it in the database."""
    return _hashed("account", name)


def _network(address: str) -> str:
    """Give what one client can hardly have many of: an IPv4 address, or the first half of an IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or parsed.packed[:8].hex())
    return str(parsed)


def _hashed(kind: str, text: str) -> str:
    return salted_hmac(f"crashstats.accounts.attempts.{kind}", text, algorithm="sha256").hexdigest()
