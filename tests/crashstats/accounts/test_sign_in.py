import re

import pytest
from django.test import Client

from crashstats.accounts.models import AccessRecord, User
from crashstats.accounts.records import record_access
from tests.crashstats.reports.test_report_page import enter

pytestmark = pytest.mark.django_db

CRASH_ID = "0b1ec0de-7a11-4f00-8a5e-1c3f50260801"


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", password="correct horse")


@pytest.fixture
def root_client(client):
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_logging_in_leads_back_to_the_page_and_logging_out_home(client, ada):
    credentials = {"username": "ada", "password": "correct horse", "next": "/signatures/"}
    assert client.post("/login/", credentials).headers["Location"] == "/signatures/"
    assert ">ada</summary>" in client.get("/login/").text
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/").headers["Location"] == "/"
    assert ">ada</summary>" not in client.get("/login/").text


def test_forms_carry_the_token_that_a_browser_needs_to_send_them(ada):
    browser = Client(enforce_csrf_checks=True)
    credentials = {"username": "ada", "password": "correct horse"}
    assert fill_in(browser, "/login/", credentials).headers["Location"] == "/"
    new = {"new_password1": "battery staple 9", "new_password2": "battery staple 9"}
    changed = fill_in(browser, "/password/", {"old_password": "correct horse", **new})
    assert changed.headers["Location"] == "/password/done/"
    assert fill_in(browser, "/", {}, action="/logout/").headers["Location"] == "/"


def fill_in(browser: Client, page: str, values: dict[str, str], action: str = ""):
    """Send a page's form as a browser does: with what the page itself holds, no more."""
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get(page).text)
    return browser.post(action or page, values | ({"csrfmiddlewaretoken": token[1]} if token else {}))


def test_a_wrong_password_is_refused_with_a_sentence(client, ada):
    response = client.post("/login/", {"username": "ada", "password": "wrong"})
    assert 'role="alert"' in response.text


def test_logging_in_never_leads_to_another_site(client, ada):
    credentials = {"username": "ada", "password": "correct horse", "next": "https://evil.example/"}
    assert client.post("/login/", credentials).headers["Location"] == "/"


def test_who_is_logged_in_already_lacks_a_right(client, ada):
    assert "<h1>Log in</h1>" in client.get("/login/").text
    client.force_login(ada)
    assert "Insufficient privileges" in client.get("/login/").text


def test_a_deactivated_account_cannot_log_in(client, ada):
    ada.is_active = False
    ada.save()
    assert client.post("/login/", {"username": "ada", "password": "correct horse"}).status_code == 200


def test_an_account_can_change_its_password(client, ada):
    assert client.get("/password/").headers["Location"].startswith("/login/")
    client.force_login(ada)
    assert client.get("/password/").status_code == 200
    done = client.post(
        "/password/",
        {
            "old_password": "correct horse",
            "new_password1": "battery staple 9",
            "new_password2": "battery staple 9",
        },
        follow=True,
    )
    assert "Password changed" in done.text


def test_a_post_without_its_token_is_refused_in_the_sites_look(ada):
    response = Client(enforce_csrf_checks=True).post("/login/", {"username": "ada"})
    assert response.status_code == 403
    assert "load its page again" in response.text


@pytest.mark.parametrize(
    "path",
    [
        "",
        "accounts/user/",
        "accounts/user/add/",
        "auth/group/",
        "accounts/accessrecord/",
        "accounts/grantrecord/",
        "crashstats/ledgerentry/",
    ],
)
def test_the_administration_has_its_pages(root_client, path):
    record_access(User.objects.get(), CRASH_ID, AccessRecord.Door.REPORT)
    enter(CRASH_ID, "processed")
    assert root_client.get(f"/siteadmin/{path}").status_code == 200


def test_the_ledger_is_searched_by_crash_id_and_cannot_be_changed(root_client):
    enter(CRASH_ID, "failed", last_error="Timeout")
    found = root_client.get("/siteadmin/crashstats/ledgerentry/", {"q": f"bp-{CRASH_ID}"})
    assert "Timeout" in found.text
    assert "Timeout" not in root_client.get("/siteadmin/crashstats/ledgerentry/", {"q": "other"}).text
    page = root_client.get(f"/siteadmin/crashstats/ledgerentry/{CRASH_ID}/change/")
    assert page.status_code == 200
    assert 'name="_save"' not in page.text
    assert root_client.post(f"/siteadmin/crashstats/ledgerentry/{CRASH_ID}/delete/").status_code == 403


def test_records_cannot_be_changed_even_by_a_superuser(root_client):
    record_access(User.objects.get(), CRASH_ID, AccessRecord.Door.REPORT)
    record = AccessRecord.objects.get()
    assert root_client.post(f"/siteadmin/accounts/accessrecord/{record.pk}/delete/").status_code == 403
    assert root_client.get("/siteadmin/accounts/accessrecord/add/").status_code == 403


def test_plain_accounts_do_not_get_into_the_administration(client, ada):
    client.force_login(ada)
    assert client.get("/siteadmin/").status_code == 302
