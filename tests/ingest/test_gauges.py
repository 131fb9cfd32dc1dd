"""What /metrics says of the spool: all that waits there, found without holding anybody up."""

from __future__ import annotations

import os
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest import claims
from ingest.gauges import SpoolGauges
from ingest.metrics import Metrics
from ingest.spool import Spool, Waiting
from processing import crashid
from tests.ingest.process import run_collector

NOW = datetime.now(UTC)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool", limit_bytes=1 << 30)
    made.prepare()
    return made


def fill(spool: Spool) -> int:
    """Leave three crashes, one of them refused, two notes and a damaged file. Give the bytes of the crashes."""
    crash_ids = [crashid.create() for _ in range(3)]
    for crash_id in crash_ids:
        spool.save(crash_id, {}, {"upload_file_minidump": bytes(1000)})
        spool.note_unpublished(crash_id, product="x", received_at=NOW)
    paths = {path.stem: path for path in (spool.folder / "crashes").glob("*/*/*.tar")}
    refused = claims.claim(paths[crash_ids[0]], crash_ids[0])
    damaged = claims.claim(spool.folder / "unpublished" / crash_ids[0], crash_ids[0])
    assert refused and damaged
    with refused, damaged:
        refused.put_off(600)
        damaged.set_aside(spool.damaged)
    return sum(path.stat().st_size for path in paths.values())


def shown(metrics: Metrics) -> dict[str, float]:
    lines = metrics.exposition().decode().splitlines()
    return {
        name.removeprefix("collector_spool_"): float(value)
        for name, value in (line.split(" ") for line in lines if line.startswith("collector_spool_"))
    }


def test_a_collector_shows_what_waits_in_its_spool(collector_database: str, tmp_path: Path) -> None:
    with run_collector(tmp_path, collector_database) as collector:
        size_bytes = fill(Spool(tmp_path / "collector" / "spool", limit_bytes=1 << 30))
        text = collector.get("/metrics").body.decode()
    for name, value in (("crashes", 3), ("notes", 2), ("refused", 1), ("damaged", 1), ("bytes", size_bytes)):
        assert f"# TYPE collector_spool_{name} gauge\ncollector_spool_{name} {float(value)}\n" in text


def test_an_empty_spool_shows_as_zeros_and_one_that_is_gone_not_at_all(spool: Spool) -> None:
    metrics = Metrics(gauges=SpoolGauges(spool))
    assert shown(metrics) == dict.fromkeys(("crashes", "bytes", "notes", "refused", "damaged"), 0)
    shutil.rmtree(spool.folder)
    metrics = Metrics(gauges=SpoolGauges(spool))
    assert shown(metrics) == {}
    assert b"collector_saved_total 0.0" in metrics.exposition()


def test_counting_ends_when_its_time_is_over(spool: Spool) -> None:
    fill(spool)
    assert spool.waiting(0) == Waiting()
    assert spool.waiting(1000) == spool.waiting() == Waiting(crashes=3, notes=2, refused=1, damaged=1)


def test_nothing_is_measured_beyond_that_time(spool: Spool) -> None:
    fill(spool)
    assert set(SpoolGauges(spool, counting_seconds=0)().values()) == {0}


def test_counting_deletes_nothing_and_deserted_folders_go_with_the_leftovers(spool: Spool) -> None:
    deserted, crashes = spool.folder / "crashes" / "20260801" / "0b", spool.folder / "crashes"
    deserted.mkdir(parents=True)
    fill(spool)
    before = set(crashes.rglob("*"))
    for folder in before:
        os.utime(folder, (0, 0))
    spool.waiting()
    SpoolGauges(spool)()
    list(spool.crash_folders())
    assert set(crashes.rglob("*")) == before
    spool.remove_leftovers()
    assert not deserted.exists()
    assert deserted.parent.exists()  # it has just changed
    os.utime(deserted.parent, (0, 0))
    spool.remove_leftovers()
    assert before - set(crashes.rglob("*")) == {deserted, deserted.parent}


def test_who_asks_soon_again_gets_what_was_counted_before(spool: Spool) -> None:
    gauges = SpoolGauges(spool)
    assert gauges()["spool_crashes"] == 0
    fill(spool)
    assert gauges()["spool_crashes"] == 0


def test_a_disk_that_hangs_holds_up_one_who_asks_and_no_other(spool: Spool) -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Hanging(Spool):
        def waiting(self, seconds: float = 0) -> Waiting:
            begun.set()
            assert go_on.wait(20)
            return super().waiting()

    fill(spool)
    gauges = SpoolGauges(Hanging(spool.folder, limit_bytes=1 << 30))
    first = threading.Thread(target=gauges)
    first.start()
    assert begun.wait(20)
    assert gauges() == {}
    go_on.set()
    first.join()
    assert gauges()["spool_crashes"] == 3
