"""From the door to the page: the whole system as `make run` starts it, a real crash, a real browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.gaps import gap
from tests.run import BROWSERS
from tests.settings import CHECKOUT
from tests.system import System, start_system
from tests.waiting import wait_until

SAMPLE = "waterwolf-inlined-templates"


@pytest.fixture(scope="module")
def system(tmp_path_factory) -> Iterator[System]:
    with start_system(tmp_path_factory.mktemp("a var")) as running:
        yield running


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser_path is None:
        gap("no Chromium on this machine; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
        )
        yield browser.new_page()
        browser.close()


@pytest.fixture(scope="module")
def crash_id(system: System) -> str:
    """A sample sent as a client would send it, processed and searchable."""
    sent = system.manage("submitcrash", SAMPLE, "--url", f"{system.collector}/submit").stdout
    crash_id = sent.split()[0].removeprefix("bp-")
    wait_until(lambda: system.times_found(crash_id) == 1, seconds=60)
    return crash_id


@pytest.mark.browser
def test_a_crash_is_seen_on_the_home_page_and_its_report_shows_function_and_line(system, crash_id, page):
    expected = json.loads((CHECKOUT / "samples" / "reports" / SAMPLE / "expected.json").read_text())
    page.goto(f"{system.web}/")
    page.locator(f'a[href="/report/index/{crash_id}"]').first.click()
    frames = page.locator("table.frames").first
    assert expected["function"] in frames.inner_text()
    assert f"{Path(expected['file']).name}:{expected['line']}" in frames.inner_text()
    assert frames.get_by_text("inline").count() >= len(expected["inlined"])


@pytest.mark.browser
@pytest.mark.parametrize("path", ["/", "/report/index/{crash_id}", "/signatures/", "/status/"])
def test_no_page_is_wider_than_a_phone(system, crash_id, page, path):
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto(system.web + path.format(crash_id=crash_id))
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


@pytest.mark.browser
def test_the_pages_obey_their_own_content_security_policy(system, crash_id, page):
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    for path in ("/", f"/report/index/{crash_id}", "/signatures/", "/status/", "/login/"):
        page.goto(system.web + path)
    assert complaints == []


def test_the_equation_holds(system, crash_id):
    ledger = system.ledger()
    assert ledger["accepted"] == ledger["processed"] + ledger["failed"] + ledger["in_flight"]
    assert ledger["unexplained"] == 0


def test_an_anonymous_reader_gets_public_fields_only(system, crash_id):
    sent = json.loads((CHECKOUT / "samples" / "reports" / SAMPLE / "annotations.json").read_text())
    shown = system.get(f"/api/RawCrash/?crash_id={crash_id}")
    assert shown["ProductName"] == sent["ProductName"]
    assert not {"URL", "Email", "Comments", "metadata"} & shown.keys()


def test_a_second_start_on_the_same_folder_is_refused(system):
    done = subprocess.run(
        [sys.executable, "-m", "crashstats.standalone"],
        cwd=CHECKOUT,
        env={**os.environ, "VAR_DIR": str(system.var), "PORT": "1", "COLLECTOR_PORT": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "already runs" in done.stderr
