"""Make Breakpad symbol files fit to be shared: neutral paths, and of system libraries only what is needed.

Source of the format: https://chromium.googlesource.com/breakpad/breakpad/+/HEAD/docs/symbol_files.md
"""

import re
import subprocess
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

# How the paths that compilers write begin, and what they become. The first match wins.
NEUTRAL_PATHS = [
    (re.compile(r"^/src/"), ""),
    (re.compile(r"^/usr/include/c\+\+/\d+/"), "libstdc++/"),
    (re.compile(r"^/usr/lib/gcc/[^/]+/\d+/include/"), "gcc/"),
    (re.compile(r"^/usr/include/"), "libc/"),
    (re.compile(r"^/rustc/[0-9a-f]{40}/"), "rust/"),
    (re.compile(r"^/rust/deps/"), "rust/deps/"),
]


class Function(NamedTuple):
    """One entry of an ELF symbol table; ``start`` and ``size`` in bytes from the start of the module."""

    start: int
    size: int
    name: str


def neutral_path(path: str) -> str:
    """Turn a compiler's path into one that tells nothing about the machine.

    Raises: ValueError for an absolute path that no rule covers.
    """
    for pattern, replacement in NEUTRAL_PATHS:
        if pattern.search(path):
            return pattern.sub(replacement, path)
    if path.startswith("/"):
        raise ValueError(f"FILE {path!r}: no entry of NEUTRAL_PATHS covers this absolute path. Add one.")
    return path


def with_neutral_paths(symbol_file: str) -> str:
    """Rewrite the FILE records of a symbol file; everything else stays as it is."""
    lines = []
    for line in symbol_file.splitlines():
        if line.startswith("FILE "):
            _, number, path = line.split(" ", 2)
            line = f"FILE {number} {neutral_path(path)}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def elf_functions(binary: Path) -> list[Function]:
    """List the functions of an ELF file that have a size, sorted by address.

    Prefers the system's detached debugging symbols of the file: they name the functions that are not exported.
    """
    detached = _detached_symbols(binary)
    source = ["--defined-only", str(detached)] if detached else ["--dynamic", "--defined-only", str(binary)]
    listing = subprocess.run(
        ["nm", "--demangle", "--print-size", *source], check=True, capture_output=True, text=True
    ).stdout
    found = re.findall(r"^([0-9a-f]+) ([0-9a-f]+) [tTwWiI] (.+)$", listing, re.MULTILINE)
    # Of several names for one address keep the shortest without a symbol version: the one people know.
    named = sorted(Function(int(at, 16), int(size, 16), name.partition("@")[0]) for at, size, name in found)
    by_start: dict[int, Function] = {}
    for function in sorted(named, key=lambda function: (len(function.name), function.name)):
        by_start.setdefault(function.start, function)
    return sorted(by_start.values())


def _detached_symbols(binary: Path) -> Path | None:
    notes = subprocess.run(
        ["readelf", "--notes", str(binary)], check=True, capture_output=True, text=True
    ).stdout
    build_id = re.search(r"Build ID: ([0-9a-f]{4,})", notes)
    if build_id is None:
        return None
    path = Path("/usr/lib/debug/.build-id") / build_id[1][:2] / f"{build_id[1][2:]}.debug"
    return path if path.exists() else None


def only_around(offsets: Iterable[int], symbol_file: str, functions: list[Function]) -> str:
    """Reduce a symbol file to the functions and unwind rules that cover the given offsets.

    Names come from ``functions``, whose sizes are known: PUBLIC records reach up to the next one, so after leaving
    some out the rest would give wrong names. An offset outside every function keeps its unwind rules and stays
    without a name.
    """
    wanted = sorted(set(offsets))
    starts = [function.start for function in functions]
    named = set()
    for offset in wanted:
        index = bisect_right(starts, offset) - 1
        if index >= 0 and offset < functions[index].start + functions[index].size:
            named.add(functions[index])
    head = [line for line in symbol_file.splitlines() if line.startswith(("MODULE ", "INFO "))]
    records = [f"FUNC {function.start:x} {function.size:x} 0 {function.name}" for function in sorted(named)]
    return "\n".join(head + records + _unwind_rules_around(wanted, symbol_file)) + "\n"


def _unwind_rules_around(offsets: list[int], symbol_file: str) -> list[str]:
    kept: list[str] = []
    keeping = False
    for line in symbol_file.splitlines():
        if line.startswith("STACK CFI INIT "):
            _, _, _, start, size, _ = line.split(" ", 5)
            first = int(start, 16)
            index = bisect_right(offsets, first + int(size, 16) - 1) - 1
            keeping = index >= 0 and offsets[index] >= first
        if keeping and line.startswith("STACK CFI "):
            kept.append(line)
    return kept


def without_foreign_details(symbol_file: str, own_folder: str, offsets: Iterable[int]) -> str:
    """Leave out lines and inlined calls of functions that hold no code of our own and no frame of a sample.

    Their names, sizes and unwind rules stay. ``own_folder`` is how the paths of our own sources begin.
    """
    lines = symbol_file.splitlines()
    own_files = {
        line.split(" ", 2)[1]
        for line in lines
        if line.startswith("FILE ") and line.split(" ", 2)[2].startswith(own_folder)
    }
    wanted = sorted(set(offsets))
    kept: list[str] = []
    for block in _blocks(lines):
        if block[0].startswith("FUNC ") and not (
            _has_own_code(block, own_files) or _holds_any(block[0], wanted)
        ):
            kept.append(block[0])
        else:
            kept.extend(block)
    return "\n".join(_without_unused_names(kept)) + "\n"


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Group each FUNC record with the INLINE and line records below it; other records stand alone."""
    block: list[str] = []
    for line in lines:
        belongs = (
            block and block[0].startswith("FUNC ") and (line.startswith("INLINE ") or _is_line_record(line))
        )
        if block and not belongs:
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _is_line_record(line: str) -> bool:
    return line[:1] in "0123456789abcdef"


def _has_own_code(block: list[str], own_files: set[str]) -> bool:
    return any(own_files.intersection(_file_numbers(line)) for line in block[1:])


def _file_numbers(line: str) -> list[str]:
    # INLINE depth call_line call_file origin [address size]+   ·   address size line file
    fields = line.split(" ")
    if fields[0] == "INLINE":
        return [fields[3]]
    return [fields[3]] if _is_line_record(line) else []


def _holds_any(function: str, offsets: list[int]) -> bool:
    fields = function.removeprefix("FUNC ").removeprefix("m ").split(" ", 2)
    first = int(fields[0], 16)
    index = bisect_right(offsets, first + int(fields[1], 16) - 1) - 1
    return index >= 0 and offsets[index] >= first


def _without_unused_names(lines: list[str]) -> list[str]:
    """Drop the FILE and INLINE_ORIGIN records that no record refers to."""
    files = {number for line in lines for number in _file_numbers(line)}
    origins = {line.split(" ")[4] for line in lines if line.startswith("INLINE ")}
    used = {"FILE": files, "INLINE_ORIGIN": origins}
    return [line for line in lines if (kind := line.split(" ", 2))[0] not in used or kind[1] in used[kind[0]]]
