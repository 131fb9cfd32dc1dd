"""The bundled sample reports are what they claim to be."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from samples.catalogue import REPORTS, Report
from tests.samples.conftest import CHECKOUT, SYMBOLS, Walk

SAMPLES = CHECKOUT / "samples"
FOLDERS = sorted(path for path in (SAMPLES / "reports").iterdir() if path.is_dir())
WITH_DUMP = [folder for folder in FOLDERS if (folder / "upload_file_minidump").exists()]
BY_NAME = {report.name: report for report in REPORTS}
MAX_BYTES = 10_000_000

# Each kind of crash, and the report that shows it.
KINDS = {
    "null read": "waterwolf-null-read",
    "wild write": "waterwolf-wild-write",
    "abort": "waterwolf-abort",
    "uncaught exception": "waterwolf-uncaught-exception",
    "stack overflow": "waterwolf-stack-overflow",
    "division by zero": "waterwolf-division-by-zero",
    "templates, lambdas and inlined functions": "waterwolf-inlined-templates",
    "second thread": "waterwolf-second-thread",
    "Rust panic": "larkspur-panic",
    "Rust panic on a second thread": "larkspur-panic-second-thread",
    "null read in Rust": "larkspur-null-read",
    "out of memory": "larkspur-out-of-memory",
    "Java exception": "waterwolf-android-java",
    "no dump": "larkspur-no-dump",
}


def read(folder: Path, name: str) -> dict[str, Any]:
    contents: dict[str, Any] = json.loads((folder / name).read_text())
    return contents


def each(folders: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("folder", folders, ids=lambda folder: folder.name)


def crashing_frame(walked: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    thread = walked["threads"][walked["crash_info"]["crashing_thread"]]
    frame: dict[str, Any] = thread["frames"][expected["frame"]]
    return frame


def place(described: dict[str, Any]) -> tuple[str, str, int]:
    return described["function"], described["file"], described["line"]


@each(WITH_DUMP)
def test_walking_the_dump_shows_the_expected_place(folder: Path, walk: Walk) -> None:
    expected = read(folder, "expected.json")
    frame = crashing_frame(walk(folder / "upload_file_minidump"), expected)
    assert place(frame) == place(expected)


@each(WITH_DUMP)
def test_walking_the_dump_shows_the_expected_reason_and_thread(folder: Path, walk: Walk) -> None:
    expected = read(folder, "expected.json")
    crash = walk(folder / "upload_file_minidump")["crash_info"]
    assert (crash["type"], crash["crashing_thread"]) == (expected["reason"], expected["crashing_thread"])


@each(WITH_DUMP)
def test_inlined_functions_appear_in_the_expected_order(folder: Path, walk: Walk) -> None:
    expected = read(folder, "expected.json")
    frame = crashing_frame(walk(folder / "upload_file_minidump"), expected)
    seen = iter([place(inline) for inline in frame["inlines"] or []])
    for wanted in expected["inlined"]:
        assert place(wanted) in seen, f"{wanted['function']} is missing or out of order"


@each(WITH_DUMP)
def test_no_frame_of_our_own_code_is_found_by_guessing(folder: Path, walk: Walk) -> None:
    walked = walk(folder / "upload_file_minidump")
    own = {"waterwolf", "libwaterengine.so", "larkspurd"}
    frames = [frame for thread in walked["threads"] for frame in thread["frames"] if frame["module"] in own]
    assert {frame["trust"] for frame in frames} <= {"context", "cfi"}
    assert all(frame["function"] for frame in frames)


@pytest.mark.parametrize(
    "report", [report for report in REPORTS if report.place], ids=lambda report: report.name
)
def test_expected_lines_are_those_of_the_sources(report: Report) -> None:
    expected = read(SAMPLES / "reports" / report.name, "expected.json")
    named = [(report.place, expected), *zip(report.inlined, expected["inlined"], strict=True)]
    for wanted, described in named:
        if wanted.file.startswith(("waterwolf/", "larkspur/")):
            lines = (SAMPLES / "src" / wanted.file).read_text().splitlines()
            line = lines[described["line"] - 1]
            assert line.strip() == wanted.text, f"{wanted.file} changed: run samples/make_samples.py"


def test_the_template_crash_shows_at_least_four_inlined_calls(walk: Walk) -> None:
    folder = SAMPLES / "reports" / "waterwolf-inlined-templates"
    frame = crashing_frame(walk(folder / "upload_file_minidump"), read(folder, "expected.json"))
    assert len(frame["inlines"]) >= 4


def test_a_report_carries_a_second_dump_of_the_browser_process(walk: Walk) -> None:
    walked = walk(SAMPLES / "reports" / "waterwolf-inlined-templates" / "upload_file_minidump_browser")
    calls = [call for frame in walked["threads"][0]["frames"] for call in [frame, *(frame["inlines"] or [])]]
    assert "RunContentProcess" in {call["function"] for call in calls}


def test_crash_addresses_are_those_that_the_programs_touch(walk: Walk) -> None:
    addresses = {
        folder.name: walk(folder / "upload_file_minidump")["crash_info"]["address"] for folder in WITH_DUMP
    }
    assert addresses["waterwolf-wild-write"] == "0x00004e5f0badc000"
    assert addresses["larkspur-null-read"] == "0x0000000000000008"


def test_every_kind_of_crash_is_there_and_every_report_has_a_kind() -> None:
    assert sorted(KINDS.values()) == [folder.name for folder in FOLDERS] == sorted(BY_NAME)


@each(FOLDERS)
def test_annotations_are_one_flat_object_of_texts(folder: Path) -> None:
    annotations = read(folder, "annotations.json")
    assert all(isinstance(value, str) for value in annotations.values())
    assert {"ProductName", "Version", "BuildID", "ReleaseChannel", "Vendor"} <= annotations.keys()
    assert re.fullmatch(r"20\d{12}", annotations["BuildID"])


@each(FOLDERS)
def test_each_crash_comes_after_its_start_and_its_build(folder: Path) -> None:
    annotations = read(folder, "annotations.json")
    started, crashed = int(annotations["StartupTime"]), int(annotations["CrashTime"])
    installed = int(annotations.get("InstallTime", started))
    assert installed <= started <= crashed


def test_two_products_come_in_several_versions_and_channels() -> None:
    versions, channels = defaultdict(set), defaultdict(set)
    for folder in FOLDERS:
        annotations = read(folder, "annotations.json")
        versions[annotations["ProductName"]].add(annotations["Version"])
        channels[annotations["ProductName"]].add(annotations["ReleaseChannel"])
    assert set(versions) == {"WaterWolf", "Larkspur"}
    assert all(len(found) >= 3 for found in versions.values())
    assert all(len(found) >= 2 for found in channels.values())


def test_some_reports_carry_protected_annotations() -> None:
    present = {name for folder in FOLDERS for name in read(folder, "annotations.json")}
    assert {"URL", "Email", "Comments", "MozCrashReason", "JavaStackTrace", "RemoteType"} <= present


def test_the_java_report_tells_the_same_exception_twice_and_has_no_dump() -> None:
    folder = SAMPLES / "reports" / "waterwolf-android-java"
    annotations = read(folder, "annotations.json")
    expected = read(folder, "expected.json")
    outermost = json.loads(annotations["JavaException"])["exception"]["values"][0]["stacktrace"]
    top = outermost["frames"][0]
    assert f"{outermost['module']}.{outermost['type']}" == expected["exception"]
    assert (f"{top['module']}.{top['function']}", top["filename"], top["lineno"]) == place(expected)
    assert (
        f"\tat {expected['function']}({expected['file']}:{expected['line']})" in annotations["JavaStackTrace"]
    )
    assert not list(folder.glob("upload_file_minidump*"))


def test_one_report_has_neither_a_dump_nor_an_exception() -> None:
    folder = SAMPLES / "reports" / "larkspur-no-dump"
    assert {path.name for path in folder.iterdir()} == {"annotations.json", "expected.json"}
    assert "JavaException" not in read(folder, "annotations.json")


def test_everything_together_stays_small() -> None:
    total = sum(
        path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file() and "target" not in path.parts
    )
    assert total < MAX_BYTES


def test_symbol_files_lie_where_their_first_line_says() -> None:
    for path in SYMBOLS.rglob("*.sym"):
        with path.open() as lines:
            _, _, _, debug_id, debug_file = next(lines).rstrip("\n").split(" ", 4)
        assert path == SYMBOLS / debug_file / debug_id / f"{debug_file}.sym"


def test_our_own_modules_have_symbols_with_inlines_and_unwind_rules() -> None:
    for name in ("libwaterengine.so", "larkspurd"):
        files = list((SYMBOLS / name).rglob("*.sym"))
        assert len(files) >= 2
        for path in files:
            text = path.read_text()
            assert all(f"\n{record} " in text for record in ("FUNC", "INLINE", "INLINE_ORIGIN", "STACK CFI"))


def test_paths_in_symbol_files_are_relative() -> None:
    for path in SYMBOLS.rglob("*.sym"):
        files = re.findall(r"^FILE \d+ (.*)$", path.read_text(), re.MULTILINE)
        assert [file for file in files if file.startswith("/") or "/../" in file] == []


def test_nothing_tells_where_the_samples_were_made() -> None:
    private = re.compile(rb"/(?:work|root|tmp|builds|home/(?!user\b))\b[^\0]{0,40}")
    for path in [*SYMBOLS.rglob("*.sym"), *SAMPLES.glob("reports/*/upload_file_minidump*")]:
        contents = path.read_bytes()
        for text in (contents, contents[0::2].replace(b"\0", b" "), contents[1::2].replace(b"\0", b" ")):
            found = private.search(text)
            assert found is None, f"{path.relative_to(SAMPLES)}: {found[0]!r}"


def test_dumps_hold_no_environment_but_the_neutral_one() -> None:
    for path in SAMPLES.glob("reports/*/upload_file_minidump*"):
        contents = path.read_bytes()
        assert b"HOME=/home/user\0" in contents
        assert not re.search(rb"\b(?:PATH|PWD|OLDPWD|USER|HOSTNAME|SHELL)=", contents), path.parent.name
