from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from crashstats.standalone import checks


@pytest.fixture
def taken_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_is_named_with_its_setting_and_the_way_out(taken_port):
    with pytest.raises(
        checks.CannotStart, match=rf"COLLECTOR_PORT={taken_port} is taken.*COLLECTOR_PORT=\d+ make run"
    ):
        checks.check_ports("127.0.0.1", {"COLLECTOR_PORT": taken_port})


def test_one_port_for_both_is_refused():
    with pytest.raises(checks.CannotStart, match="PORT and COLLECTOR_PORT are the same port, 8000"):
        checks.check_ports("127.0.0.1", {"PORT": 8000, "COLLECTOR_PORT": 8000})


def test_a_host_that_is_not_ours_is_named():
    with pytest.raises(checks.CannotStart, match=r"HOST=192\.0\.2\.1 is not an address of this machine"):
        checks.check_ports("192.0.2.1", {"PORT": 0})


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(checks.CannotStart, match=r"VAR_DIR=.*file/var cannot be written"):
        checks.check_folder(tmp_path / "file" / "var")


def test_a_full_disk_is_named_before_anything_is_written(tmp_path, monkeypatch):
    usage = os.statvfs(tmp_path)
    monkeypatch.setattr(checks, "NEEDED_BYTES", usage.f_frsize * usage.f_blocks + 1)
    with pytest.raises(checks.CannotStart, match=r"has \d+ MB left, \d+ MB are needed"):
        checks.check_folder(tmp_path)


def test_a_second_start_on_the_same_folder_is_refused_with_the_holder(tmp_path: Path):
    first = checks.lock(tmp_path)
    with pytest.raises(checks.CannotStart, match=rf"already runs .* \(process {os.getpid()}\)"):
        checks.lock(tmp_path)
    first.close()
    checks.lock(tmp_path).close()


def test_an_unreachable_database_is_named_without_its_password():
    with pytest.raises(checks.CannotStart, match="DATABASE_URL: connection failed") as caught:
        checks.check_database("postgresql://ada:s3cret@127.0.0.1:1/crashes")
    assert "s3cret" not in str(caught.value)
