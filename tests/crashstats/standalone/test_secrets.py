from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from crashstats.env import BadSetting
from crashstats.standalone.secrets import read_or_create_secret


def test_a_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path):
    path = tmp_path / "var" / "key"
    first = read_or_create_secret(path)
    assert len(first) == 50
    assert read_or_create_secret(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_all_who_ask_at_the_same_time_get_the_same_secret(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: read_or_create_secret(tmp_path / "key"), range(32)))
    assert len(found) == 1


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadSetting, match=r"VAR_DIR=.*/file cannot be used"):
        read_or_create_secret(tmp_path / "file" / "key")
