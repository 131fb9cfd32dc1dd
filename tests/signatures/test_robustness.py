"""No type, shape or size of input raises, and huge inputs do not take more than their length.

A quadratic step over a million characters would run for hours, so these tests would never end.
"""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signatures.crashdata import from_processed_crash
from signatures.frames import DefaultFrames, normalize_frame
from signatures.generator import SignatureGenerator
from signatures.siglists import SignatureLists
from signatures.walk import StackWalk
from tests.signatures.examples import stack

MILLION = 1_000_000
GENERATORS = {name: SignatureGenerator(profile=name) for name in ("default", "reference")}

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.lists(
    st.sampled_from(
        [
            "a",
            "::",
            "<",
            ">",
            "(",
            ")",
            "[",
            "{",
            "`",
            "'",
            " ",
            "operator",
            "const",
            "&",
            "->",
            " as ",
            " in ",
            ",",
            "IPC::ParamTraits<",
            "::$_1",
            "::h0123456789abcdef",
            "[clone .cold]",
            "\n",
            "é",
            "closure #1 ",
            ".(*",
        ]
    ),
    max_size=20,
).map("".join)
FRAME_KEYS = ("function", "file", "line", "module", "offset", "inlines", "unloaded_modules")
FRAMES = st.fixed_dictionaries({}, optional=dict.fromkeys(FRAME_KEYS, VALUES | NAMES)) | VALUES
THREADS = st.lists(
    st.fixed_dictionaries({"frames": st.lists(FRAMES, max_size=5) | VALUES}) | VALUES, max_size=3
)
CRASH_KEYS = (
    "os",
    "crashing_thread",
    "reason",
    "java_stack_trace",
    "java_exception",
    "oom_allocation_size",
    "abort_message",
    "js_large_allocation_failure",
    "mdsw_status_string",
    "async_shutdown_timeout",
    "ipc_channel_error",
    "additional_minidumps",
    "ipc_message_name",
    "hang",
)
CRASHES = st.fixed_dictionaries(
    {"threads": THREADS | VALUES}, optional=dict.fromkeys(CRASH_KEYS, VALUES | NAMES)
)

HOSTILE = [
    "(",
    "<",
    "[",
    "{",
    "`",
    "()",
    "<>",
    "<(",
    ") ",
    "a ",
    "  ",
    " (",
    "[clone ",
    "IPC::ParamTraits<",
    "IPC::ParamTraits<a>",
    "IPC::ParamTraits< as ",
    "operator<",
    "::operator",
    "operator ",
    "::$_1",
    "::h0",
    "::h0123456789abcdef",
    "const ",
    "& ",
    "->",
    " -> ",
    " as ",
    " in ",
    "closure #1 in ",
    "a,",
    " ,",
    "\n",
    "_free",
    "clone .cold",
    ".(*[",
    "<T> as core::",
    "()const ",
    " [with ",
    "é",
]


@pytest.mark.parametrize("generator", GENERATORS.values(), ids=GENERATORS)
@given(crash=CRASHES | VALUES)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_crash_data_gets_a_printable_signature_of_bounded_length(generator, crash):
    result = generator.generate(crash)
    assert len(result.signature) <= 255
    assert result.signature.isascii()
    assert result.signature == "" or result.signature.isprintable()
    assert len(result.normalized_frames) <= 40
    json.dumps(result.to_json(with_explanation=True))
    assert all(": " in line for line in result.debug_log)


@given(crash=CRASHES)
@settings(deadline=None)
def test_any_processed_crash_gets_a_signature(crash):
    GENERATORS["default"].generate(from_processed_crash(crash))
    GENERATORS["default"].generate(from_processed_crash({"json_dump": crash}))


@given(frame=FRAMES)
@settings(deadline=None)
def test_any_frame_can_be_displayed(frame):
    assert isinstance(normalize_frame(frame), str)


@given(function=NAMES)
@settings(deadline=None)
def test_a_function_never_vanishes_in_the_default_profile(function):
    assert bool(normalize_frame({"function": function})) is bool(function.strip())


@given(function=NAMES)
@settings(deadline=None)
def test_remembering_changes_no_answer(function):
    for name, generator in GENERATORS.items():
        fresh = SignatureGenerator(generator.lists, name).generate(stack(function, "end()"))
        for _ in range(2):
            assert generator.generate(stack(function, "end()")).to_json() == fresh.to_json()


@pytest.mark.parametrize("generator", GENERATORS.values(), ids=GENERATORS)
@pytest.mark.parametrize("fragment", HOSTILE)
def test_symbol_of_a_million_characters(generator, fragment):
    name = (fragment * (MILLION // len(fragment) + 1))[:MILLION]
    generator.generate(stack(name))


@pytest.mark.parametrize("generator", GENERATORS.values(), ids=GENERATORS)
@given(fragments=st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=3), seam=st.sampled_from(HOSTILE))
@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.too_slow])
def test_symbol_of_a_quarter_million_mixed_characters(generator, fragments, seam):
    repeated = "".join(fragments)
    name = (repeated * (MILLION // len(repeated) // 4))[: MILLION // 4] + seam
    generator.generate(stack(name, {"function": name, "file": "/a.rs"}))


@pytest.mark.parametrize("generator", GENERATORS.values(), ids=GENERATORS)
@pytest.mark.parametrize(
    "key",
    [
        "file",
        "module",
        "offset",
        "abort_message",
        "async_shutdown_timeout",
        "java_stack_trace",
        "ipc_channel_error",
        "ipc_message_name",
        "hang",
        "mdsw_status_string",
        "oom_allocation_size",
        "crashing_thread",
        "reason",
    ],
)
@pytest.mark.parametrize(
    "fragment", ["a-", "0", "(", "[", ":", "\n", ".java:1", "@0badf00d", "###!!! ABORT:"]
)
def test_value_of_a_million_characters(generator, key, fragment):
    huge = fragment * (MILLION // len(fragment))
    crash = stack({key: huge, "line": 1}) if key in FRAME_KEYS else stack("a()", **{key: huge})
    assert len(generator.generate(crash).signature) <= 255


@pytest.mark.parametrize("generator", GENERATORS.values(), ids=GENERATORS)
def test_hundred_thousand_frames_threads_and_inlined_functions(generator):
    functions = [{"function": f"f{number}(int)"} for number in range(100_000)]
    assert len(generator.generate(stack(*functions)).normalized_frames) == 40
    assert len(generator.generate(stack({"inlines": functions})).normalized_frames) == 40
    crash = {"threads": [{"frames": []}] * 100_000 + [{"frames": functions}], "crashing_thread": 100_000}
    assert generator.generate(crash).signature == "f0"


def test_memory_of_functions_is_bounded():
    walk = StackWalk(SignatureLists.of(), DefaultFrames, folds=bool, empty_list_matches=False)
    for start in range(0, 20_000, 40):
        walk.over([{"function": f"f{number}(int)"} for number in range(start, start + 40)], windows=False)
    assert walk.remembered_functions == 16_384
