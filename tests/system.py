"""The whole system as `make run` starts it, for tests from outside."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.settings import CHECKOUT, TOOLS

#: What `manage.py` commands of a test run must not inherit: they are to talk to the system under test.
_OWN = ("DJANGO_SETTINGS_MODULE", "STACKWALKER_PATH")


@dataclass(frozen=True)
class System:
    """A running Crash Stats: its addresses, its folder, its launcher."""

    web: str
    collector: str
    var: Path
    launcher: subprocess.Popen[str]
    environment: dict[str, str]

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a management command against this system."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )

    def get(self, path: str) -> Any:
        """Give the JSON that the web process answers."""
        with urllib.request.urlopen(self.web + path, timeout=30) as response:
            return json.load(response)

    def ledger(self) -> dict[str, int]:
        """Give the equation; {} while the web process or its database is away."""
        try:
            found: dict[str, int] = self.get("/status.json")["ledger"]
        except (OSError, ValueError):
            return {}
        return found

    def times_found(self, crash_id: str) -> int:
        """Give how many documents of search have this crash id."""
        total: int = self.get(f"/api/SuperSearch/?uuid={crash_id}&_columns=uuid&_facets_size=0")["total"]
        return total

    def processes(self, words: str) -> list[psutil.Process]:
        """Give the processes of this system whose command line holds the words, parents first."""
        found = []
        for process in psutil.Process(self.launcher.pid).children(recursive=True):
            try:
                command = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if words in command:
                found.append(process)
        return found


@contextmanager
def start_system(var: Path, **settings: str) -> Iterator[System]:
    """Start everything below ``var``, without samples; afterwards end it as SIGTERM does."""
    shutil.copytree(TOOLS, var / "tools")
    ports = {"PORT": str(_free_port()), "COLLECTOR_PORT": str(_free_port())}
    inherited = {name: value for name, value in os.environ.items() if name not in _OWN}
    environment = {**inherited, **ports, "VAR_DIR": str(var), "SAMPLES": "0", **settings}
    launcher = subprocess.Popen(
        [sys.executable, "-m", "crashstats.standalone"],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert launcher.stdout is not None
    try:
        ready = next((line for line in launcher.stdout if line.startswith("Crash Stats is ready")), "")
        assert ready, "the system did not start; its reason is in the captured output"
        web, collector = (f"http://127.0.0.1:{port}" for port in ports.values())
        yield System(web, collector, var, launcher, environment)
    finally:
        launcher.send_signal(signal.SIGTERM)
        launcher.wait(timeout=20)
        launcher.stdout.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
