import json

import pytest
from django.core.exceptions import SuspiciousOperation
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from crashstats import errors

pytestmark = pytest.mark.django_db


def test_a_missing_page_is_told_in_the_sites_look(client):
    response = client.get("/no/such/page<b>")
    assert response.status_code == 404
    assert "There is nothing at this address" in response.text
    assert "<b>" not in response.text


def test_those_who_asked_for_json_get_json(client):
    response = client.get("/nope.json?a=1")
    assert response.status_code == 404
    assert json.loads(response.content) == {
        "error": "Page not found",
        "path": "/nope.json",
        "query_string": "a=1",
    }


def test_the_page_of_a_broken_site_needs_no_database():
    request = RequestFactory().get("/")
    with CaptureQueriesContext(connection) as queries:
        response = errors.server_error(request)
    assert response.status_code == 500
    assert "Something broke here" in response.text
    assert len(queries) == 0
    assert json.loads(errors.server_error(RequestFactory().get("/api/X/")).content)["path"] == "/api/X/"


def test_a_view_that_breaks_shows_that_page(settings, tmp_path):
    settings.VERSION_FILE = 5  # no path at all: reading it raises
    response = Client(raise_request_exception=False).get("/__version__")
    assert response.status_code == 500
    assert "Something broke here" in response.text


def test_bad_requests_and_refusals_do_not_repeat_what_they_were_sent(rf):
    from django.contrib.auth.models import AnonymousUser

    request = rf.get("/")
    request.user = AnonymousUser()
    for answer, status in ((errors.bad_request, 400), (errors.permission_denied, 403)):
        response = answer(request, SuspiciousOperation("<b>secret</b>"))
        assert response.status_code == status
        assert "secret" not in response.text


@pytest.mark.parametrize("path", ["/", "/nope", "/login/", "/signatures/", "/status/", "/report/index/x"])
def test_every_page_forbids_foreign_and_inline_code(client, storage, search, path):
    response = client.get(path)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Frame-Options"] == "DENY"
    page = response.text
    assert " style=" not in page
    assert " onclick=" not in page
    assert "<style" not in page
    assert "//" not in page.replace("<!doctype html>", "").split("<body>")[0].replace("http-equiv", "")
