import json
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crashstats.status import views
from processing import queue
from processing.models import SearchOutbox
from tests.crashstats.crashes import new_crash_id
from tests.crashstats.reports.test_report_page import enter


@pytest.fixture(autouse=True)
def no_cached_answer():
    views._heartbeat.cache_clear()
    views._status.cache_clear()


@pytest.mark.django_db
def test_the_status_page_shows_the_equation_and_the_queues(client, storage, search):
    waiting, failed = new_crash_id(), new_crash_id()
    enter(waiting, "saved")
    queue.publish(waiting, queue=queue.STANDARD)
    enter(failed, "failed")
    shown = json.loads(client.get("/status.json").content)
    assert shown["ledger"] == {
        "accepted": 2,
        "processed": 0,
        "failed": 1,
        "in_flight": 1,
        "unexplained": 0,
    }
    assert shown["queues"] == {"priority": 0, "standard": 1, "reprocessing": 0}
    assert shown["search"] == {"waiting": 0, "put_off": 0, "documents": 0}
    assert set(shown) == {"ledger", "queues", "search", "versions"}
    assert all(isinstance(version, str) for version in shown["versions"].values())
    assert "accepted" in client.get("/status/").text


@pytest.mark.django_db
def test_an_unexplained_crash_is_pointed_out(client, storage, search):
    enter(new_crash_id(), "queued")
    assert "that must not be" in client.get("/status/").text


@pytest.mark.django_db
def test_crashes_that_search_cannot_take_are_pointed_out(client, storage, search):
    SearchOutbox.objects.create(crash_id=new_crash_id())
    assert "the indexer tries again" not in client.get("/status/").text
    later = timezone.now() + timedelta(hours=1)
    SearchOutbox.objects.create(crash_id=new_crash_id(), due_at=later, last_error="StorageError")
    views._status.cache_clear()
    assert json.loads(client.get("/status.json").content)["search"] == {
        "waiting": 1,
        "put_off": 1,
        "documents": 0,
    }
    assert "1 more cannot be read from storage" in client.get("/status/").text


@pytest.mark.django_db
def test_an_index_that_is_being_made_anew_is_told_of(client, storage, search):
    def batches():
        yield []
        shown = json.loads(client.get("/status.json").content)["search"]
        assert (shown["documents"], shown["rebuilt"]) == (0, 0)
        assert "is being made anew and holds 0 crashes" in client.get("/status/").text

    search.rebuild(batches(), lambda _: None)
    views._status.cache_clear()
    assert "rebuilt" not in json.loads(client.get("/status.json").content)["search"]


@pytest.mark.django_db
def test_without_the_database_the_status_is_still_told(client, storage, search):
    def refuse(*_):
        raise OperationalError("the database is away")

    with connection.execute_wrapper(refuse):
        response = client.get("/status.json")
        page = client.get("/status/").text
    assert response.status_code == 503
    assert json.loads(response.content)["ledger"] == {}
    assert "The database does not answer, so nothing can be counted" in page


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_is_fine_when_every_part_answers(client, storage, search):
    response = client.get("/__heartbeat__")
    assert (response.status_code, json.loads(response.content)) == (200, {"ok": True})


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_names_the_parts_that_fail_and_nothing_else(client, storage, broken_search):
    response = client.get("/__heartbeat__")
    assert response.status_code == 503
    assert json.loads(response.content) == {"ok": False, "failing": ["search"]}
    assert "does not answer" in client.get("/status/").text


@pytest.mark.django_db
def test_the_load_balancers_heartbeat_touches_no_database(client):
    with CaptureQueriesContext(connection) as queries:
        response = client.get("/__lbheartbeat__")
    assert json.loads(response.content) == {"ok": True}
    assert len(queries) == 0


def test_the_version_is_that_of_the_deployments_file(client, settings, tmp_path):
    settings.VERSION_FILE = tmp_path / "version.json"
    assert json.loads(client.get("/__version__").content) == {}
    settings.VERSION_FILE.write_text('{"version": "1.2", "commit": "abc"}')
    assert json.loads(client.get("/__version__").content) == {"version": "1.2", "commit": "abc"}
    settings.VERSION_FILE.write_text("no json")
    assert json.loads(client.get("/__version__").content) == {}


def test_robots_are_kept_out_and_browsers_find_the_icon(client):
    assert client.get("/robots.txt").text == "User-agent: *\nDisallow: /\n"
    assert client.get("/favicon.ico").headers["Location"].endswith("favicon.svg")
