"""Rules about what the client knows: process, add-ons, exceptions, memory, machine."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from processing.rules import oom
from processing.rules.gecko import BreadcrumbsRule, MozCrashReasonRule, PHCRule
from processing.rules.java import JavaStackTraceRule
from processing.rules.oom import MemoryReportExtractionRule, OutOfMemoryBinaryRule
from processing.rules.process import (
    MAX_ITEMS,
    AccessibilityRule,
    AddonsRule,
    PluginRule,
    ProcessTypeRule,
    ThemePrettyNameRule,
    UtilityActorsNameRule,
)
from processing.rules.system import (
    AndroidCPUInfoRule,
    AndroidOSInfoRule,
    CPUInfoRule,
    OSInfoRule,
    OSPrettyVersionRule,
    PlatformInfoRule,
)
from tests.processing.rules.contexts import act, filled_in, make_context, notes_of, walked

NO_MACHINE = {"cpu_arch": "unknown", "cpu_info": "unknown", "os_name": "Unknown", "os_version": ""}


@pytest.mark.parametrize(
    ("raw_crash", "process_type"),
    [
        ({}, "parent"),
        ({"ProcessType": "main"}, "parent"),
        ({"ProcessType": "browser"}, "parent"),
        ({"ProcessType": "content"}, "content"),
        ({"ProcessType": ""}, ""),
        ({"ProcessType": ["x"]}, "parent"),
    ],
)
def test_process_type(raw_crash: dict[str, Any], process_type: str):
    assert filled_in(ProcessTypeRule(), raw_crash) == {"process_type": process_type}


def test_only_plugin_processes_name_a_plugin():
    sent = {"ProcessType": "plugin", "PluginFilename": "x.dll", "PluginName": "X"}
    assert filled_in(PluginRule(), sent) == {
        "plugin_filename": "x.dll",
        "plugin_name": "X",
        "plugin_version": "",
    }
    assert filled_in(PluginRule(), sent | {"ProcessType": "gpu"}) == {}


def test_accessibility():
    assert filled_in(AccessibilityRule(), {"Accessibility": "Active"}) == {"accessibility": True}
    assert filled_in(AccessibilityRule(), {"Accessibility": "1"}) == {"accessibility": False}
    assert filled_in(AccessibilityRule()) == {"accessibility": False}


@pytest.mark.parametrize(
    ("sent", "names"), [("audio, net ,,x", ["audio", "net", "x"]), ("", []), (" , ", []), ("one", ["one"])]
)
def test_actors_of_a_utility_process(sent: str, names: list[str]):
    assert filled_in(UtilityActorsNameRule(), {"UtilityActorsName": sent}) == {"utility_actors_name": names}


@pytest.mark.parametrize(
    ("sent", "addons"),
    [
        (None, []),
        ("", []),
        ("a%40b.org:1.0", ["a@b.org:1.0"]),
        ("a:1:2,b", ["a:1:2", "b:NO_VERSION"]),
        ("a%3A1", ["a:1:NO_VERSION"]),
        ("two+words:1", ["two words:1"]),
        (["a:1"], []),
    ],
)
def test_addons(sent: Any, addons: list[str]):
    assert filled_in(AddonsRule(), {"Add-ons": sent}) == {"addons": addons, "addons_checked": None}


@pytest.mark.parametrize(
    ("rule", "annotation", "field"),
    [
        (AddonsRule(), "Add-ons", "addons"),
        (UtilityActorsNameRule(), "UtilityActorsName", "utility_actors_name"),
    ],
)
def test_of_endless_lists_the_first_items_are_kept(rule: Any, annotation: str, field: str):
    sent = ["a:1"] * MAX_ITEMS
    assert notes_of(rule, {annotation: ",".join(sent)}) == []
    for more in (1, 100_000):
        raw_crash = {annotation: ",".join(sent + ["b:2"] * more)}
        assert filled_in(rule, raw_crash)[field] == sent
        assert notes_of(rule, raw_crash) == [f"{annotation}: only the first 2,000 items were kept"]


@pytest.mark.parametrize(
    ("sent", "checked"), [("true", True), ("TRUE", True), ("false", False), ("x", False), (True, True)]
)
def test_whether_addons_were_checked(sent: Any, checked: bool):
    assert filled_in(AddonsRule(), {"EMCheckCompatibility": sent})["addons_checked"] is checked


def test_the_default_theme_is_named():
    theme = "{972ce4c6-7e08-4474-a285-3208198ce6fd}"
    crash = {"addons": [f"{theme}:1.0", theme, f"{theme}x:1", "a:1"]}
    assert filled_in(ThemePrettyNameRule(), {}, crash) == {
        "addons": [f"{theme} (default theme):1.0", f"{theme} (default theme)", f"{theme}x:1", "a:1"]
    }


FRAMES = "\tat org.example.Main.run(Main.java:10)\n\tat java.lang.Thread.run(Thread.java:1)"


@pytest.mark.parametrize(
    "sent",
    [
        f"java.lang.IllegalStateException: s3cr3t\n{FRAMES}",
        f"\n \njava.lang.IllegalStateException: s3cr3t\n{FRAMES}\n\n",
        f"java.lang.IllegalStateException\n{FRAMES}",
        f"java.lang.IllegalStateException: s3cr3t\nand s3cr3t more\n\n  s3cr3t\n{FRAMES}",
        f"java.lang.IllegalStateException: s3cr3t\n{FRAMES}\nCaused by: E: s3cr3t\n\tat a.b(C.java)\n\t... 3 more",
        f"java.lang.IllegalStateException: s3cr3t\n{FRAMES}\n\tSuppressed: E: s3cr3t\n\t\tat a.b(C.java)",
        f"java.lang.IllegalStateException: s3cr3t\r\n{FRAMES}".replace("\n\t", "\r\n\t"),
    ],
)
def test_java_traces_are_published_without_anything_a_user_typed(sent: str):
    assert filled_in(JavaStackTraceRule(), {"JavaStackTrace": sent}) == {
        "java_stack_trace_raw": sent,
        "java_stack_trace": f"java.lang.IllegalStateException\n{FRAMES}",
    }


@pytest.mark.parametrize(
    "sent",
    [
        "my password is s3cr3t",
        "s3cr3t",
        "s3cr3t: more",
        "  \n ",
        f"a b c: x\n{FRAMES}",
        f"java.lang.E: x\n{FRAMES}\ns3cr3t without a tab",
        f"{'a.' * 40_000}E: x",
    ],
)
def test_what_is_no_java_trace_is_not_published(sent: str):
    ctx = act(JavaStackTraceRule(), make_context({"JavaStackTrace": sent}))
    assert ctx.processed_crash == {"java_stack_trace_raw": sent, "java_stack_trace": "malformed"}
    assert ctx.notes == ["JavaStackTrace: malformed JavaStackTrace"]


def test_a_java_exception_may_have_no_frames_and_no_package_with_frames():
    assert (
        filled_in(JavaStackTraceRule(), {"JavaStackTrace": "java.lang.E: x"})["java_stack_trace"]
        == "java.lang.E"
    )
    assert (
        filled_in(JavaStackTraceRule(), {"JavaStackTrace": f"Boom: x\n{FRAMES}"})["java_stack_trace"]
        == f"Boom\n{FRAMES}"
    )


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("MOZ_ASSERT(false)", "MOZ_ASSERT(false)"),
        ("Failed to load module s3cr3t", "sanitized--see moz_crash_reason_raw"),
        ("byte index 5 s3cr3t", "sanitized--see moz_crash_reason_raw"),
        ("do not use eval with system privileges: s3cr3t", "sanitized--see moz_crash_reason_raw"),
    ],
)
def test_assertions_that_may_quote_the_user_are_protected(reason: str, shown: str):
    assert filled_in(MozCrashReasonRule(), {"MozCrashReason": reason}) == {
        "moz_crash_reason_raw": reason,
        "moz_crash_reason": shown,
    }


def test_heap_checker():
    sent = {"PHCKind": "FreedPage", "PHCBaseAddress": "10", "PHCUsableSize": "8", "PHCAllocStack": "1,2"}
    assert filled_in(PHCRule(), sent) == {
        "phc_kind": "FreedPage",
        "phc_base_address": "0xa",
        "phc_usable_size": 8,
        "phc_alloc_stack": "1,2",
    }
    assert filled_in(PHCRule(), {"PHCKind": "x", "PHCBaseAddress": "z", "PHCUsableSize": "z"}) == {
        "phc_kind": "x"
    }
    assert filled_in(PHCRule(), {"PHCBaseAddress": "10"}) == {}


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("as_text", [False, True])
def test_breadcrumbs(wrap: bool, as_text: bool):
    crumbs = [{"category": "ui", "data": {"a": "b"}, "timestamp": "2026-01-01"}]
    sent: Any = {"values": crumbs} if wrap else crumbs
    assert filled_in(BreadcrumbsRule(), {"Breadcrumbs": json.dumps(sent) if as_text else sent}) == {
        "breadcrumbs": crumbs
    }


@pytest.mark.parametrize("sent", ["{s3cr3t", '"s3cr3t"', '["s3cr3t"]', '[{"data": "s3cr3t"}]', "[" * 100_000])
def test_malformed_breadcrumbs_are_noted_and_not_quoted(sent: str):
    ctx = act(BreadcrumbsRule(), make_context({"Breadcrumbs": sent}))
    assert ctx.processed_crash == {}
    assert ctx.notes == ["Breadcrumbs: malformed: not a list of events in JSON"]


def memory_report_context(tmp_path: Path, content: bytes) -> Any:
    path = tmp_path / "memory_report"
    path.write_bytes(content)
    return act(OutOfMemoryBinaryRule(), make_context(dumps={"memory_report": path}))


def test_a_memory_report_is_unpacked(tmp_path: Path):
    ctx = memory_report_context(tmp_path, gzip.compress(b'{"version": 1}'))
    assert ctx.processed_crash == {"memory_report": {"version": 1}}
    assert ctx.notes == []


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"s3cr3t", "error in gzip of the memory report"),
        (gzip.compress(b"s3cr3t" * 100)[:-9], "error in gzip of the memory report"),
        (b"", "error in json of the memory report"),
        (gzip.compress(b"s3cr3t"), "error in json of the memory report"),
        (gzip.compress(b"\xff\xfe\xff"), "error in json of the memory report"),
        (gzip.compress(b"[" * 100_000), "error in json of the memory report"),
        (gzip.compress(b"[" + b"[]," * 1_000_000 + b"[]]"), "error in json of the memory report"),
        (gzip.compress(bytes(30 * 1024**2)), "Uncompressed memory info too large (max: 20971520)"),
    ],
)
def test_a_bad_memory_report_is_noted_by_its_kind_only(tmp_path: Path, content: bytes, error: str):
    ctx = memory_report_context(tmp_path, content)
    assert ctx.processed_crash == {"memory_report_error": error}
    assert ctx.notes == [f"OutOfMemoryBinaryRule: {error}"]


def test_a_memory_report_that_is_a_bomb_is_never_unpacked_whole(tmp_path: Path):
    bomb = gzip.compress(bytes(100 * 1024**2), compresslevel=1)
    tracemalloc.start()
    try:
        ctx = memory_report_context(tmp_path, bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "too large" in ctx.processed_crash["memory_report_error"]
    assert peak < 3 * oom.MAX_MEMORY_REPORT_BYTES


def report(
    path: str, amount: Any, process: str = "Main (pid 11)", kind: int = 1, units: int = 0
) -> dict[str, Any]:
    return {"path": path, "amount": amount, "process": process, "kind": kind, "units": units}


def measured(*reports: Any, pid: int = 11) -> Any:
    memory_report = {"version": 1, "hasMozMallocUsableSize": True, "reports": list(reports)}
    filled = filled_in(MemoryReportExtractionRule(), {}, walked(pid=pid) | {"memory_report": memory_report})
    return filled.get("memory_measures")


def test_reports_of_the_crashed_process_are_added_up():
    measures = measured(
        report("explicit/images/a", 1),
        report("explicit/window-objects/top(none)/detached/x", 2),
        report("explicit/heap-overhead/x", 4),
        report("explicit/other", 8, kind=0),
        report("js-main-runtime/x", 16),
        report("heap-allocated", 100),
        report("vsize-max-contiguous", 7, kind=2, units=1),
        report("resident", 1000, process="Web (pid 111)"),
        report("unheard/of", 5),
    )
    assert len(measures) == 16
    assert {name: value for name, value in measures.items() if value} == {
        "images": 1,
        "top_none_detached": 2,
        "heap_overhead": 4,
        "js_main_runtime": 16,
        "heap_allocated": 100,
        "vsize_max_contiguous": 7,
        "heap_unclassified": 100 - 7,
        "explicit": 108,
    }


@pytest.mark.parametrize(
    "odd",
    [
        report("explicit/x", 1, kind=2),
        report("explicit/x", 1, units=1),
        report("explicit/x", "1"),
        {"process": "Main (pid 11)"},
        report("explicit/x", 1, kind=[]),  # type: ignore[arg-type]
    ],
)
def test_reports_that_do_not_fit_together_give_no_measures(odd: dict[str, Any]):
    assert measured(report("resident", 1), odd) is None


def test_reports_of_other_processes_give_no_measures():
    assert measured(report("resident", 1), pid=5) is None
    assert oom.measure_memory("text", 1) is None
    assert oom.measure_memory([None, 5], 1) is None


def test_machine_of_a_dump():
    info = {"cpu_arch": "amd64", "cpu_info": "family 6", "cpu_count": 8, "cpu_microcode_version": "0xf0"}
    assert filled_in(CPUInfoRule(), {}, walked(system_info=info)) == info


@pytest.mark.parametrize("info", [None, {}, {"cpu_arch": None, "cpu_info": None, "cpu_count": None}])
def test_machine_without_data(info: Any):
    assert filled_in(CPUInfoRule(), {}, walked(system_info=info)) == {
        "cpu_arch": "unknown",
        "cpu_info": "unknown",
        "cpu_count": 0,
    }


def test_system_of_a_dump():
    info = {"os": "Linux ", "os_ver": " 6.1 "}
    assert filled_in(OSInfoRule(), {}, walked(system_info=info)) == {"os_name": "Linux", "os_version": "6.1"}
    assert filled_in(OSInfoRule(), {}, walked(system_info={"os": None})) == {
        "os_name": "Unknown",
        "os_version": "",
    }


@pytest.mark.parametrize(
    ("abi", "arch"),
    [
        ("armeabi-v7a", "arm"),
        ("arm64-v8a", "arm64"),
        ("x86_64", "amd64"),
        ("x86", "x86"),
        ("riscv64", "riscv64"),
    ],
)
def test_machine_by_androids_name(abi: str, arch: str):
    assert filled_in(AndroidCPUInfoRule(), {"Android_CPU_ABI": abi}, {"cpu_arch": "unknown"}) == {
        "cpu_arch": arch
    }
    assert filled_in(AndroidCPUInfoRule(), {"Android_CPU_ABI": abi}, {"cpu_arch": "mips"}) == {}


@pytest.mark.parametrize(
    ("os_name", "sent", "filled"),
    [
        ("Unknown", "31 (REL)", {"os_name": "Android", "os_version": "31"}),
        ("Android", "31", {"os_version": "31"}),
        ("Unknown", "REL 31", {"os_name": "Android"}),
        ("Linux", "31", {}),
        ("Unknown", "", {}),
    ],
)
def test_android_is_named_by_its_level(os_name: str, sent: str, filled: dict[str, str]):
    assert (
        filled_in(AndroidOSInfoRule(), {"Android_Version": sent}, {"os_name": os_name, "os_version": ""})
        == filled
    )


def test_annotations_fill_the_gaps_about_the_machine():
    sent = {"CPUArchitecture": "arm64 ", "CPUInfo": "family 1", "OS": "Mac OS X", "OSVersion": "14.1"}
    assert filled_in(PlatformInfoRule(), sent, NO_MACHINE) == {
        "cpu_arch": "arm64",
        "cpu_info": "family 1",
        "os_name": "Mac OS X",
        "os_version": "14.1",
    }


def test_annotations_never_replace_what_a_dump_tells():
    known = {"cpu_arch": "amd64", "cpu_info": "x", "os_name": "Linux", "os_version": "6"}
    assert (
        filled_in(PlatformInfoRule(), {"CPUArchitecture": "arm64", "OS": "X", "OSVersion": "1"}, known) == {}
    )
    assert filled_in(PlatformInfoRule(), {"CPUArchitecture": " ", "OS": ["x"]}, NO_MACHINE) == {}


@pytest.mark.parametrize(
    ("os_name", "os_version", "pretty"),
    [
        ("Windows NT", "3.5", "Windows NT"),
        ("Windows NT", "4.0", "Windows NT"),
        ("Windows NT", "4.1", "Windows 98"),
        ("Windows NT", "4.9", "Windows Me"),
        ("Windows NT", "5.0", "Windows 2000"),
        ("Windows NT", "5.1", "Windows XP"),
        ("Windows NT", "5.2", "Windows Server 2003"),
        ("Windows NT", "6.0", "Windows Vista"),
        ("Windows NT", "6.1.7601 Service Pack 1", "Windows 7"),
        ("Windows NT", "6.2", "Windows 8"),
        ("Windows NT", "6.3", "Windows 8.1"),
        ("Windows NT", "10.0.19045", "Windows 10"),
        ("Windows NT", "10.0.9999", "Windows 10"),
        ("Windows NT", "10.0.21996", "Windows 11"),
        ("Windows NT", "10.0.100000", "Windows 11"),
        ("Windows NT", "11.0", "Windows Unknown"),
        ("Windows NT", "junk", "Windows NT"),
        ("Windows", "", "Windows"),
        ("Mac OS X", "10.15.7 19H15", "OS X 10.15"),
        ("Mac OS X", "14.1.0", "macOS 14"),
        ("Mac OS X", "9.2", "OS X Unknown"),
        ("Mac OS X", "", "Mac OS X"),
        ("Android", "31", "Android 31"),
        ("Android", "", "Android"),
        ("Linux", "6.1", "Linux"),
        ("Solaris", "11", "Solaris"),
        ("Unknown", "", "Unknown"),
    ],
)
def test_pretty_names_of_systems(os_name: str, os_version: str, pretty: str):
    crash = {"os_name": os_name, "os_version": os_version}
    assert filled_in(OSPrettyVersionRule(), {}, crash) == {"os_pretty_version": pretty}


def test_linux_is_named_by_its_distribution():
    crash = {"os_name": "Linux", "os_version": ""}
    rule = OSPrettyVersionRule()
    dump = walked(lsb_release={"description": "Debian 12"})
    assert (
        filled_in(rule, {"LinuxLSBDescription": "Ubuntu"}, crash | dump)["os_pretty_version"] == "Debian 12"
    )
    assert filled_in(rule, {"LinuxLSBDescription": " Ubuntu "}, crash)["os_pretty_version"] == "Ubuntu"


def test_a_report_without_oddities_gives_no_notes():
    assert notes_of(AddonsRule(), {"Add-ons": "a:1"}) == []
