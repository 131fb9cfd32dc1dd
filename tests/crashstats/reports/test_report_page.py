import json

import pytest
from django.contrib.auth.models import Permission
from django.db import OperationalError, connection

from crashstats.accounts.models import AccessRecord, User
from processing import queue
from processing.models import Crash, QueuedCrash
from processing.storage import get_storage
from tests.crashstats.crashes import make_frame, make_json_dump, make_raw_crash, new_crash_id

pytestmark = pytest.mark.django_db


def see(client, crash_id, status=200) -> str:
    """The text of a report page, its long names whole again."""
    response = client.get(f"/report/index/{crash_id}")
    assert response.status_code == status
    return response.text.replace("<wbr>", "")


def with_frames(*frames) -> dict:
    return make_json_dump(threads=[{"thread_name": "Main", "frames": list(frames)}])


def enter(crash_id, state, **values) -> None:
    """Put a crash into the ledger in some state."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO processing_crash (day, crash_id, product, received_at, state, attempts, last_error)"
            " VALUES (%s, %s, 'WaterWolf', '2026-08-01 12:00Z', %s, %s, %s)",
            [
                f"20{crash_id[-6:-4]}-{crash_id[-4:-2]}-{crash_id[-2:]}",
                crash_id,
                state,
                values.get("attempts", 0),
                values.get("last_error", ""),
            ],
        )


def test_a_report_shows_what_happened_where(client, keep):
    page = see(client, keep())
    for expected in (
        "ww::Surface::Blend",
        "WaterWolf",
        "145.0",
        "Debian GNU/Linux 12",
        "SIGSEGV / SEGV_MAPERR",
        "125 seconds (2 minutes, 5 seconds)",
        "surface.cpp:42",
        "Thread 1, Timer",
        "a note of the processor",
        "2 modules: 1 with loaded symbols, 1 with missing symbols",
    ):
        assert expected in page, expected


def test_a_prefix_leads_to_the_plain_id(client, keep):
    crash_id = keep()
    response = client.get(f"/report/index/bp-{crash_id}")
    assert (response.status_code, response.headers["Location"]) == (302, f"/report/index/{crash_id}")


@pytest.mark.parametrize("text", ["hello", "0b1ec0de-7a11-4f00-8a5e-1c3f50261332", "<b onload=alert(1)>"])
def test_a_text_that_is_no_crash_id_is_refused_with_an_explanation(client, storage, text):
    page = see(client, text, status=400)
    assert "is not a crash id" in page
    assert "<b onload" not in page


def test_an_unknown_id_is_explained(client, storage):
    page = see(client, new_crash_id(), status=404)
    assert "may be mistyped" in page


def test_anonymous_visitors_see_nothing_protected(client, keep):
    page = see(client, keep())
    assert "secret" not in page
    assert "protected data see these" in page


def test_holders_of_view_pii_see_protected_data_marked_as_such(hacker_client, keep):
    page = see(hacker_client, keep())
    assert "my secret comment" in page
    assert "of secret kind" in page
    assert "Public and protected data" in page


def test_a_deactivated_account_sees_public_data_only(hacker, hacker_client, keep):
    hacker.is_active = False
    hacker.save()
    assert "secret" not in see(hacker_client, keep())


def test_who_looked_at_protected_data_is_recorded(hacker_client, client, keep):
    crash_id = keep()
    see(client, crash_id)
    assert not AccessRecord.objects.exists()
    see(hacker_client, crash_id)
    record = AccessRecord.objects.get()
    assert (record.username, record.crash_id, record.door) == ("grace", crash_id, "report")


def test_dumps_are_offered_to_holders_of_view_rawdump_only(client, hacker_client, keep):
    crash_id = keep()
    assert "name=upload_file_minidump" not in see(client, crash_id)
    assert "name=upload_file_minidump" in see(hacker_client, crash_id)
    only_dumps = User.objects.create_user("dan")
    only_dumps.user_permissions.add(Permission.objects.get(codename="view_rawdump"))
    client.force_login(only_dumps)
    assert "name=upload_file_minidump" in see(client, crash_id)


def test_inlined_functions_come_before_the_function_they_were_inlined_into(client, keep):
    frame = make_frame(
        0,
        "outer()",
        inlines=[
            {"function": "deepest()", "file": "a.h", "line": 1},
            {"function": "middle()", "file": "b.h", "line": 2},
        ],
    )
    page = see(client, keep(json_dump=with_frames(frame)))
    assert page.index("deepest") < page.index("middle") < page.index("outer")
    assert page.count(">inlined</span>") == 2


def test_source_of_a_known_repository_is_linked(client, keep):
    frame = make_frame(0, "f", file="git:github.com/riverbank/wolf:src/f.cpp:abc123", line=7)
    page = see(client, keep(json_dump=with_frames(frame)))
    assert 'href="https://github.com/riverbank/wolf/blob/abc123/src/f.cpp#L7"' in page


@pytest.mark.parametrize(
    "file",
    [
        "git:evil.example/x:f.cpp:1",
        "javascript:alert(1):x:y",
        "git:github.com/a/b:../../../x:1",
        'git:github.com/a:"onload=x:1',
        "hg:hg.mozilla.org/m:f c.cpp:1",
    ],
)
def test_source_of_other_places_is_never_linked(client, keep, file):
    page = see(client, keep(json_dump=with_frames(make_frame(0, "f", file=file, line=7))))
    assert '<td class="source"><a' not in page


def test_without_a_crashing_thread_all_threads_are_shown(client, keep):
    crash_id = keep(crashing_thread=None, json_dump=make_json_dump(crash_info={}))
    page = see(client, crash_id)
    assert "Nobody knows which thread crashed" in page
    assert "Thread 0, Main" in page


def test_without_a_dump_the_page_says_why_there_is_no_stack(client, keep):
    page = see(client, keep(json_dump=None, mdsw_status_string="ERROR_NO_MINIDUMP_HEADER"))
    assert "the stackwalker answered ERROR_NO_MINIDUMP_HEADER" in page
    assert "No modules" in page


def test_module_symbols_are_linked_by_http_only(client, keep):
    modules = [
        {"filename": "a", "loaded_symbols": True, "symbol_url": "https://symbols.example/a.sym"},
        {"filename": "b", "loaded_symbols": True, "symbol_url": "javascript:alert(1)"},
        {"filename": "c", "corrupt_symbols": True},
    ]
    page = see(client, keep(json_dump=make_json_dump(modules=modules)))
    assert 'href="https://symbols.example/a.sym"' in page
    assert "javascript:" not in page
    assert "corrupt" in page


def test_a_java_exception_hides_its_message_from_the_public(client, hacker_client, keep):
    value = {
        "stacktrace": {
            "module": "org.wolf",
            "type": "LostException",
            "value": "secret path",
            "frames": [
                {
                    "module": "org.wolf.Store",
                    "function": "restore",
                    "filename": "Store.java",
                    "lineno": 12,
                    "in_app": True,
                }
            ],
        }
    }
    crash_id = keep(java_exception={"exception": {"values": [value]}}, json_dump=None)
    page = see(client, crash_id)
    assert "org.wolf.LostException" in page
    assert "Store.java:12" in page
    assert "secret" not in page
    assert "secret path" in see(hacker_client, crash_id)


def test_breadcrumbs_are_for_holders_of_view_pii(client, hacker_client, keep):
    crash_id = keep(breadcrumbs=[{"timestamp": "2026-08-01T12:00:00", "message": "opened a secret tab"}])
    assert "opened a" not in see(client, crash_id)
    assert "opened a secret tab" in see(hacker_client, crash_id)


def test_only_web_addresses_become_links(hacker_client, keep):
    page = see(hacker_client, keep(url="javascript:alert(document.domain)"))
    assert "javascript:alert(document.domain)" in page
    assert 'href="javascript' not in page


def test_markup_in_crash_data_stays_text(client, keep):
    evil = "<img src=x onerror=alert(1)>"
    crash_id = keep(
        {"Notes": evil},
        signature=evil,
        product=evil,
        reason=evil,
        processor_notes=evil,
        json_dump=with_frames(make_frame(0, evil, module=evil, file=evil, line=1)),
    )
    assert "<img" not in see(client, crash_id)


def test_huge_documents_are_bounded_and_say_so(client, keep):
    threads = [{"frames": [make_frame(n, f"f{n}") for n in range(1_000)]} for _ in range(200)]
    modules = [{"filename": f"m{n}.so"} for n in range(3_000)]
    crash_id = keep(
        {f"Key{n}": "x" for n in range(2_000)} | {"Notes": "y" * 100_000},
        json_dump=make_json_dump(threads=threads, modules=modules),
    )
    page = see(client, crash_id)
    assert len(page) < 8_000_000
    assert "only the first 400 rows of 1,000 frames are shown" in page
    assert "49 more threads not shown" in page
    assert "2,000 more modules not shown" in page
    assert "96,000 more characters" in page


def test_a_fact_of_the_summary_is_brief_however_much_was_sent(client, keep):
    page = see(client, keep({}, version="9" * 10_000))
    assert "9" * 201 not in page
    assert "9,800 more characters" in page


def test_a_crash_in_the_queue_says_where_it_is_and_overtakes_the_others(client, storage):
    crash_id, other = new_crash_id(), new_crash_id()
    for one in (other, crash_id):
        enter(one, "saved")
        queue.publish(one, queue=queue.STANDARD)
    page = see(client, crash_id, status=202)
    assert "Waiting in the standard queue, 1 crash ahead" in page
    assert 'http-equiv="refresh"' in page
    assert QueuedCrash.objects.get(crash_id=crash_id).queue == queue.PRIORITY
    assert "Next in the queue" in see(client, crash_id, status=202)
    assert Crash.objects.count() == 2


def test_looking_at_a_crash_that_is_being_processed_does_not_queue_it_again(client, storage):
    crash_id = new_crash_id()
    enter(crash_id, "processing", attempts=2)
    page = see(client, crash_id, status=202)
    assert "Being processed" in page
    assert "(attempt 2)" in page
    assert not QueuedCrash.objects.exists()


def test_a_crash_saved_while_the_ledger_was_away_is_waiting(client, storage):
    crash_id = new_crash_id()
    storage.save_raw_crash(crash_id, make_raw_crash(crash_id), {})
    assert "Waiting to be queued" in see(client, crash_id, status=202)


def test_a_failed_crash_tells_the_reason_and_no_more(client, storage):
    crash_id = new_crash_id()
    enter(crash_id, "failed", attempts=5, last_error="StackwalkerTimeout")
    page = see(client, crash_id)
    assert "could not be processed" in page
    assert "StackwalkerTimeout" in page


def test_a_deleted_crash_is_gone(client, storage):
    crash_id = new_crash_id()
    enter(crash_id, "deleted")
    assert "was deleted" in see(client, crash_id, status=404)


def test_when_storage_is_down_the_page_says_so(client, settings, tmp_path):
    (tmp_path / "file").write_text("in the way")
    settings.CRASH_STORAGE = {
        "BACKEND": "processing.storage.filesystem.FileSystemCrashStorage",
        "OPTIONS": {"root": tmp_path / "file" / "crashes"},
    }
    get_storage.cache_clear()
    try:
        assert "Crash storage does not answer" in see(client, new_crash_id(), status=503)
    finally:
        get_storage.cache_clear()


def test_when_the_ledger_is_away_processed_crashes_are_shown_and_others_ask_for_patience(client, keep):
    def refuse(*_):
        raise OperationalError("the database is away")

    with connection.execute_wrapper(refuse):
        assert "ww::Surface::Blend" in see(client, keep())
        assert "The ledger does not answer" in see(client, new_crash_id(), status=503)


def test_no_report_is_kept_by_browsers_or_proxies(client, keep):
    response = client.get(f"/report/index/{keep()}")
    assert "no-store" in response.headers["Cache-Control"]


def test_json_links_lead_to_documents(client, keep):
    crash_id = keep()
    assert f"/api/ProcessedCrash/?crash_id={crash_id}" in see(client, crash_id)
    shown = json.loads(client.get(f"/api/ProcessedCrash/?crash_id={crash_id}").content)
    assert shown["signature"] == "ww::Surface::Blend"
