"""The signature rules: where the default profile differs, and corners that the recorded examples leave out."""

import doctest

import pytest

from signatures import rules
from signatures.generator import SignatureGenerator
from tests.signatures.examples import small_lists, stack

GENERATORS = {name: SignatureGenerator(small_lists(), name) for name in ("default", "reference")}


def default(*frames, **crash):
    return GENERATORS["default"].generate(stack(*(frames or ("atlas::Draw()",)), **crash))


def reference(*frames, **crash):
    return GENERATORS["reference"].generate(stack(*(frames or ("atlas::Draw()",)), **crash))


def test_nobody_is_blamed_when_nobody_named_the_thread():
    threads = [{"frames": [{"function": "a()"}]}, {"frames": [{"function": "b()"}]}]
    for index in (None, "", "two", -1, [1], float("nan"), float("inf")):
        result = GENERATORS["default"].generate({"threads": threads, "crashing_thread": index})
        assert result.signature == "EMPTY: no crashing thread identified"
        assert result.notes == ["SignatureGenerationRule: CSignatureTool: no crashing thread identified"]
    assert GENERATORS["default"].generate({"threads": threads[:1]}).signature == "a"
    assert GENERATORS["reference"].generate({"threads": threads}).signature == "a"


@pytest.mark.parametrize("index", ["1", 1, 1.9, True, " 1 "])
def test_thread_index_can_be_written_in_several_ways(index):
    threads = [{"frames": []}, {"frames": [{"function": "b()"}]}]
    for generator in GENERATORS.values():
        assert generator.generate({"threads": threads, "crashing_thread": index}).signature == "b"


@pytest.mark.parametrize("threads", [5, "text", {}, [], [{"frames": []}], [{}]])
def test_threads_of_a_wrong_shape_count_as_no_frames(threads):
    for generator in GENERATORS.values():
        result = generator.generate({"threads": threads, "crashing_thread": 0})
        assert result.signature == "EMPTY: no frame data available"


@pytest.mark.parametrize(("thread", "kind"), [(None, "NoneType"), (5, "int"), ("text", "str"), ([], "list")])
def test_a_thread_that_is_no_object_fails_the_rule_in_the_reference_only(thread, kind):
    crash = {"threads": [thread], "crashing_thread": 0}
    result = GENERATORS["reference"].generate(crash)
    assert result.signature == ""
    assert result.notes == [f"SignatureGenerationRule: Rule failed: '{kind}' object has no attribute 'get'"]
    assert GENERATORS["default"].generate(crash).signature == "EMPTY: no frame data available"


@pytest.mark.parametrize("size", [0, "lots", [], "0"])
def test_useless_allocation_size_is_an_unknown_one(size):
    assert (
        default(reason="STATUS_NO_MEMORY", oom_allocation_size=size).signature
        == "OOM | unknown | atlas::Draw"
    )


@pytest.mark.parametrize(
    "function",
    [
        "NS_ABORT_OOM",
        "mozalloc_handle_oom",
        "js::CrashAtUnhandlableOOM",
        "js::AutoEnterOOMUnsafeRegion::crash",
        "alloc::oom::oom",
    ],
)
def test_functions_that_tell_of_exhausted_memory(function):
    assert reference(function).signature == f"OOM | unknown | {function}"


@pytest.mark.parametrize("error", ["ERROR_COMMITMENT_LIMIT", "ERROR_NOT_ENOUGH_MEMORY"])
def test_last_errors_that_tell_of_exhausted_memory(error):
    crash = {"threads": [{"frames": [{"function": "atlas::Draw()"}], "last_error_value": error}]}
    assert GENERATORS["reference"].generate(crash).signature == "OOM | unknown | atlas::Draw"


@pytest.mark.parametrize("reason", ["STATUS_FATAL_MEMORY_EXHAUSTION", "STATUS_NO_MEMORY"])
def test_reasons_that_tell_of_exhausted_memory(reason):
    assert reference(reason=reason).signature == "OOM | unknown | atlas::Draw"


def test_empty_signature_is_no_out_of_memory_by_its_reason():
    assert reference({}, reason="STATUS_NO_MEMORY").signature == ""


def test_last_error_of_another_thread_does_not_count():
    crash = stack("atlas::Draw()")
    crash["threads"].append({"frames": [], "last_error_value": "ERROR_COMMITMENT_LIMIT"})
    assert GENERATORS["reference"].generate(crash).signature == "atlas::Draw"


def test_numbers_addresses_and_ids_in_abort_messages_are_generalised():
    message = "lost 3 tiles at 0x7f00a0 of 0badf00d-1234 in v2"
    assert (
        default(abort_message=message).signature
        == "Abort | lost <n> tiles at <addr> of <id> in v2 | atlas::Draw"
    )
    assert reference(abort_message=message).signature == f"Abort | {message} | atlas::Draw"


@pytest.mark.parametrize(
    ("message", "signature"),
    [
        ("a ###!!! ABORT: b ###!!! ABORT: c", "Abort | b ###!!! ABORT: c | atlas::Draw"),
        ("###!!! ABORT:", "Abort | | atlas::Draw"),
        ("x: file a: file b", "Abort | x | atlas::Draw"),
        ("unable to find a usable font (a) b (c) d", "Abort | unable to find a usable font d | atlas::Draw"),
        ("unable to find a usable font (", "Abort | unable to find a usable font ( | atlas::Draw"),
        ("unable to find a usable font )(", "Abort | unable to find a usable font )( | atlas::Draw"),
        ("\t", "Abort | | atlas::Draw"),
    ],
)
def test_abort_messages(message, signature):
    assert reference(abort_message=message).signature == signature


@pytest.mark.parametrize(
    ("timeout", "signature"),
    [
        ('{"phase": 3, "conditions": null}', "AsyncShutdownTimeout | (unknown) | (none)"),
        ('{"phase": "p", "conditions": [null, 10, 9, "a"]}', "AsyncShutdownTimeout | p | 10,9,None,a"),
        ('{"phase": "p", "conditions": {"b": 1, "a": 2}}', "AsyncShutdownTimeout | p | a,b"),
        ('{"phase": "p", "conditions": [{"name": "a"}, {}]}', "AsyncShutdownTimeout | p | UNKNOWN"),
    ],
)
def test_shutdown_timeouts(timeout, signature):
    assert reference(async_shutdown_timeout=timeout).signature == signature


def test_conditions_that_differ_in_numbers_only_are_one_condition():
    timeout = '{"phase": "p", "conditions": ["tile 12", "tile 7", "f", "e", "d", "c", "b", "a"]}'
    assert (
        default(async_shutdown_timeout=timeout).signature == "AsyncShutdownTimeout | p | a,b,c,d,e,f,tile <n>"
    )


@pytest.mark.parametrize("timeout", ["[1]", "null", "7", '{"conditions": 5}', "[" * 100_000])
def test_shutdown_timeout_that_is_no_object_is_unknown_in_the_default_profile(timeout):
    result = default(async_shutdown_timeout=timeout)
    assert result.signature in ("AsyncShutdownTimeout | UNKNOWN", "atlas::Draw")
    assert all(timeout not in note for note in result.notes)


def test_shutdown_hang_replaces_frames_and_forgets_earlier_prefixes():
    crash = {
        "crashing_thread": 1,
        "abort_message": "dog",
        "threads": [
            {"frames": [{"function": "atlas::Close()"}]},
            {"frames": [{"function": "acme::RunWatchdog()"}]},
        ],
    }
    for generator in GENERATORS.values():
        result = generator.generate(crash)
        assert result.signature == "shutdownhang | atlas::Close"
        assert result.proto_signature == "atlas::Close"


def test_shutdown_hang_with_a_main_thread_of_empty_frames_keeps_the_signature_in_the_reference():
    crash = {"crashing_thread": 1, "threads": [{"frames": [{}]}, {"frames": [{"function": "RunWatchdog"}]}]}
    assert GENERATORS["reference"].generate(crash).signature == "shutdownhang | RunWatchdog"


def test_stackwalker_status_also_explains_empty_java_stacks():
    assert reference(java_exception=[1], mdsw_status_string="OK").signature == (
        "EMPTY: Java exception not in expected format; OK"
    )


def test_letters_outside_of_ascii_stay_apart_in_the_default_profile():
    assert default("café()").signature == r"caf\xe9"
    assert default("cafè()").signature == r"caf\xe8"
    assert default("a\tb\x00c()").signature == "a b c"
    assert reference("café()").signature == "caf"


def test_last_frame_survives_cutting_in_the_default_profile():
    frames = [f"memcpy{number:03}_{'x' * 30}" for number in range(9)]
    cut = default(*frames, "atlas::Draw()").signature
    assert len(cut) == 255
    assert cut.endswith("... | atlas::Draw")
    assert reference(*frames, "atlas::Draw()").signature.endswith("x...")


def test_very_long_last_frame_is_cut_at_its_end():
    signature = default("memcpy", "y" * 300).signature
    assert signature == "memcpy | " + "y" * 243 + "..."


def test_notes_of_the_default_profile_never_hold_the_text_of_an_error():
    result = default(reason=5, ipc_channel_error=5, abort_message=[7])
    assert result.notes == [
        "BadHardware: Rule failed: TypeError",
        "AbortSignature: Rule failed: AttributeError",
        "SignatureIPCChannelError: Rule failed: TypeError",
    ]
    assert result.signature == "atlas::Draw"


def test_failed_rule_is_told_and_the_rules_after_it_run():
    failures = []
    generator = SignatureGenerator(
        small_lists(), on_error=lambda rule, error: failures.append((rule, type(error)))
    )
    assert generator.generate(stack("a()", reason=5, hang="ui")).signature == "hang: ui | a"
    assert failures == [("BadHardware", TypeError)]


def test_every_rule_at_once():
    result = default(
        reason="EXCEPTION_STACK_OVERFLOW", oom_allocation_size=999999, abort_message="stop",
        ipc_message_name="PTiles::Msg_Load", hang="ui",
    )  # fmt: skip
    assert result.signature == (
        "hang: ui | stackoverflow | Abort | stop | OOM | large | atlas::Draw | IPC_Message_Name=PTiles::Msg_Load"
    )


def test_fields_that_once_mattered_do_not():
    plain = default()
    for key in ("moz_crash_reason", "mac_crash_info", "hang_type", "jit_category", "platform"):
        assert default(**{key: "x"}).signature == plain.signature


def test_unknown_profile_is_refused():
    with pytest.raises(ValueError, match=r"profile='best': unknown\. Use one of default, reference"):
        SignatureGenerator(small_lists(), profile="best")


def test_examples_in_the_documentation_are_right():
    assert doctest.testmod(rules).failed == 0


def test_the_note_about_a_replaced_signature_is_short_in_the_default_profile():
    crash = {"async_shutdown_timeout": "{}", "threads": [{"frames": [{"function": "a" * 100_000}]}]}
    (note,) = SignatureGenerator().generate(crash).notes
    assert len(note) < 400
