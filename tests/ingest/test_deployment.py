"""The examples of docs/collector.md for running a collector by itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ingest.process import CHECKOUT, run_collector
from tests.ingest.reports import valid

DOCUMENT = (CHECKOUT / "docs" / "collector.md").read_text(encoding="utf-8")


def example(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    return str(found)


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """What the container example copies into its image."""
    root = tmp_path / "container"
    copied = re.findall(r"^COPY (\S+) (/\S+)$", example("dockerfile"), re.MULTILINE)
    assert len(copied) > 3
    for source, target in copied:
        destination = root / target.removeprefix("/")
        if (CHECKOUT / source).is_dir():
            shutil.copytree(
                CHECKOUT / source, destination, ignore=shutil.ignore_patterns("__pycache__", "var")
            )
        else:
            destination.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / source, destination)
    return root / "opt" / "crashstats"


def test_the_files_of_the_container_example_are_enough_to_collect_and_to_move(
    container: Path, tmp_path: Path, collector_database: str
) -> None:
    with run_collector(tmp_path / "var", collector_database, container, PYTHONPATH="") as collector:
        crash_id = collector.send(valid()).crash_id
        assert collector.storage.get_raw_crash(crash_id)["uuid"] == crash_id
        assert collector.ledger(crash_id) is not None
        moved = collector.manage("runmover", "--once")
        assert (moved.returncode, moved.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd to ask")
def test_the_unit_example_is_one_that_systemd_understands(tmp_path: Path) -> None:
    unit = example("ini").replace("/opt/crashstats/.venv/bin/python", sys.executable)
    path = tmp_path / "crashstats-collector.service"
    path.write_text(unit)
    checked = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
