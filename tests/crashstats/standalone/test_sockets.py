from __future__ import annotations

import os
import stat

import pytest

from crashstats.standalone.sockets import claim_folder


def test_a_folder_is_made_for_its_owner_alone(tmp_path):
    claim_folder(tmp_path / "run", os.geteuid())
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700


def test_a_folder_that_others_could_enter_is_closed(tmp_path):
    (tmp_path / "run").mkdir(mode=0o755)
    claim_folder(tmp_path / "run", os.geteuid())
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700


def test_a_link_laid_by_somebody_else_is_refused_and_its_target_left_alone(tmp_path):
    (tmp_path / "target").mkdir(mode=0o755)
    (tmp_path / "run").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="run"):
        claim_folder(tmp_path / "run", os.geteuid())
    assert stat.S_IMODE((tmp_path / "target").stat().st_mode) == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of somebody else's")
def test_a_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    os.chown(tmp_path / "run", 12345, -1)
    with pytest.raises(PermissionError, match="belongs to user id 12345"):
        claim_folder(tmp_path / "run", os.geteuid())
