from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from processing import crashid, processor, rulesets
from processing.errors import CrashNotFound, StorageError
from processing.rules.base import Context, Rule
from processing.storage import CrashStorage
from tests.processing.conftest import damage

NOW = "2026-08-01T12:00:00.000001+00:00"


class LookRule(Rule):
    """Write into the processed crash what the rule was given."""

    def action(self, ctx: Context) -> None:
        ctx.processed_crash["seen"] = {
            "dumps": {name: path.read_bytes().decode() for name, path in ctx.dumps.items()},
            "workdir": str(ctx.workdir),
            "mode": oct(ctx.workdir.parent.stat().st_mode & 0o777),
            "empty": not any(ctx.workdir.iterdir()),
        }
        ctx.raw_crash.clear()


@pytest.fixture(autouse=True)
def look(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = ("tests.processing.test_processor.LookRule",)
    for name in ("default", "regenerate_signature"):
        monkeypatch.setitem(rulesets.RULESETS, name, paths)
    rulesets.build_ruleset.cache_clear()
    yield
    rulesets.build_ruleset.cache_clear()


@pytest.fixture
def save(storage: CrashStorage):
    def save(dumps: dict[str, bytes] | None = None, **annotations: object) -> str:
        crash_id = crashid.create()
        storage.save_raw_crash(crash_id, annotations, dumps or {})
        return crash_id

    return save


def test_rules_get_the_dumps_as_files_in_a_private_folder_that_goes_afterwards(save, storage):
    crash_id = save({"upload_file_minidump": b"MDMP", "memory_report": b"zipped"})
    processor.process(crash_id, "default")
    seen = storage.get_processed_crash(crash_id)["seen"]
    assert seen["dumps"] == {"upload_file_minidump": "MDMP", "memory_report": "zipped"}
    assert (seen["mode"], seen["empty"]) == ("0o700", True)
    assert not Path(seen["workdir"]).exists()


def test_dumps_are_taken_as_long_as_there_is_room_for_them(save, storage, settings):
    settings.PROCESSOR = {**settings.PROCESSOR, "max_dump_bytes": 5}
    crash_id = save({"a": b"four", "b": b"four", "c": b"1"})
    processor.process(crash_id, "default")
    document = storage.get_processed_crash(crash_id)
    assert document["seen"]["dumps"] == {"a": "four", "c": "1"}
    assert "dump b is too large: left out" in document["processor_notes"]


def test_a_full_processing_keeps_nothing_of_the_earlier_one_but_its_notes(save, storage):
    crash_id = save()
    storage.save_processed_crash(crash_id, {"stale": True, "processor_notes": "from before"})
    processor.process(crash_id, "default")
    document = storage.get_processed_crash(crash_id)
    assert "stale" not in document
    assert document["processor_history"] == ["from before"]


def test_a_partial_ruleset_works_on_the_earlier_document(save, storage):
    crash_id = save()
    storage.save_processed_crash(crash_id, {"kept": True})
    processor.process(crash_id, "regenerate_signature")
    document = storage.get_processed_crash(crash_id)
    assert (document["kept"], document["ruleset"]) == (True, "regenerate_signature")


def test_a_partial_ruleset_without_an_earlier_document_becomes_the_full_one(save, storage):
    crash_id = save()
    processor.process(crash_id, "regenerate_signature")
    assert storage.get_processed_crash(crash_id)["ruleset"] == "default"


@pytest.mark.parametrize("ruleset", ["default", "regenerate_signature"])
def test_a_damaged_earlier_document_is_made_anew(save, storage, ruleset):
    crash_id = save()
    storage.save_processed_crash(crash_id, {"kept": True})
    damage(f"{crash_id}.processed_crash.json")
    processor.process(crash_id, ruleset)
    assert storage.get_processed_crash(crash_id)["ruleset"] == "default"


def test_product_and_time_of_receipt_are_read_before_rules_change_the_raw_crash(save):
    crash_id = save(ProductName="WaterWolf", submitted_timestamp=NOW)
    assert processor.process(crash_id, "default") == processor.Received(
        "WaterWolf", datetime(2026, 8, 1, 12, 0, 0, 1, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    "odd", [{}, {"ProductName": ["x"], "submitted_timestamp": 5}, {"submitted_timestamp": "soon"}]
)
def test_odd_raw_crashes_have_no_product_and_came_now(odd):
    found = processor.received(odd)
    assert found.product == ""
    assert abs((datetime.now(UTC) - found.received_at).total_seconds()) < 3600


def test_a_time_without_zone_is_taken_as_utc():
    found = processor.received({"submitted_timestamp": "2026-08-01T12:00:00"})
    assert found.received_at == datetime(2026, 8, 1, 12, tzinfo=UTC)


def test_unknown_crash_and_unknown_ruleset_are_refused_before_anything_is_saved(save, storage):
    with pytest.raises(CrashNotFound):
        processor.process(crashid.create(), "default")
    crash_id = save()
    with pytest.raises(rulesets.UnknownRuleset):
        processor.process(crash_id, "guess")
    with pytest.raises(CrashNotFound):
        storage.get_processed_crash(crash_id)


def test_leftovers_of_killed_workers_are_cleared_when_no_crash_can_still_use_them(settings, tmp_path):
    settings.PROCESSOR = {**settings.PROCESSOR, "folder": tmp_path}
    for name in ("crash-1-old", "crash-1-new", "crash-99999999-of-no-process", "other"):
        (tmp_path / name).mkdir()
    for name in ("crash-1-old", "other"):
        os.utime(tmp_path / name, (0, 0))
    processor.clear_leftovers()
    assert {path.name for path in tmp_path.iterdir()} == {"crash-1-new", "other"}


def test_storage_that_is_away_is_said_so(save, storage, monkeypatch):
    crash_id = save()
    monkeypatch.setattr(storage, "get_raw_crash", _away)
    with pytest.raises(StorageError):
        processor.process(crash_id, "default")


def _away(crash_id: str) -> None:
    raise StorageError("away")
