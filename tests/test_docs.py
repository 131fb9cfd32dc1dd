"""README.md and the code say the same."""

from __future__ import annotations

import re

import pytest

from tests.readme import MARKED, README, settings_table
from tests.settings import CHECKOUT


def test_the_readme_lists_every_setting_with_its_default_and_meaning():
    match = MARKED.search(README.read_text(encoding="utf-8"))
    assert match, "README.md has lost the marks round its table of settings"
    # Defaults below VAR_DIR differ in a test run, which has its own; compare them by what follows the folder.
    assert normalised(match.group(2)) == normalised(settings_table()), "run `python -m tests.readme`"


def normalised(table: str) -> str:
    return re.sub(r"`(?:\./var|/[^`]*?/crashstats-test-[^/`]+)", "`./var", table).strip()


@pytest.mark.parametrize(
    "path",
    sorted(
        set(re.findall(r"`((?:docs|processing|crashstats|tests|ingest)/[\w./]+\.\w+)`", README.read_text()))
    ),
)
def test_every_file_the_readme_names_exists(path):
    assert (CHECKOUT / path).is_file()
