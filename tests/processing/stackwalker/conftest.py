"""The real stackwalker."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from processing.stackwalker.runner import Limits, Stackwalker


@pytest.fixture(scope="session")
def stackwalker_path() -> Path:
    """The minidump-stackwalk program of this run: STACKWALKER_PATH, else the one that `make run` installs."""
    path = Path(settings.STACKWALKER["path"])
    if not path.is_file():
        pytest.fail(
            f"there is no stackwalker at {path}; `make test` installs it, STACKWALKER_PATH names another one"
        )
    return path


@pytest.fixture(scope="session")
def stackwalker(stackwalker_path: Path) -> Stackwalker:
    return Stackwalker(stackwalker_path, Limits(timeout_seconds=60))
