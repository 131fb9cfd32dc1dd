"""The API as scripts see it: addresses, methods, bodies, headers, who sees what."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from crashstats.accounts.models import AccessRecord, User
from processing.search import SearchBackend, get_search
from processing.storage import CrashStorage

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)
CRASH = f"0b1ec0de-7a11-4f00-8a5e-1c3f50{NOW:%y%m%d}"
UNKNOWN = f"0b1ec0de-7a11-4f00-8a5e-ffffff{NOW:%y%m%d}".replace("ffffff", "fffff0", 1)
SEARCH = "/api/SuperSearch/"


@pytest.fixture
def search(search: SearchBackend) -> SearchBackend:
    """An empty index."""
    search.index({})
    return search


def sign_in(client: Client, *codenames: str) -> User:
    user = User.objects.create_user(username="engineer", password="x")
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)
    return user


def save(storage: CrashStorage, **processed: Any) -> None:
    raw = {"ProductName": "WaterWolf", "URL": "https://private.example/", "Unheard": "of", "uuid": CRASH}
    dumps = {"upload_file_minidump": b"MDMP main", "memory_report": b"gz"}
    storage.save_raw_crash(CRASH, raw, dumps)
    storage.save_processed_crash(
        CRASH, {"product": "WaterWolf", "url": "https://private.example/", **processed}
    )


def index(search: SearchBackend, **values: Any) -> None:
    crash = {"uuid": CRASH, "date_processed": (NOW - timedelta(hours=1)).isoformat(), "product": "WaterWolf"}
    search.index({CRASH: crash | values})


# --- crashes -------------------------------------------------------------------------------------------------------


def test_anonymous_caller_sees_public_keys_only(client: Client, storage: CrashStorage) -> None:
    save(storage)
    assert client.get(f"/api/ProcessedCrash/?crash_id={CRASH}").json() == {"product": "WaterWolf"}
    assert client.get(f"/api/RawCrash/?crash_id={CRASH}&format=meta").json() == {
        "ProductName": "WaterWolf",
        "uuid": CRASH,
    }
    assert not AccessRecord.objects.exists()


def test_caller_with_view_pii_sees_everything_and_is_recorded(client: Client, storage: CrashStorage) -> None:
    save(storage)
    sign_in(client, "view_pii")
    assert client.get(f"/api/ProcessedCrash/?crash_id={CRASH}").json()["url"] == "https://private.example/"
    raw = client.get(f"/api/RawCrash/?crash_id={CRASH}").json()
    assert (raw["URL"], raw["Unheard"]) == ("https://private.example/", "of")
    records = AccessRecord.objects.values_list("username", "crash_id", "door").order_by("id")
    assert list(records) == [("engineer", CRASH, "processed_crash"), ("engineer", CRASH, "raw_crash")]


def test_signed_in_caller_without_permission_sees_what_anybody_sees(
    client: Client, storage: CrashStorage
) -> None:
    save(storage)
    sign_in(client)
    assert client.get(f"/api/ProcessedCrash/?crash_id={CRASH}").json() == {"product": "WaterWolf"}


def test_account_that_was_deactivated_sees_what_anybody_sees(client: Client, storage: CrashStorage) -> None:
    save(storage)
    user = sign_in(client, "view_pii")
    user.is_active = False
    user.save()
    assert client.get(f"/api/ProcessedCrash/?crash_id={CRASH}").json() == {"product": "WaterWolf"}


@pytest.mark.parametrize("endpoint", ["ProcessedCrash", "RawCrash"])
def test_crash_ids_are_checked(client: Client, storage: CrashStorage, endpoint: str) -> None:
    save(storage)
    missing = client.get(f"/api/{endpoint}/")
    assert (missing.status_code, missing.json()["errors"]) == (400, {"crash_id": ["This field is required."]})
    for bad in ("soon", CRASH + "/..", CRASH[:-2] + "99", "\0", "../../etc/passwd", CRASH.upper()):
        response = client.get(f"/api/{endpoint}/", {"crash_id": bad})
        assert response.status_code == 400
        assert "Bad value for parameter(s) 'crash_id'" in response.json()["error"]
    unknown = client.get(f"/api/{endpoint}/?crash_id={UNKNOWN}")
    assert (unknown.status_code, unknown.json()) == (404, {"error": f"Not found: CrashIDNotFound {UNKNOWN}"})
    assert client.get(f"/api/{endpoint}/?crash_id=bp-{CRASH}").status_code == 200


def test_other_formats_are_refused(client: Client, storage: CrashStorage) -> None:
    save(storage)
    response = client.get(f"/api/RawCrash/?crash_id={CRASH}&format=xml")
    assert response.status_code == 400
    assert "'format'" in response.json()["error"]


@pytest.mark.parametrize("codenames", [(), ("view_pii",)])
def test_dumps_need_their_own_permission(
    client: Client, storage: CrashStorage, codenames: tuple[str, ...]
) -> None:
    save(storage)
    sign_in(client, *codenames)
    for crash_id in (CRASH, UNKNOWN):
        response = client.get(f"/api/RawCrash/?crash_id={crash_id}&format=raw")
        assert response.status_code == 403
        assert response.json() == {"error": "Binary response requires permissions: View Raw Dumps"}


@pytest.mark.parametrize(
    ("name", "content", "file_name"),
    [
        ("", b"MDMP main", f"{CRASH}.dmp"),
        ("&name=dump", b"MDMP main", f"{CRASH}-upload_file_minidump.dmp"),
        ("&name=upload_file_minidump", b"MDMP main", f"{CRASH}-upload_file_minidump.dmp"),
        ("&name=memory_report", b"gz", "memory_report.json.gz"),
    ],
)
def test_dumps_come_as_files(
    client: Client, storage: CrashStorage, name: str, content: bytes, file_name: str
) -> None:
    save(storage)
    sign_in(client, "view_rawdump")
    response = client.get(f"/api/RawCrash/?crash_id={CRASH}&format=raw{name}")
    assert b"".join(response.streaming_content) == content
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == f'attachment; filename="{file_name}"'
    assert AccessRecord.objects.get().door == AccessRecord.Door.DUMP


@pytest.mark.parametrize("name", ["processed_crash", "../raw_crash", "upload_file_minidump_x", "%00"])
def test_only_the_crash_s_own_dumps_are_given(client: Client, storage: CrashStorage, name: str) -> None:
    save(storage)
    sign_in(client, "view_rawdump")
    assert client.get(f"/api/RawCrash/?crash_id={CRASH}&format=raw&name={name}").status_code == 404


# --- search --------------------------------------------------------------------------------------------------------


def test_search_gives_hits_total_and_facets(client: Client, search: SearchBackend) -> None:
    index(search, signature="OOM | small", version="142.0")
    answer = client.get(
        SEARCH, {"product": "=WaterWolf", "_columns": ["uuid", "uptime"], "_facets": "version"}
    ).json()
    assert answer == {
        "hits": [{"uuid": CRASH, "uptime": None}],
        "total": 1,
        "facets": {"version": [{"term": "142.0", "count": 1}]},
        "errors": [],
        "warnings": [],
    }
    assert client.get(SEARCH, {"product": "=Other"}).json()["total"] == 0


def test_crash_older_than_a_week_needs_a_date(client: Client, search: SearchBackend) -> None:
    old = NOW - timedelta(days=20)
    index(search, date_processed=old.isoformat())
    assert client.get(SEARCH).json()["total"] == 0
    assert client.get(SEARCH, {"date": f">={old - timedelta(days=1):%Y-%m-%d}"}).json()["total"] == 1


PROTECTED_POSITIONS = [
    {"url": "~private"},
    {"_facets": "url"},
    {"_sort": "-url"},
    {"_columns": ["uuid", "url"]},
    {"_aggs.product": "url"},
    {"_aggs.url": "product"},
    {"_facets": "_cardinality.url"},
    {"_histogram.date": "url"},
]


@pytest.mark.parametrize("parameters", PROTECTED_POSITIONS)
@pytest.mark.parametrize("signed_in", [False, True])
def test_protected_values_reach_nobody_without_permission(
    client: Client, search: SearchBackend, parameters: dict[str, Any], signed_in: bool
) -> None:
    index(search, url="https://private.example/", signature="s")
    if signed_in:
        sign_in(client, "reprocess_crashes")
    response = client.get(SEARCH, parameters)
    answer = response.json()
    assert response.status_code == 200
    assert answer["warnings"] == [
        "'url' was left out: there is no such field, or seeing it needs a permission"
    ]
    del answer["warnings"]
    assert "url" not in json.dumps(answer)
    assert "private" not in json.dumps(answer)


@pytest.mark.parametrize("parameters", PROTECTED_POSITIONS)
def test_caller_with_view_pii_searches_protected_fields_and_is_recorded(
    client: Client, search: SearchBackend, parameters: dict[str, Any]
) -> None:
    index(search, url="https://private.example/", signature="s")
    sign_in(client, "view_pii")
    answer = client.get(SEARCH, parameters).json()
    assert (answer["total"], answer["warnings"]) == (1, [])
    assert AccessRecord.objects.get().door == AccessRecord.Door.SEARCH


def test_public_search_of_a_permitted_caller_is_not_recorded(client: Client, search: SearchBackend) -> None:
    sign_in(client, "view_pii")
    client.get(SEARCH)
    assert not AccessRecord.objects.exists()


def test_bad_search_is_explained(client: Client, search: SearchBackend) -> None:
    response = client.get(SEARCH, {"build_id": "soon"})
    assert response.status_code == 400
    assert response.json() == {
        "error": "Bad request: BadArgumentError: Bad value for parameter build_id: not a valid int",
        "errors": {"build_id": ["not a valid int"]},
    }
    expression = client.get(SEARCH, {"signature": "@("})
    assert expression.status_code == 400
    assert "signature" in expression.json()["error"]


def test_what_is_not_offered_is_a_clear_bad_request(client: Client, search: SearchBackend) -> None:
    for parameters, reason in (
        ({"_return_query": "1"}, "not offered"),
        ({"signature": "@<1-9>"}, "not offered"),
    ):
        response = client.get(SEARCH, parameters)
        assert response.status_code == 400
        assert reason in response.json()["error"]


def test_too_many_parameters_are_a_bad_request(client: Client, search: SearchBackend) -> None:
    response = client.get(SEARCH, [(f"x{n}", "1") for n in range(1500)])
    assert response.status_code == 400
    assert response.json()["error"]


def test_broken_index_is_503_and_shows_no_path(client: Client, search: SearchBackend, tmp_path: Path) -> None:
    (tmp_path / "search" / "current").unlink()
    response = client.get(SEARCH)
    assert (response.status_code, response["Retry-After"]) == (503, "30")
    assert response.json() == {"error": "Search cannot answer now; try again later"}


def test_any_address_gets_an_answer_that_is_json(client: Client, search: SearchBackend) -> None:
    index(search, signature="a | b", proto_signature="a | b", version="1.0b2", uptime=5)
    names = [
        "date",
        "signature",
        "proto_signature",
        "version",
        "uptime",
        "_sort",
        "_facets",
        "_columns",
        "pretty",
    ]
    values = st.text(max_size=30) | st.text(alphabet='!=~^$@<>.*+?()[]{}|\\"_-0a', max_size=30)

    @hypothesis_settings(
        max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.dictionaries(st.sampled_from(names), st.lists(values, max_size=3), max_size=3))
    def answers(parameters: dict[str, list[str]]) -> None:
        response = client.get(SEARCH, parameters)
        assert response.status_code in (200, 400)
        assert response.json()

    answers()


# --- transport -----------------------------------------------------------------------------------------------------


def test_json_is_compact_ascii_and_harmless_in_a_page(client: Client, storage: CrashStorage) -> None:
    save(storage, signature="</script>é")
    response = client.get(f"/api/ProcessedCrash/?crash_id={CRASH}")
    assert response["Content-Type"] == "application/json; charset=UTF-8"
    assert response.content == b'{"product":"WaterWolf","signature":"<\\/script>\\u00e9"}'


def test_pretty_print_indents(client: Client, storage: CrashStorage) -> None:
    save(storage)
    response = client.get(f"/api/ProcessedCrash/?crash_id={CRASH}&pretty=print")
    assert response.content == b'{\n  "product": "WaterWolf"\n}'


def test_numbers_that_json_does_not_know_become_null(client: Client, storage: CrashStorage) -> None:
    save(storage, uptime_ts=float("nan"))
    assert client.get(f"/api/ProcessedCrash/?crash_id={CRASH}").json()["uptime_ts"] is None


def test_accept_header_changes_nothing(client: Client, search: SearchBackend) -> None:
    for accepted in ("text/html", "application/xml", "*/*", "nonsense"):
        response = client.get(SEARCH, headers={"Accept": accepted})
        assert response["Content-Type"] == "application/json; charset=UTF-8"


def test_who_may_keep_an_answer(client: Client, search: SearchBackend, storage: CrashStorage) -> None:
    save(storage)
    assert client.get(SEARCH)["Cache-Control"] == "private, max-age=300"
    assert client.get(SEARCH, {"uptime": "x"})["Cache-Control"] == "private, no-store"
    for endpoint in ("RawCrash", "ProcessedCrash"):
        assert client.get(f"/api/{endpoint}/?crash_id={CRASH}")["Cache-Control"] == "private, no-store"


def test_other_sites_may_read_answers_and_errors(client: Client, search: SearchBackend) -> None:
    for response in (
        client.get(SEARCH),
        client.get("/api/Nothing/"),
        client.post(SEARCH),
        client.get("/api/RawCrash/"),
    ):
        assert response["Access-Control-Allow-Origin"] == "*"


def test_preflight_allows_the_token_header(client: Client) -> None:
    response = client.options(
        SEARCH, headers={"Origin": "https://other.example", "Access-Control-Request-Method": "GET"}
    )
    assert response.status_code == 200
    assert "GET" in response["Access-Control-Allow-Methods"]
    assert "auth-token" in response["Access-Control-Allow-Headers"]


def test_options_checks_no_parameters(client: Client) -> None:
    response = client.options("/api/RawCrash/")
    assert response.status_code == 200
    assert response.json() == {"allow": ["GET", "HEAD", "OPTIONS"]}


def test_head_answers_like_get_without_a_body(client: Client, storage: CrashStorage) -> None:
    save(storage)
    response = client.head(f"/api/ProcessedCrash/?crash_id={CRASH}")
    assert (response.status_code, response.content) == (200, b"")
    assert client.head("/api/ProcessedCrash/").status_code == 400


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_other_methods_are_405_without_a_csrf_token_too(method: str, search: SearchBackend) -> None:
    client = Client(enforce_csrf_checks=True)
    sign_in(client)
    response = getattr(client, method)(SEARCH)
    assert (response.status_code, response.json()) == (405, {"error": "Method not allowed"})


@pytest.mark.parametrize("name", ["Nothing", "supersearch", "Query", "a/b"])
def test_unknown_names_are_404_and_named(client: Client, name: str) -> None:
    response = client.get(f"/api/{name}/")
    assert (response.status_code, response.json()) == (404, {"error": f"No service called '{name}'"})


def test_address_without_its_last_slash_is_redirected(client: Client) -> None:
    response = client.get("/api/SuperSearch?version=1")
    assert (response.status_code, response["Location"]) == (301, "/api/SuperSearch/?version=1")


def test_defect_of_the_server_is_json_without_details(client: Client, settings: Any) -> None:
    settings.SEARCH = {"BACKEND": "processing.search.nothing"}
    get_search.cache_clear()
    response = client.get(SEARCH + "?version=1")
    assert response.status_code == 500
    assert response.json() == {"error": "Internal Server Error", "path": SEARCH, "query_string": "version=1"}
