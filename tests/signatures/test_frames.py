"""What a frame text is made from, and that the default profile takes any frame."""

import pytest

from signatures.frames import DefaultFrames, ReferenceFrames, normalize_frame
from signatures.generator import SignatureGenerator
from tests.signatures.examples import small_lists, stack


def texts(profile, *frames, **crash):
    return SignatureGenerator(small_lists(), profile).generate(stack(*frames, **crash)).normalized_frames


@pytest.mark.parametrize("profile", ["default", "reference"])
def test_module_names_are_lower_case_on_windows_only(profile):
    frame = {"module": "Driver.DLL"}
    assert texts(profile, frame, os="Windows NT") == ["driver.dll"]
    assert texts(profile, frame, os="Linux") == ["Driver.DLL"]
    assert texts(profile, {"unloaded_modules": [{"module": "Hook.DLL"}]}, os="Windows NT") == [
        "(unloaded Hook.DLL)"
    ]


@pytest.mark.parametrize("profile", ["default", "reference"])
def test_forty_frames_count_with_inlined_functions(profile):
    frame = {"function": "outer()", "module": "m", "inlines": [{"function": "inner()"}, {}], "offset": "0x1"}
    result = texts(profile, *[frame] * 20)
    assert len(result) == 40
    assert result[:4] == ["inner", "m", "outer", "inner"]


@pytest.mark.parametrize("profile", ["default", "reference"])
def test_separators_at_the_end_of_a_file_and_brackets_around_a_module_go(profile):
    frames = [{"file": "a/gen\\/\\", "line": 8}, {"module": "]vdso["}, {"module": "a[1].so]"}]
    assert texts(profile, *frames) == ["gen#8", "vdso", "a[1].so"]


def test_inlined_function_knows_no_unloaded_module():
    frame = {"unloaded_modules": [{"module": "a.dll"}], "inlines": [{"line": 3}], "offset": "0x0a"}
    assert texts("reference", frame) == ["@0xa", "(unloaded a.dll)"]


@pytest.mark.parametrize("profile", ["default", "reference"])
def test_line_is_shown_for_listed_functions_and_each_line_counts(profile):
    frames = [{"function": "vm::Step(int)", "line": line} for line in (412, 7, None)]
    assert texts(profile, *frames) == ["vm::Step:412", "vm::Step:7", "vm::Step:None"]


def test_revision_of_a_source_file_stays_in_the_reference_only():
    frame = {"file": "hg:hg.example.org/atlas:gfx/tile.cpp:9f31c0a1", "line": 88}
    assert ReferenceFrames(lambda _: False).describe(frame).text == "tile.cpp:9f31c0a1#88"
    assert DefaultFrames(lambda _: False).describe(frame).text == "tile.cpp#88"


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        ({"function": 5, "module": "a.dll"}, "a.dll"),
        ({"function": ["f"], "file": {}, "line": 3, "module": None, "offset": "0x10"}, "@0x10"),
        ({"function": "f()", "file": 7}, "f"),
        ({"file": "a.c", "line": [1], "module": "m"}, "m"),
        ({"unloaded_modules": [{"module": 4}], "offset": 9}, ""),
        ({"unloaded_modules": {}, "inlines": 3}, ""),
        (None, ""),
        ("frame", ""),
        (["function"], ""),
    ],
)
def test_values_of_a_wrong_type_are_ignored(frame, text):
    assert normalize_frame(frame) == text
    crash = {"threads": [{"frames": [frame, {"function": "end()"}]}]}
    assert SignatureGenerator(small_lists()).generate(crash).normalized_frames == [text, "end"]


def test_inlines_of_a_wrong_type_are_ignored():
    crash = {
        "threads": [{"frames": [{"function": "f", "inlines": 3}, {"function": "g", "inlines": [3, None]}]}]
    }
    assert SignatureGenerator(small_lists()).generate(crash).normalized_frames == ["f", "", "", "g"]
