from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from crashstats import settings
from crashstats.standalone.launcher import supervisor_environment

ODD = 'a b\'c "d" 100% %s %(x)s $HOME ü ;&#,'


@pytest.fixture
def var_dir(tmp_path) -> Path:
    var_dir = tmp_path / ODD
    for name in ("logs", "run", "checkout"):
        (var_dir / name).mkdir(parents=True)
    return var_dir


def test_the_supervisor_reads_any_folder_name_as_it_is(var_dir, monkeypatch):
    checkout = str(var_dir / "checkout")
    python = str(var_dir / "checkout" / ".venv" / "bin" / "python")
    monkeypatch.setattr(settings, "BASE_DIR", checkout)
    monkeypatch.setattr(sys, "executable", python)
    for name, value in supervisor_environment(var_dir, var_dir / "run").items():
        monkeypatch.setitem(os.environ, name, value)
    options = read(Path(__file__).resolve().parents[3] / "supervisord.conf")
    assert options.directory == checkout
    assert Path(options.logfile).parent == var_dir / "logs"
    programs = {program.name: program for group in options.process_group_configs
                for program in group.process_configs}  # fmt: skip
    assert {shlex.split(program.command)[0] for program in programs.values()} == {python}
    assert {Path(program.stdout_logfile).parent for program in programs.values()} == {var_dir / "logs"}
    assert shlex.split(programs["postgres"].command)[-1] == str(var_dir)


def read(configuration: Path) -> ServerOptions:
    options = ServerOptions()
    options.realize(["--configuration", str(configuration)])
    return options
