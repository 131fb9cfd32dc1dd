"""Explanations: each frame with its decision and entry, each rule with its reason."""

import json

from signatures.generator import SignatureGenerator
from signatures.siglists import SignatureLists
from tests.signatures.examples import small_lists, stack, write_lists

STACK = stack(
    "memcpy",
    "core::panicking::panic_fmt",
    {},
    "core::option::expect_failed",
    {"module": "x.dll"},
    {"module": "x.dll"},
    {"function": "static void atlas::Draw(int)", "file": "a.cc"},
    "_purecall",
)


def test_frames_tell_what_was_decided_and_by_which_entry():
    frames = SignatureGenerator(small_lists()).generate(STACK).explanation.frames
    assert [(frame.text, frame.decision, frame.entry and frame.entry.pattern) for frame in frames] == [
        ("memcpy", "before sentinel", None),
        ("core::panicking::panic_fmt", "irrelevant", "core::panicking::"),
        ("", "empty", None),
        ("core::option::expect_failed", "prefix", "core::option::expect_failed"),
        ("x.dll", "prefix", ".*\\.dll"),
        ("x.dll", "duplicate", None),
        ("atlas::Draw", "end", None),
        ("_purecall", "beyond end", None),
    ]
    assert [frame.sentinel.pattern for frame in frames if frame.sentinel] == ["core::panicking::panic_fmt"]
    assert frames[1].entry.line == 3
    assert (frames[6].raw, frames[6].rule) == ("static void atlas::Draw(int)", "C++")
    assert (frames[4].raw, frames[4].rule) == ("x.dll", "module")


def test_rules_tell_whether_they_fired_and_why():
    result = SignatureGenerator(small_lists()).generate(stack("a()", oom_allocation_size=7, reason=5))
    rules = {rule.rule: rule for rule in result.explanation.rules}
    assert next(iter(rules)) == "SignatureGenerationRule"
    assert len(rules) == 14
    fired = rules["OOMSignature"]
    assert (fired.fired, fired.why, fired.before, fired.after) == (
        True,
        "there is an allocation size",
        "a",
        "OOM | small",
    )
    assert (rules["HungProcess"].fired, rules["HungProcess"].why) == (
        False,
        "applies when the crash tells of a hang",
    )
    assert rules["BadHardware"].why == "failed: TypeError"


def test_explanation_is_json_and_names_the_profile():
    result = SignatureGenerator(small_lists(), "reference").generate(STACK)
    explanation = json.loads(json.dumps(result.to_json(with_explanation=True)))["explanation"]
    assert explanation["profile"] == result.profile == "reference"
    assert explanation["frames"][1]["entry"] == {
        "list_name": "irrelevant_signature_re",
        "pattern": "core::panicking::",
        "line": 3,
    }
    assert "entry" not in explanation["frames"][0]


def test_explanation_of_a_huge_name_is_small():
    result = SignatureGenerator(small_lists()).generate(stack("a" * 100_000))
    [frame] = result.explanation.frames
    assert len(frame.raw) == len(frame.text) == 1001


def test_explanation_describes_the_main_thread_after_a_shutdown_hang():
    crash = {
        "crashing_thread": 1,
        "threads": [{"frames": [{"function": "a()"}]}, {"frames": [{"function": "RunWatchdog"}]}],
    }
    explanation = SignatureGenerator(small_lists()).generate(crash).explanation
    assert [frame.text for frame in explanation.frames] == ["a"]


def test_debug_log_is_the_one_people_know(tmp_path):
    lists = SignatureLists.load(write_lists(tmp_path))
    crash = stack(
        "memcpy",
        "rust_panic",
        "core::panicking::panic_fmt",
        {},
        "core::option::expect_failed",
        "atlas::Draw()",
        hang="ui",
    )
    assert SignatureGenerator(lists, "reference").generate(crash).debug_log == [
        "SignatureGenerationRule: using CSignatureTool",
        f"SignatureGenerationRule: using signature lists from {tmp_path}",
        'SignatureGenerationRule: sentinel; starting at "core::panicking::panic_fmt" index 2',
        'SignatureGenerationRule: irrelevant; ignoring: "core::panicking::panic_fmt"',
        'SignatureGenerationRule: empty string; ignoring: ""',
        'SignatureGenerationRule: prefix; continue iterating: "core::option::expect_failed"',
        'SignatureGenerationRule: not a prefix; stop: "atlas::Draw"',
        'SignatureGenerationRule: change signature: "" -> "core::option::expect_failed | atlas::Draw"',
        'HungProcess: change signature: "core::option::expect_failed | atlas::Draw" -> '
        '"hang: ui | core::option::expect_failed | atlas::Draw"',
    ]


def test_debug_log_of_java_and_of_failures():
    generator = SignatureGenerator(profile="reference")
    assert generator.generate({"java_stack_trace": "x.Y: z"}).debug_log[0] == (
        "SignatureGenerationRule: using JavaSignatureTool"
    )
    log = generator.generate({"threads": [{"frames": None}]}).debug_log
    assert log[-1] == "SignatureGenerationRule: failed: 'NoneType' object is not iterable"
    assert not any("change" in line for line in generator.generate(stack({})).debug_log)
    assert "using included signature lists" in SignatureGenerator().generate(stack("a")).debug_log[1]
