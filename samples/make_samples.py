"""Make the sample reports again: build the products, let them crash, keep the dumps and the symbols.

    python samples/make_samples.py --stackwalker PATH --dump-syms PATH

Needs g++, make, cargo, binutils, and libc6-dbg for the names of the C library's own functions; must be allowed to
create folders below /opt. Everything else happens in a temporary folder. At the end, when nothing went wrong, it
replaces ``samples/reports`` and ``samples/symbols``.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from building import (
    PRODUCT_FILES,
    REPORTER_LIBRARY,
    REPORTER_PROGRAM,
    build_product,
    build_reporter,
    installed,
    source_of,
)
from catalogue import BUILDS, REPORTS, Place, Report
from symbolfiles import elf_functions, only_around, with_neutral_paths, without_foreign_details

SAMPLES = Path(__file__).resolve().parent
# The main thread's stack: a stack overflow copies all of it into the dump.
STACK_BYTES = 256 * 1024
CRASH_TIMEOUT_SECONDS = 60
# All that the crashing processes get to know of the machine: a dump holds its process's environment.
ENVIRONMENT = {"HOME": "/home/user", "LANG": "en_GB.UTF-8"}


@dataclass(frozen=True)
class Workshop:
    """The tools, and the folders in which the samples grow."""

    stackwalker: Path
    dump_syms: Path
    reporter: Path
    reports: Path
    symbols: Path


def make(workshop: Workshop, work: Path) -> None:
    """Make all reports and all symbol files."""
    libraries = {REPORTER_LIBRARY: workshop.reporter / REPORTER_LIBRARY}
    for build in BUILDS:
        print(f"{build.product} {build.version}", flush=True)
        with installed(build, build_product(build, workshop.reporter, work), workshop.reporter) as folder:
            for name in PRODUCT_FILES[build.product]:
                dump_symbols(workshop, folder / name)
            libraries |= system_libraries(folder / PRODUCT_FILES[build.product][0])
            for report in (report for report in REPORTS if report.build == build):
                print(f"  {report.name}", flush=True)
                crash(workshop, report, folder)
                describe(workshop, report)
    for report in (report for report in REPORTS if not report.scenario):
        describe(workshop, report)
    reduce_symbols(workshop, libraries)


def crash(workshop: Workshop, report: Report, folder: Path) -> None:
    """Run one scenario under the crash reporter, which writes the dumps into the report's folder.

    Raises: RuntimeError when no dump was written, TimeoutExpired when the program hangs.
    """
    output = workshop.reports / report.name
    output.mkdir(parents=True)
    program = folder / PRODUCT_FILES[report.build.product][0]
    socket = folder / "reporter.sock"
    finished = subprocess.run(
        [workshop.reporter / REPORTER_PROGRAM, output, socket, program, socket, *report.scenario],
        cwd=folder,
        env=ENVIRONMENT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, STACK_BYTES)),
        timeout=CRASH_TIMEOUT_SECONDS,
        check=False,
    )
    socket.unlink(missing_ok=True)
    if finished.returncode != 0:
        raise RuntimeError(
            f"{report.name}: {REPORTER_PROGRAM} ended with status {finished.returncode}, without a dump"
        )


def describe(workshop: Workshop, report: Report) -> None:
    """Write a report's annotations and what a person must see in it."""
    output = workshop.reports / report.name
    output.mkdir(parents=True, exist_ok=True)
    made_by_program = output / "annotations.txt"
    lines = made_by_program.read_text().splitlines() if made_by_program.exists() else []
    made_by_program.unlink(missing_ok=True)
    made = dict(line.split("=", 1) for line in lines)
    _write_json(output / "annotations.json", {**report.build.annotations, **report.annotations, **made})
    _write_json(output / "expected.json", expected_of(report))


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def expected_of(report: Report) -> dict[str, Any]:
    """What a person must see at the top of the crashing stack; README.md explains the keys."""
    top = locate(report.place) if report.place else {"function": None, "file": None, "line": None}
    return {
        **top,
        "frame": report.frame,
        "reason": report.reason,
        "crashing_thread": report.crashing_thread,
        "inlined": [locate(place) for place in report.inlined],
        **report.extra_expected,
    }


def locate(place: Place) -> dict[str, Any]:
    """Find the line of a place. Raises: ValueError unless exactly one line has its text."""
    lines = source_of(place.file).read_text().splitlines()
    numbers = [number for number, line in enumerate(lines, 1) if line.strip() == place.text]
    if len(numbers) != 1:
        raise ValueError(
            f"{place.file}: {len(numbers)} lines read {place.text!r}, expected 1. Correct the catalogue."
        )
    return {"function": place.function, "file": place.file, "line": numbers[0]}


def dump_symbols(workshop: Workshop, binary: Path) -> Path:
    """Write a binary's symbol file into the symbol store; give the file's path."""
    command = [workshop.dump_syms, "--inlines", binary]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    _, _, _, debug_id, debug_file = text.splitlines()[0].split(" ", 4)
    path = workshop.symbols / debug_file / debug_id / f"{debug_file}.sym"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(with_neutral_paths(text))
    return path


def system_libraries(binary: Path) -> dict[str, Path]:
    """The shared libraries of the system that a program loads, by name, without the dynamic loader."""
    listing = subprocess.run(["ldd", binary], check=True, stdout=subprocess.PIPE, text=True).stdout
    pairs = [line.strip().split(" => ") for line in listing.splitlines() if " => /" in line]
    paths = {name: Path(rest.partition(" (")[0]) for name, rest in pairs}
    return {name: path for name, path in paths.items() if path.parent != binary.parent}


def reduce_symbols(workshop: Workshop, libraries: dict[str, Path]) -> None:
    """Leave in the symbol files all about our own code, and of other code what the stacks of the samples touch.

    A library that no stack touches gets no symbol file, so that the samples show such modules too.
    """
    complete = {name: dump_symbols(workshop, library) for name, library in libraries.items()}
    offsets = offsets_in_stacks(workshop)
    for name, path in complete.items():
        if offsets[name]:
            path.write_text(only_around(offsets[name], path.read_text(), elf_functions(libraries[name])))
        else:
            shutil.rmtree(path.parent.parent)
    for product, files in PRODUCT_FILES.items():
        for path in (path for name in files for path in (workshop.symbols / name).glob("*/*.sym")):
            own_folder = f"{product.lower()}/"
            path.write_text(without_foreign_details(path.read_text(), own_folder, offsets[path.stem]))


def offsets_in_stacks(workshop: Workshop) -> dict[str, set[int]]:
    """Walk all dumps; give, by module, the offsets in bytes of the instructions that the frames stand at."""
    offsets: dict[str, set[int]] = defaultdict(set)
    for dump in sorted(workshop.reports.glob("*/upload_file_minidump*")):
        command = [workshop.stackwalker, "--json", "--symbols-path", workshop.symbols, dump]
        walked = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        for thread in json.loads(walked)["threads"]:
            for frame in thread["frames"]:
                if frame["module"]:
                    # A return address may lie just behind the function that made the call.
                    called_at = int(frame["module_offset"], 16) - (1 if frame["frame"] else 0)
                    offsets[frame["module"]].add(called_at)
    return offsets


def replace(folder: Path, new: Path) -> None:
    """Put a new folder in an old one's place."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.move(new, folder)


def main() -> int:
    """Read the command line, make the samples."""
    parser = argparse.ArgumentParser(description="Make the sample reports and their symbols again.")
    parser.add_argument("--stackwalker", type=Path, required=True, help="the program minidump-stackwalk")
    parser.add_argument("--dump-syms", type=Path, required=True, help="the program dump_syms")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="samples-") as temporary:
        work = Path(temporary)
        workshop = Workshop(
            stackwalker=arguments.stackwalker.resolve(strict=True),
            dump_syms=arguments.dump_syms.resolve(strict=True),
            reporter=build_reporter(work),
            reports=work / "reports",
            symbols=work / "symbols",
        )
        make(workshop, work)
        replace(SAMPLES / "reports", workshop.reports)
        replace(SAMPLES / "symbols", workshop.symbols)
    return 0


if __name__ == "__main__":
    sys.exit(main())
