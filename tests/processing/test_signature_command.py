"""``manage.py signature``: old and new signatures of stored crashes."""

from __future__ import annotations

import csv
import io
import sys

import pytest
from django.core.management import CommandError, call_command

from processing import crashid
from tests.signatures.examples import write_lists


def run(*arguments: str) -> tuple[str, str]:
    output, errors = io.StringIO(), io.StringIO()
    call_command("signature", *arguments, stdout=output, stderr=errors)
    return output.getvalue(), errors.getvalue()


@pytest.fixture
def processed(storage):
    """Save a processed crash whose stack gives the signature ``atlas::Draw``; gives its id."""

    def processed(signature: str) -> str:
        crash_id = crashid.create()
        frames = [{"function": "static void atlas::Draw(int)"}, {"function": "main"}]
        document = {"signature": signature, "json_dump": {"threads": [{"frames": frames}]}}
        storage.save_processed_crash(crash_id, document)
        return crash_id

    return processed


def test_old_and_new_are_shown_side_by_side(processed):
    crash_id = processed("atlas::Paint")
    output, _ = run(f"bp-{crash_id}")
    assert output.splitlines()[:4] == [
        f"Crash id: {crash_id}",
        "Original: atlas::Paint",
        "New:      atlas::Draw",
        "Same?:    False",
    ]


def test_only_crashes_that_differ_are_shown_on_request(processed):
    same, changed = processed("atlas::Draw"), processed("atlas::Paint")
    output, _ = run(same, changed, "--different-only", "--format", "csv")
    rows = list(csv.reader(io.StringIO(output)))
    assert [row[0] for row in rows] == ["crashid", changed]


def test_addresses_of_report_pages_are_read_from_stdin(processed, monkeypatch):
    crash_id = processed("atlas::Draw")
    lines = f"https://crash.example.org/report/index/{crash_id}?tab=1\n\n{crash_id}\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    output, _ = run("--format", "markdown")
    assert output.count(f"**Crash id:** `{crash_id}`") == 2


def test_crash_that_is_not_there_is_named_and_the_rest_compared(processed):
    missing, crash_id = crashid.create(), processed("atlas::Draw")
    output, errors = run(missing, crash_id)
    assert errors.strip() == f"{missing}: there is no processed crash"
    assert crash_id in output


def test_other_lists_are_used(processed, tmp_path):
    crash_id = processed("atlas::Draw")
    lists = write_lists(tmp_path, prefix_signature_re=["atlas::"])
    output, _ = run(crash_id, "--signature-list-dir", str(lists), "--verbose")
    assert "New:      atlas::Draw | main" in output
    assert "prefix; continue iterating" in output


def test_nothing_is_compared_when_an_id_or_a_list_is_wrong(processed, tmp_path):
    with pytest.raises(CommandError, match=r"'soon' is not a crash id.*nothing was compared"):
        run(processed("a"), "soon")
    with pytest.raises(CommandError, match="cannot be read"):
        run(processed("a"), "--signature-list-dir", str(tmp_path))
