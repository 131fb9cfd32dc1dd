"""Build the sample products and put them where a person's copy would be."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalogue import Build

SOURCES = Path(__file__).resolve().parent / "src"
# The files of each product; the first one is the program.
PRODUCT_FILES = {"WaterWolf": ["waterwolf", "libwaterengine.so"], "Larkspur": ["larkspurd"]}
REPORTER_LIBRARY = "libcrashreporter.so"
REPORTER_PROGRAM = "crashreporterd"


def build_reporter(work: Path) -> Path:
    """Build the crash reporter; give the folder that holds its library and its program."""
    _cargo_build(SOURCES / "reporter", work / "reporter", {})
    return work / "reporter" / "release"


def build_product(build: Build, reporter: Path, work: Path) -> Path:
    """Build one version of a product; give the folder that holds its files."""
    folder = work / f"{build.product}-{build.version}".lower()
    if build.product == "WaterWolf":
        identity = [f"VERSION={build.version}", f"BUILD_ID={build.build_id}"]
        places = [f"OUT={folder}", f"REPORTER={reporter}"]
        subprocess.run(["make", "--silent", "-C", SOURCES / "waterwolf", *identity, *places], check=True)
        return folder
    environment = {
        "LARKSPUR_VERSION": build.version,
        "LARKSPUR_BUILD_ID": build.build_id,
        "REPORTER_FOLDER": str(reporter),
    }
    _cargo_build(SOURCES / "larkspur", folder, environment)
    return folder / "release"


def _cargo_build(project: Path, target: Path, environment: dict[str, str]) -> None:
    cargo_home = os.environ.get("CARGO_HOME", str(Path.home() / ".cargo"))
    flags = [
        f"--remap-path-prefix={project}=/src/{project.name}",
        f"--remap-path-prefix={cargo_home}=/src/cargo",
        f"--remap-path-prefix={target}=/src/build",
    ]
    subprocess.run(
        ["cargo", "build", "--release", "--quiet"],
        cwd=project,
        env={**os.environ, **environment, "RUSTFLAGS": " ".join(flags), "CARGO_TARGET_DIR": str(target)},
        check=True,
    )


@contextmanager
def installed(build: Build, built: Path, reporter: Path) -> Iterator[Path]:
    """Install a product below /opt for as long as it is needed: the paths of its files stand in its dumps.

    Raises: FileExistsError when the folder is there already, because then it is not ours to remove.
    """
    folder = Path("/opt") / build.product.lower()
    folder.mkdir()
    try:
        for file in [*(built / name for name in PRODUCT_FILES[build.product]), reporter / REPORTER_LIBRARY]:
            shutil.copy(file, folder)
        yield folder
    finally:
        shutil.rmtree(folder)


def source_of(file: str) -> Path:
    """The source on this machine of a file as symbol files name it, such as ``waterwolf/src/gfx/surface.cpp``."""
    project, _, inside = file.partition("/")
    if project == "libstdc++":
        return max(Path("/usr/include/c++").iterdir()) / inside
    return SOURCES / project / inside
