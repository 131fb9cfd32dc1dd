"""Passwords cannot be guessed for long, and guessing locks nobody out for good."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client, RequestFactory
from django.utils import timezone

from crashstats.accounts import attempts
from crashstats.accounts.checks import proxies_are_known
from crashstats.accounts.models import SignInAttempt, User

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def quick(settings) -> None:
    """Checking a password shall take no time here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", password=PASSWORD)


def sign_in(
    browser: Client,
    password: str = PASSWORD,
    name: str = "ada",
    address: str = "198.51.100.7",
    **headers: str,
):
    return browser.post(
        "/login/", {"username": name, "password": password}, REMOTE_ADDR=address, headers=headers
    )


def fail(times: int, **more: str) -> None:
    for _ in range(times):
        assert sign_in(Client(), "wrong", **more).status_code == 200


def test_after_some_failures_from_one_place_even_the_right_password_waits(ada):
    fail(attempts.PER_ACCOUNT_AND_PLACE)
    refused = sign_in(Client())
    assert refused.status_code == 429
    assert "Try again in 15 minutes" in refused.text
    assert "manage.py letin" in refused.text
    assert 890 < int(refused.headers["Retry-After"]) <= 901
    assert sign_in(Client(), address="198.51.100.8").status_code == 302


def test_failures_stop_counting_after_a_while_and_refused_attempts_never_count(ada):
    fail(attempts.PER_ACCOUNT_AND_PLACE)
    for _ in range(3):
        assert sign_in(Client(), "wrong").status_code == 429
    assert SignInAttempt.objects.count() == attempts.PER_ACCOUNT_AND_PLACE
    SignInAttempt.objects.update(attempted_at=timezone.now() - attempts.WINDOW)
    assert sign_in(Client()).status_code == 302
    assert not SignInAttempt.objects.exists()


def test_the_wait_ends_when_the_oldest_failure_stops_counting(ada):
    fail(attempts.PER_ACCOUNT_AND_PLACE)
    oldest = SignInAttempt.objects.earliest("attempted_at")
    SignInAttempt.objects.filter(pk=oldest.pk).update(attempted_at=timezone.now() - timedelta(minutes=12))
    assert "Try again in 3 minutes" in sign_in(Client()).text


def test_signing_in_forgets_the_failures_before(ada):
    for _ in range(3):
        fail(attempts.PER_ACCOUNT_AND_PLACE - 1)
        assert sign_in(Client()).status_code == 302


def test_one_place_cannot_try_many_accounts(ada):
    for number in range(attempts.PER_PLACE):
        fail(1, name=f"nobody{number}")
    assert sign_in(Client()).status_code == 429


def test_addresses_of_one_ipv6_network_are_one_place(ada):
    for number in range(attempts.PER_ACCOUNT_AND_PLACE):
        fail(1, address=f"2001:db8:1:2::{number:x}")
    assert sign_in(Client(), address="2001:db8:1:2:3::4").status_code == 429
    assert sign_in(Client(), address="2001:db8:1:3::4").status_code == 302


def test_many_places_cannot_guess_at_one_account_nor_lock_its_owners_browser_out(ada):
    known = Client()
    assert sign_in(known).status_code == 302
    known.post("/logout/")
    for number in range(attempts.PER_ACCOUNT):
        fail(1, address=f"203.0.113.{number}")
    assert sign_in(Client(), address="192.0.2.1").status_code == 429
    assert sign_in(known, address="203.0.113.1").status_code == 302


def test_a_known_browser_cannot_guess_for_ever_either(ada):
    known = Client()
    sign_in(known)
    for _ in range(attempts.PER_ACCOUNT_AND_PLACE):
        assert sign_in(known, "wrong").status_code == 200
    assert sign_in(known).status_code == 429
    assert sign_in(Client()).status_code == 302


def test_a_browser_is_known_to_the_account_that_signed_in_only(ada):
    User.objects.create_user("eve", password=PASSWORD)
    evil = Client()
    sign_in(evil, name="eve")
    for number in range(attempts.PER_ACCOUNT):
        fail(1, address=f"203.0.113.{number}")
    assert sign_in(evil).status_code == 429


@pytest.mark.parametrize("value", ["", "nonsense", "a:b:c"])
def test_a_cookie_that_we_did_not_sign_makes_nothing_known(ada, value):
    browser = Client()
    browser.cookies[attempts.COOKIE] = value
    fail(attempts.PER_ACCOUNT_AND_PLACE)
    assert sign_in(browser).status_code == 429


def test_an_operator_can_let_a_browser_in_while_the_account_is_under_attack(ada):
    for number in range(attempts.PER_ACCOUNT):
        fail(1, address=f"203.0.113.{number}")
    output = StringIO()
    call_command("letin", "ada", stdout=output)
    link = output.getvalue().split()[-1]
    browser = Client()
    assert browser.get(link).headers["Location"] == "/login/"
    assert sign_in(browser, "wrong").status_code == 200
    assert sign_in(browser).status_code == 302
    with pytest.raises(CommandError, match="no active account named 'nobody'"):
        call_command("letin", "nobody")


def test_a_link_that_lets_in_grows_old(ada, monkeypatch):
    link = attempts.let_in_link("ada")
    monkeypatch.setattr(attempts, "LET_IN_AGE", timedelta(seconds=-1))
    assert Client().get(link).status_code == 200


def test_the_administration_has_no_other_door(ada):
    assert (
        Client().get("/siteadmin/login/?next=/siteadmin/").headers["Location"] == "/login/?next=/siteadmin/"
    )
    assert Client().post("/siteadmin/login/", {"username": "ada", "password": PASSWORD}).status_code == 302
    assert not SignInAttempt.objects.exists()


def test_a_stolen_session_cannot_be_used_to_guess_the_password(ada):
    thief = Client(REMOTE_ADDR="203.0.113.5")
    thief.force_login(ada)

    def change(old_password: str):
        new = {"new_password1": "battery staple 7", "new_password2": "battery staple 7"}
        return thief.post("/password/", {"old_password": old_password, **new})

    for _ in range(attempts.PER_ACCOUNT_AND_PLACE):
        assert change("wrong").status_code == 200
    refused = change(PASSWORD)
    assert refused.status_code == 429
    assert "Try again in 15 minutes" in refused.text
    assert 890 < int(refused.headers["Retry-After"]) <= 901
    SignInAttempt.objects.update(attempted_at=timezone.now() - attempts.WINDOW)
    assert change(PASSWORD).headers["Location"] == "/password/done/"


def test_django_has_no_page_of_its_own_where_the_password_could_be_guessed(ada):
    User.objects.filter(pk=ada.pk).update(is_staff=True)
    thief = Client()
    thief.force_login(User.objects.get())
    guess = thief.post("/siteadmin/password_change/", {"old_password": "wrong"})
    assert (guess.status_code, guess.headers["Location"]) == (302, "/password/")


def test_guesses_of_strangers_do_not_keep_the_owner_from_changing_the_password(ada):
    owner = Client()
    cookie = sign_in(owner).cookies[attempts.COOKIE]
    assert cookie["path"] == "/"  # the test's browser does not look at it
    for number in range(attempts.PER_ACCOUNT):
        fail(1, address=f"192.0.2.{number}")
    new = {"new_password1": "battery staple 7", "new_password2": "battery staple 7"}
    changed = owner.post("/password/", {"old_password": PASSWORD, **new})
    assert changed.headers["Location"] == "/password/done/"


def test_neither_name_nor_address_is_kept(ada):
    fail(1)
    attempt = SignInAttempt.objects.get()
    for kept, hidden in ((attempt.account, b"ada"), (attempt.place, b"198.51.100.7")):
        assert re.fullmatch("[0-9a-f]{64}", kept)
        assert kept != hashlib.sha256(hidden).hexdigest()  # which anybody could make, too


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "192.0.2.9", "198.51.100.7"),
        (1, "192.0.2.9", "192.0.2.9"),
        (1, "10.1.1.1, 192.0.2.9", "192.0.2.9"),
        (2, "10.1.1.1, 192.0.2.9, 172.16.0.1", "192.0.2.9"),
        (2, "192.0.2.9", "198.51.100.7"),
        (1, "", "198.51.100.7"),
        (1, "unknown", "198.51.100.7"),
        (1, "192.0.2.9:51234", "192.0.2.9"),
        (1, "2001:db8::9", "2001:db8::9"),
        (1, "[2001:db8::9]", "2001:db8::9"),
        (1, "[2001:db8::9]:51234", "2001:db8::9"),
    ],
)
def test_the_address_is_the_one_that_our_own_proxies_saw(settings, proxies, forwarded, address):
    settings.PROXIES = proxies
    request = RequestFactory().get(
        "/", REMOTE_ADDR="198.51.100.7", headers={"x-forwarded-for": forwarded} if forwarded else {}
    )
    assert attempts.client_address(request) == address


def test_a_proxy_that_nobody_spoke_of_is_warned_about(settings):
    settings.BEHIND_TLS, settings.PROXIES = True, 0
    (warning,) = proxies_are_known()
    assert "PROXIES=0" in warning.msg
    settings.PROXIES = 1
    assert proxies_are_known() == []
