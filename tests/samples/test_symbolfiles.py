"""Symbol files are made fit to be shared without telling anything wrong."""

from __future__ import annotations

import pytest

from samples.symbolfiles import (
    Function,
    neutral_path,
    only_around,
    with_neutral_paths,
    without_foreign_details,
)

LIBRARY = """\
MODULE Linux x86_64 000000000000000000000000000000001 libriver.so
INFO CODE_ID 00
PUBLIC 100 0 flow
PUBLIC 300 0 ebb
STACK CFI INIT 100 40 .cfa: $rsp 8 + .ra: .cfa -8 + ^
STACK CFI 104 .cfa: $rsp 16 +
STACK CFI INIT 200 80 .cfa: $rsp 8 + .ra: .cfa -8 + ^
STACK CFI INIT 300 10 .cfa: $rsp 8 + .ra: .cfa -8 + ^
"""

PRODUCT = """\
MODULE Linux x86_64 000000000000000000000000000000002 otter
FILE 0 otter/src/swim.cpp
FILE 1 libstdc++/vector
FILE 2 libstdc++/map
FILE 3 libstdc++/set
INLINE_ORIGIN 0 dive()
INLINE_ORIGIN 1 grow()
FUNC 100 20 0 swim()
INLINE 0 7 0 0 100 10
100 10 5 1
110 10 8 0
FUNC m 200 20 0 std::grow()
INLINE 0 9 2 1 200 8
200 20 10 2
FUNC 300 20 0 std::touched()
300 20 11 3
STACK CFI INIT 200 20 .cfa: $rsp 8 + .ra: .cfa -8 + ^
"""


@pytest.mark.parametrize(
    ("path", "neutral"),
    [
        ("/src/waterwolf/src/gfx/surface.cpp", "waterwolf/src/gfx/surface.cpp"),
        ("/usr/include/c++/12/bits/stl_vector.h", "libstdc++/bits/stl_vector.h"),
        ("/usr/include/x86_64-linux-gnu/sys/wait.h", "libc/x86_64-linux-gnu/sys/wait.h"),
        ("/rustc/" + "a1" * 20 + "/library/std/src/rt.rs", "rust/library/std/src/rt.rs"),
        ("/rust/deps/gimli-0.32.3/src/lib.rs", "rust/deps/gimli-0.32.3/src/lib.rs"),
        ("crt/start.S", "crt/start.S"),
    ],
)
def test_paths_lose_what_belongs_to_the_machine(path: str, neutral: str) -> None:
    assert neutral_path(path) == neutral


def test_an_unknown_absolute_path_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'/elsewhere/a\.cpp'"):
        with_neutral_paths("FILE 0 /elsewhere/a.cpp\n")


def test_only_file_records_are_rewritten() -> None:
    text = "FILE 3 /src/otter/a b.cpp\nFUNC 10 4 0 open(/src/)\n"
    assert with_neutral_paths(text) == "FILE 3 otter/a b.cpp\nFUNC 10 4 0 open(/src/)\n"


def test_a_library_keeps_the_functions_and_unwind_rules_around_the_offsets() -> None:
    reduced = only_around([0x13F], LIBRARY, [Function(0x100, 0x40, "flow"), Function(0x300, 0x10, "ebb")])
    assert reduced.splitlines()[2:] == [
        "FUNC 100 40 0 flow",
        "STACK CFI INIT 100 40 .cfa: $rsp 8 + .ra: .cfa -8 + ^",
        "STACK CFI 104 .cfa: $rsp 16 +",
    ]


def test_an_offset_between_functions_gets_no_name_but_keeps_its_unwind_rules() -> None:
    reduced = only_around([0x210], LIBRARY, [Function(0x100, 0x40, "flow")])
    assert reduced.splitlines()[2:] == ["STACK CFI INIT 200 80 .cfa: $rsp 8 + .ra: .cfa -8 + ^"]


def test_the_first_byte_behind_a_function_does_not_belong_to_it() -> None:
    assert "FUNC" not in only_around([0x140], LIBRARY, [Function(0x100, 0x40, "flow")])


def test_own_functions_and_touched_ones_keep_their_lines_and_inlined_calls() -> None:
    reduced = without_foreign_details(PRODUCT, "otter/", [0x31F])
    assert "INLINE 0 7 0 0 100 10\n100 10 5 1\n110 10 8 0\n" in reduced
    assert "FUNC 300 20 0 std::touched()\n300 20 11 3\n" in reduced


def test_foreign_functions_keep_name_size_and_unwind_rules_only() -> None:
    reduced = without_foreign_details(PRODUCT, "otter/", [])
    assert "FUNC m 200 20 0 std::grow()\nFUNC 300 20 0 std::touched()\nSTACK CFI INIT 200" in reduced


def test_names_of_files_and_inlined_functions_that_nothing_uses_are_left_out() -> None:
    reduced = without_foreign_details(PRODUCT, "otter/", [])
    assert [line for line in reduced.splitlines() if line.startswith(("FILE", "INLINE_ORIGIN"))] == [
        "FILE 0 otter/src/swim.cpp",
        "FILE 1 libstdc++/vector",
        "INLINE_ORIGIN 0 dive()",
    ]
