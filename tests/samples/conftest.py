"""The real stackwalker, and what it says of the sample dumps."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SYMBOLS = CHECKOUT / "samples" / "symbols"

Walk = Callable[[Path], dict[str, Any]]


@pytest.fixture(scope="session")
def walk() -> Walk:
    """Walk a dump with the sample symbols; gives the stackwalker's JSON. Each dump is walked once."""
    stackwalker = Path(
        os.environ.get("STACKWALKER_PATH") or CHECKOUT / "var" / "tools" / "minidump-stackwalk"
    )
    if not stackwalker.is_file():
        pytest.fail(
            f"no stackwalker at {stackwalker}. `make run` and `make test` install it; "
            "STACKWALKER_PATH names one that lies elsewhere."
        )

    @cache
    def walk_once(dump: Path) -> dict[str, Any]:
        finished = subprocess.run(
            [stackwalker, "--json", "--symbols-path", SYMBOLS, dump],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert finished.returncode == 0, f"{dump.parent.name}/{dump.name}: {finished.stderr[-500:]}"
        walked: dict[str, Any] = json.loads(finished.stdout)
        return walked

    return walk_once
