"""A storage whose disk is unmounted: an empty folder shows in its place, and is not taken for it."""

from __future__ import annotations

from pathlib import Path

from tests.ingest.process import run_collector
from tests.ingest.reports import valid


def test_neither_a_mover_nor_a_collector_that_starts_meanwhile_takes_what_is_there_instead(
    collector_database: str, tmp_path: Path
) -> None:
    storage, away = tmp_path / "crashes", tmp_path / "away"
    with run_collector(tmp_path, collector_database) as collector:
        crash_ids = [collector.send(valid(Notes="1")).crash_id]
        storage.rename(away)
        storage.mkdir()
        crash_ids.append(collector.send(valid(Notes="2")).crash_id)
        collector.manage("runmover", "--once")
    with run_collector(tmp_path, collector_database) as collector:
        assert "is its disk unmounted" in collector.log
        crash_ids.append(collector.send(valid(Notes="3")).crash_id)
        assert "2 are left" in collector.manage("runmover", "--once").stdout
        assert not list(storage.iterdir())
        storage.rmdir()
        away.rename(storage)
        assert "0 are left" in collector.manage("runmover", "--once").stdout
        for crash_id in crash_ids:
            assert collector.storage.get_raw_crash(crash_id)["uuid"] == crash_id
