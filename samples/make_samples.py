"""Make the sample reports again: build the products, let them crash, keep the dumps and the symbols.

    python samples/make_samples.py --stackwalker PATH --dump-syms PATH

Needs g++, make, cargo, binutils, and libc6-dbg for the names of the C library's own functions; must be allowed to
create folders below /opt, because the paths of the programs stand in the dumps. Everything else happens in a temporary
folder. Overwrites ``samples/reports`` and ``samples/symbols``.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from catalogue import BUILDS, REPORTS, Build, Place, Report
from symbolfiles import elf_functions, only_around, with_neutral_paths, without_foreign_details

SAMPLES = Path(__file__).resolve().parent
SOURCES = SAMPLES / "src"
REPORT_FOLDER = SAMPLES / "reports"
SYMBOL_FOLDER = SAMPLES / "symbols"

# The main thread's stack: a stack overflow copies all of it into the dump.
STACK_BYTES = 256 * 1024
CRASH_TIMEOUT_SECONDS = 60
# All that the crashing processes get to know of the machine: a dump holds its process's environment.
ENVIRONMENT = {"HOME": "/home/user", "LANG": "en_GB.UTF-8"}
PRODUCT_FILES = {"WaterWolf": ["waterwolf", "libwaterengine.so"], "Larkspur": ["larkspurd"]}
REPORTER_LIBRARY = "libcrashreporter.so"


def build_reporter(work: Path) -> Path:
    """Build the crash reporter; give the folder that holds its library and its program."""
    _cargo_build(SOURCES / "reporter", work / "reporter", {})
    return work / "reporter" / "release"


def build_product(build: Build, reporter: Path, work: Path) -> Path:
    """Build one version of a product; give the folder that holds its files."""
    folder = work / f"{build.product}-{build.version}".lower()
    if build.product == "WaterWolf":
        options = [
            f"VERSION={build.version}",
            f"BUILD_ID={build.build_id}",
            f"OUT={folder}",
            f"REPORTER={reporter}",
        ]
        subprocess.run(["make", "--silent", "-C", str(SOURCES / "waterwolf"), *options], check=True)
        return folder
    identity = {"LARKSPUR_VERSION": build.version, "LARKSPUR_BUILD_ID": build.build_id}
    _cargo_build(SOURCES / "larkspur", folder, {**identity, "REPORTER_FOLDER": str(reporter)})
    return folder / "release"


def _cargo_build(project: Path, target: Path, environment: dict[str, str]) -> None:
    cargo_home = os.environ.get("CARGO_HOME", str(Path.home() / ".cargo"))
    flags = [
        f"--remap-path-prefix={project}=/src/{project.name}",
        f"--remap-path-prefix={cargo_home}=/src/cargo",
        f"--remap-path-prefix={target}=/src/build",
    ]
    subprocess.run(
        ["cargo", "build", "--release", "--locked", "--quiet"],
        cwd=project,
        env={**os.environ, **environment, "RUSTFLAGS": " ".join(flags), "CARGO_TARGET_DIR": str(target)},
        check=True,
    )


@contextmanager
def installed(build: Build, built: Path, reporter: Path) -> Iterator[Path]:
    """Install a product below /opt for as long as it is needed, where a person's copy would be."""
    folder = Path("/opt") / build.product.lower()
    folder.mkdir()  # fails when something of that name is there: it is not ours to remove
    try:
        for file in [*(built / name for name in PRODUCT_FILES[build.product]), reporter / REPORTER_LIBRARY]:
            shutil.copy(file, folder)
        yield folder
    finally:
        shutil.rmtree(folder)


def crash(report: Report, folder: Path, reporter: Path, output: Path) -> None:
    """Run one scenario under the crash reporter; its dumps and annotations appear in the output folder.

    Raises: RuntimeError when no dump was written, TimeoutExpired when the program hangs.
    """
    program = folder / PRODUCT_FILES[report.build.product][0]
    socket = folder / "reporter.sock"
    finished = subprocess.run(
        [reporter / "crashreporterd", output, socket, program, socket, *report.scenario],
        cwd=folder,
        env=ENVIRONMENT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, STACK_BYTES)),
        timeout=CRASH_TIMEOUT_SECONDS,
        check=False,
    )
    socket.unlink(missing_ok=True)
    if finished.returncode != 0:
        raise RuntimeError(
            f"{report.name}: crashreporterd ended with status {finished.returncode}, without a dump"
        )


def annotations_of(report: Report, output: Path) -> dict[str, str]:
    """Join the annotations of the catalogue with those that the program itself made."""
    made = output / "annotations.txt"
    lines = made.read_text().splitlines() if made.exists() else []
    return {**report.build.annotations, **report.annotations, **dict(line.split("=", 1) for line in lines)}


def expected_of(report: Report) -> dict[str, Any]:
    """What a person must see at the top of the crashing stack."""
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


def source_of(file: str) -> Path:
    """The source on this machine for a path as symbol files show it."""
    project, _, inside = file.partition("/")
    if project == "libstdc++":
        return max(Path("/usr/include/c++").iterdir()) / inside
    return SOURCES / project / inside


def dump_symbols(dump_syms: Path, store: Path, binary: Path) -> Path:
    """Write a binary's symbol file into a symbol store; give the file's path."""
    text = subprocess.run(
        [dump_syms, "--inlines", binary], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    _, _, _, debug_id, debug_file = text.splitlines()[0].split(" ", 4)
    path = store / debug_file / debug_id / f"{debug_file}.sym"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(with_neutral_paths(text))
    return path


def offsets_in_stacks(stackwalker: Path, store: Path, dumps: list[Path]) -> dict[str, set[int]]:
    """Walk all dumps; give, by module, the offsets of the instructions that the frames stand at."""
    offsets: dict[str, set[int]] = defaultdict(set)
    for dump in dumps:
        walked = subprocess.run(
            [stackwalker, "--json", "--symbols-path", store, dump], check=True, capture_output=True, text=True
        )
        for thread in json.loads(walked.stdout)["threads"]:
            for frame in thread["frames"]:
                if frame["module"]:
                    # A return address may lie just behind the function that made the call.
                    called_at = int(frame["module_offset"], 16) - (1 if frame["frame"] else 0)
                    offsets[frame["module"]].add(called_at)
    return offsets


def reduce_symbols(stackwalker: Path, system: dict[str, Path], libraries: dict[str, Path]) -> None:
    """Leave in the symbol files what the stacks of the sample dumps touch, and all about our own code.

    A system library that no stack touches keeps no symbol file.
    """
    offsets = offsets_in_stacks(
        stackwalker, SYMBOL_FOLDER, sorted(REPORT_FOLDER.glob("*/upload_file_minidump*"))
    )
    for name, path in system.items():
        if offsets[name]:
            path.write_text(only_around(offsets[name], path.read_text(), elf_functions(libraries[name])))
        else:
            shutil.rmtree(path.parent.parent)
    for product, files in PRODUCT_FILES.items():
        for name in files:
            for path in (SYMBOL_FOLDER / name).glob("*/*.sym"):
                reduced = without_foreign_details(path.read_text(), f"{product.lower()}/", offsets[name])
                path.write_text(reduced)


def system_libraries(binary: Path) -> dict[str, Path]:
    """The shared libraries of the system that a program loads, by name, without the dynamic loader."""
    listing = subprocess.run(["ldd", str(binary)], check=True, stdout=subprocess.PIPE, text=True).stdout
    pairs = [line.strip().split(" => ") for line in listing.splitlines() if " => /" in line]
    paths = {name: Path(rest.partition(" (")[0]) for name, rest in pairs}
    return {name: path for name, path in paths.items() if path.parent != binary.parent}


def make(stackwalker: Path, dump_syms: Path, work: Path) -> None:
    """Make everything: builds, crashes, symbol files, expectations."""
    reporter = build_reporter(work)
    libraries: dict[str, Path] = {}
    for build in BUILDS:
        print(f"{build.product} {build.version}: building", flush=True)
        built = build_product(build, reporter, work)
        with installed(build, built, reporter) as folder:
            for name in PRODUCT_FILES[build.product]:
                dump_symbols(dump_syms, SYMBOL_FOLDER, folder / name)
            libraries |= system_libraries(folder / PRODUCT_FILES[build.product][0])
            for report in [report for report in REPORTS if report.build == build]:
                print(f"  {report.name}", flush=True)
                write_report(report, folder, reporter)
    libraries[REPORTER_LIBRARY] = reporter / REPORTER_LIBRARY
    for report in [report for report in REPORTS if not report.scenario]:
        print(report.name, flush=True)
        write_report(report, None, reporter)
    system = {name: dump_symbols(dump_syms, SYMBOL_FOLDER, path) for name, path in libraries.items()}
    reduce_symbols(stackwalker, system, libraries)


def write_report(report: Report, folder: Path | None, reporter: Path) -> None:
    """Write one folder of ``samples/reports``; without a product's folder, a report without a dump."""
    output = REPORT_FOLDER / report.name
    output.mkdir(parents=True)
    if folder:
        crash(report, folder, reporter, output)
    annotations = annotations_of(report, output)
    (output / "annotations.txt").unlink(missing_ok=True)
    _write_json(output / "annotations.json", annotations)
    _write_json(output / "expected.json", expected_of(report))


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def main() -> int:
    """Read the command line, make the samples."""
    parser = argparse.ArgumentParser(description="Make the sample reports and their symbols again.")
    parser.add_argument("--stackwalker", type=Path, required=True, help="the program minidump-stackwalk")
    parser.add_argument("--dump-syms", type=Path, required=True, help="the program dump_syms")
    arguments = parser.parse_args()
    for folder in (REPORT_FOLDER, SYMBOL_FOLDER):
        shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="samples-") as work:
        make(arguments.stackwalker.resolve(), arguments.dump_syms.resolve(), Path(work))
    return 0


if __name__ == "__main__":
    sys.exit(main())
