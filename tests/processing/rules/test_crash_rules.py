"""Rules about the crash itself: thread, reason, address, modules, signature."""

from __future__ import annotations

from typing import Any

import pytest

from processing.rules.mac import MacBootArgsRule, MacCrashInfoRule
from processing.rules.modules import MissingSymbolsRule, ModulesInStackRule, ModuleURLRewriteRule
from processing.rules.signature import SignatureGeneratorRule
from processing.rules.threads import (
    CrashInconsistenciesRule,
    CrashingThreadInfoRule,
    HasGuardPageAccessRule,
    PossibleBitFlipsRule,
    ReportTypeRule,
    ShutDownHangCrashingThreadRule,
    SoftErrorsRule,
    ThreadCountRule,
    TopMostFilesRule,
)
from tests.processing.rules.contexts import act, filled_in, make_context, notes_of, walked

#: What hostile and broken dumps make of the document; no rule may fail on any of them.
BROKEN: list[dict[str, Any]] = [
    {},
    {"json_dump": None},
    {"json_dump": {}},
    {"json_dump": {"crash_info": None, "threads": None, "modules": None, "system_info": None}},
    {"json_dump": {"crash_info": {}, "threads": [], "modules": []}},
    {"json_dump": {"crash_info": {"crashing_thread": "x"}, "threads": [None], "modules": [None, {}]}},
    {
        "json_dump": {"crash_info": {"crashing_thread": 5}, "threads": [{"frames": None}]},
        "crashing_thread": 5,
    },
    {
        "json_dump": {"crash_info": {"crashing_thread": 0}, "threads": [{"frames": [None, {}]}]},
        "crashing_thread": 0,
    },
    {"json_dump": {"threads": [{"frames": [{"inlines": None, "module": None}]}]}, "crashing_thread": -1},
]
RULES = [
    CrashInconsistenciesRule(),
    CrashingThreadInfoRule(),
    HasGuardPageAccessRule(),
    MacBootArgsRule(),
    MacCrashInfoRule(),
    MissingSymbolsRule(),
    ModuleURLRewriteRule(),
    ModulesInStackRule(),
    PossibleBitFlipsRule(),
    ReportTypeRule(),
    SignatureGeneratorRule(),
    SoftErrorsRule(),
    ThreadCountRule(),
    TopMostFilesRule(),
]


@pytest.mark.parametrize("crash", BROKEN, ids=str)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_no_rule_fails_on_a_broken_document(rule: Any, crash: dict[str, Any]):
    act(rule, make_context({}, dict(crash)))


def with_crash_info(**crash_info: Any) -> dict[str, Any]:
    crash = walked(["main"])
    crash["json_dump"]["crash_info"].update(crash_info)
    return crash


def test_thread_reason_and_address_of_the_crash():
    crash = with_crash_info(type="SIGSEGV", address="0x00007ffdc5130fb0")
    crash["json_dump"]["crashing_thread"]["last_error_value"] = "ERROR_SUCCESS"
    assert filled_in(CrashingThreadInfoRule(), {}, crash) == {
        "crashing_thread": 0,
        "crashing_thread_name": "Main",
        "reason": "SIGSEGV",
        "address": "0x00007ffdc5130fb0",
        "last_error_value": "ERROR_SUCCESS",
    }


def test_a_failed_walk_gives_empty_values_and_a_note():
    ctx = act(CrashingThreadInfoRule(), make_context({}, {"json_dump": {}}))
    assert ctx.processed_crash == {
        "json_dump": {},
        "crashing_thread": None,
        "crashing_thread_name": None,
        "reason": "",
        "address": None,
    }
    assert ctx.notes == ["mdsw did not identify the crashing thread"]


def test_without_a_dump_there_is_no_crashing_thread():
    assert filled_in(CrashingThreadInfoRule()) == {}


@pytest.mark.parametrize(
    ("address", "adjusted", "shown"),
    [
        ("0x00000000000000e8", {"kind": "null-pointer", "offset": "0xe8"}, "0x0000000000000000"),
        ("0x000000e8", {"kind": "null-pointer", "offset": "0xe8"}, "0x00000000"),
        (
            "0xffffffffffffffff",
            {"kind": "non-canonical", "address": "0xe5e5e5e5e5e5e5e5"},
            "0xe5e5e5e5e5e5e5e5",
        ),
        ("0xffffffffffffffff", {"kind": "non-canonical"}, "0xffffffffffffffff"),
        ("0x00000000deadbeef", {"kind": "unheard-of"}, "0x00000000deadbeef"),
        ("0x00000000deadbeef", None, "0x00000000deadbeef"),
        (None, {"kind": "null-pointer"}, None),
    ],
)
def test_the_address_is_the_one_the_program_meant(address: str | None, adjusted: Any, shown: str | None):
    crash = with_crash_info(address=address, adjusted_address=adjusted)
    assert filled_in(CrashingThreadInfoRule(), {}, crash)["address"] == shown


def test_a_last_error_that_is_no_text_is_left_out():
    crash = with_crash_info()
    crash["json_dump"]["crashing_thread"]["last_error_value"] = 5
    assert "last_error_value" not in filled_in(CrashingThreadInfoRule(), {}, crash)


@pytest.mark.parametrize(
    ("flips", "percent"),
    [([{"confidence": 0.625}, {"confidence": 0.25}], 62), ([{"confidence": None}], 0), ([{}, None], 0)],
)
def test_confidence_in_bit_flips(flips: list[Any], percent: int):
    crash = with_crash_info(possible_bit_flips=flips)
    assert filled_in(PossibleBitFlipsRule(), {}, crash) == {"possible_bit_flips_max_confidence": percent}


@pytest.mark.parametrize("flips", [None, []])
def test_no_bit_flips_no_confidence(flips: Any):
    assert filled_in(PossibleBitFlipsRule(), {}, with_crash_info(possible_bit_flips=flips)) == {}


def test_inconsistencies_are_copied():
    assert filled_in(CrashInconsistenciesRule(), {}, with_crash_info(crash_inconsistencies=["a"])) == {
        "crash_inconsistencies": ["a"]
    }
    assert filled_in(CrashInconsistenciesRule(), {}, with_crash_info()) == {"crash_inconsistencies": None}


@pytest.mark.parametrize(
    ("accesses", "filled"),
    [
        (None, {}),
        ([], {}),
        ([{"address": "0x1"}], {}),
        ([{"is_likely_guard_page": False}], {}),
        ([{}, {"is_likely_guard_page": True}], {"has_guard_page_access": True}),
    ],
)
def test_access_to_guard_pages(accesses: Any, filled: dict[str, Any]):
    assert filled_in(HasGuardPageAccessRule(), {}, with_crash_info(memory_accesses=accesses)) == filled


@pytest.mark.parametrize(
    ("crash", "report_type"),
    [
        ({}, "crash"),
        (walked(["main"]), "crash"),
        ({"ipc_channel_error": "ShutDownKill"}, "hang"),
        ({"async_shutdown_timeout": "{}"}, "hang"),
        (walked(["abort", "mozilla::RunWatchdog(void*)"]), "hang"),
        (walked(["mozilla::RunWatchdog(void*)"], crashing_thread=None), "hang"),
        (walked(["mozilla::RunWatchdog(void*)"], crashing_thread=1), "crash"),
    ],
)
def test_crash_or_hang(crash: dict[str, Any], report_type: str):
    assert filled_in(ReportTypeRule(), {}, crash) == {"report_type": report_type}


def test_a_hang_at_shutdown_is_blamed_on_the_main_thread():
    crash = walked(["main"], crashing_thread=3) | {"crashing_thread": 3, "crashing_thread_name": "Watchdog"}
    assert filled_in(ShutDownHangCrashingThreadRule(), {}, crash | {"signature": "shutdownhang | main"}) == {
        "crashing_thread": 0,
        "crashing_thread_name": "Main",
    }
    assert filled_in(ShutDownHangCrashingThreadRule(), {}, crash | {"signature": "main"}) == {}


def test_the_topmost_file_may_be_that_of_an_inlined_function():
    crash = walked() | {"crashing_thread": 0}
    crash["json_dump"]["threads"][0]["frames"] = [
        {"function": "no file here", "inlines": [{"function": "nor here", "file": None}]},
        {"file": "outer.cpp", "inlines": [{"file": "inner.h"}]},
    ]
    assert filled_in(TopMostFilesRule(), {}, crash) == {"topmost_filenames": "inner.h"}


def test_without_files_there_is_no_topmost_file():
    assert filled_in(TopMostFilesRule(), {}, walked(["main"]) | {"crashing_thread": 0}) == {}


def test_thread_count():
    assert filled_in(ThreadCountRule(), {}, walked(thread_count=7)) == {"thread_count": 7}
    assert filled_in(ThreadCountRule()) == {"thread_count": None}


@pytest.mark.parametrize(
    ("soft_errors", "text"),
    [(None, "null"), ([], "[]"), (["a"], '["a"]'), ([{"InitErrors": ["x"]}], '[{"InitErrors": ["x"]}]')],
)
def test_soft_errors_become_text(soft_errors: Any, text: str):
    assert filled_in(SoftErrorsRule(), {}, walked(soft_errors=soft_errors)) == {"soft_errors": text}


def test_soft_errors_are_bounded():
    assert len(filled_in(SoftErrorsRule(), {}, walked(soft_errors=["x" * 9999]))["soft_errors"]) == 4096


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://symbols.mozilla.org/a/b/c.sym?code_id=1", "https://symbols.mozilla.org/a/b/c.sym"),
        ("https://bucket.example/a.sym?X-Amz-Signature=abc#x", "https://bucket.example/a.sym"),
        ("https://user:secret@example.com:8443/a.sym", "https://example.com:8443/a.sym"),
        ("http://[2001:db8::1]/a.sym", "http://[2001:db8::1]/a.sym"),
    ],
)
def test_addresses_of_symbols_lose_credentials_and_queries(url: str, shown: str):
    ctx = act(
        ModuleURLRewriteRule(), make_context({}, walked(modules=[{"filename": "x", "symbol_url": url}]))
    )
    assert ctx.processed_crash["json_dump"]["modules"][0]["symbol_url"] == shown
    assert ctx.notes == []


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000/a.sym",
        "http://127.0.0.1/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://[",
        "http://a:x/",
        "x",
    ],
)
def test_addresses_that_lead_nowhere_are_removed(url: str):
    crash = walked(modules=[{"filename": "crashy", "symbol_url": url}, {"filename": "y", "symbol_url": None}])
    ctx = act(ModuleURLRewriteRule(), make_context({}, crash))
    assert ctx.processed_crash["json_dump"]["modules"][0]["symbol_url"] is None
    assert ctx.notes == ["Redacting symbol url for module crashy"]


def test_addresses_in_the_documents_of_further_dumps_are_cleaned_too():
    further = walked(modules=[{"filename": "x", "symbol_url": "https://example.com/a.sym?token=s3cr3t"}])
    name = "upload_file_minidump_browser"
    ctx = act(ModuleURLRewriteRule(), make_context({}, {"additional_minidumps": [name], name: further}))
    assert ctx.processed_crash[name]["json_dump"]["modules"][0]["symbol_url"] == "https://example.com/a.sym"


def test_modules_on_the_stack_are_listed_once_and_sorted():
    frames = [
        {"module": "b.so"},
        {"module": "a.so"},
        {"module": "b.so"},
        {"module": None},
        {"module": "unknown.so"},
    ]
    modules = [
        {"filename": "b.so", "debug_id": "B1"},
        {"filename": "a.so", "debug_id": "A-1"},
        {"filename": "c.so"},
    ]
    crash = walked(modules=modules) | {"crashing_thread": 0}
    crash["json_dump"]["threads"][0]["frames"] = frames
    assert filled_in(ModulesInStackRule(), {}, crash) == {"modules_in_stack": "a.so/A1;b.so/B1"}


def test_modules_on_the_stack_keep_clean_names():
    crash = walked(modules=[{"filename": "a;b/c é.so", "debug_id": None}]) | {"crashing_thread": 0}
    crash["json_dump"]["threads"][0]["frames"] = [{"module": "a;b/c é.so"}]
    assert filled_in(ModulesInStackRule(), {}, crash) == {"modules_in_stack": "abc.so/"}


def test_missing_symbols_are_listed_sorted_and_clean():
    modules = [
        {
            "filename": "z.so",
            "debug_id": "AB1",
            "version": "1/2;3",
            "code_id": "00ff",
            "missing_symbols": True,
        },
        {"filename": "a b.so", "debug_id": None, "version": None, "missing_symbols": True},
        {"filename": "has.so", "debug_id": "AB1", "missing_symbols": False},
        {"filename": "odd.so", "debug_id": "AB1", "missing_symbols": "yes"},
        {"filename": None, "missing_symbols": True},
    ]
    assert filled_in(MissingSymbolsRule(), {}, walked(modules=modules)) == {
        "missing_symbols": rf"ab.so/None/{'0' * 33};z.so/1\/23/AB1/00ff"
    }


def test_no_missing_symbols_no_list():
    assert (
        filled_in(MissingSymbolsRule(), {}, walked(modules=[{"filename": "a", "missing_symbols": False}]))
        == {}
    )


def test_boot_arguments_of_macs_are_kept():
    assert filled_in(MacBootArgsRule(), {}, walked(mac_boot_args=" -v ")) == {
        "mac_boot_args": "-v",
        "has_mac_boot_args": True,
    }
    assert filled_in(MacBootArgsRule(), {}, walked(mac_boot_args="  ")) == {}
    assert notes_of(MacBootArgsRule(), {}, walked(mac_boot_args=["-v"])) == [
        "MacBootArgsRule: mac_boot_args is list and not str"
    ]


def test_crash_info_of_macs_is_kept_sorted():
    info = {"records": [{"b": 1, "a": 2}], "num_records": 1}
    assert filled_in(MacCrashInfoRule(), {}, walked(mac_crash_info=info)) == {
        "mac_crash_info": '{"num_records": 1, "records": [{"a": 2, "b": 1}]}'
    }
    assert filled_in(MacCrashInfoRule(), {}, walked(mac_crash_info={"num_records": 0})) == {}


def test_the_signature_comes_from_the_stack():
    filled = filled_in(SignatureGeneratorRule(), {}, walked(["waterwolf::Surface::paint", "main"]))
    assert filled["signature"] == "waterwolf::Surface::paint"
    assert filled["proto_signature"] == "waterwolf::Surface::paint | main"
    assert filled["signature_debug"]
    assert filled["signature_profile"] == "default"
    frames = filled["signature_explanation"]["frames"]
    assert [(frame["text"], frame["decision"]) for frame in frames] == [
        ("waterwolf::Surface::paint", "end"),
        ("main", "beyond end"),
    ]


def test_without_a_stack_the_signature_says_so():
    filled = filled_in(
        SignatureGeneratorRule(), {}, {"json_dump": {}, "mdsw_status_string": "HeaderMismatch"}
    )
    assert filled["signature"].startswith("EMPTY: ")
    assert "HeaderMismatch" in filled["signature"]
    assert "proto_signature" not in filled


def test_an_earlier_proto_signature_does_not_survive():
    crash = {"json_dump": {}, "proto_signature": "old", "signature": "old"}
    assert "proto_signature" not in act(SignatureGeneratorRule(), make_context({}, crash)).processed_crash
