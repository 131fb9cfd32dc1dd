"""The real stackwalker on real, odd and hostile dumps, and programs that misbehave in its place."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from processing.diskspace import DiskFull
from processing.stackwalker import runner
from processing.stackwalker.runner import Limits, Stackwalker, StackwalkerMissing, Walk
from tests import minidumps
from tests.settings import CHECKOUT
from tests.waiting import wait_until

MODULE = minidumps.Module("/opt/app/crashy", base=0x400000, size=0x10000)
SYMBOLS = f"""MODULE Linux x86_64 {MODULE.debug_id} crashy
FILE 0 src/crash.cpp
FUNC 1000 100 0 crash_here(int*)
1000 100 42 0
FUNC 1100 100 0 main
10f0 20 7 0
"""


def walk(
    walker: Stackwalker, tmp_path: Path, content: bytes, folders: tuple[Path, ...] = (), **annotations: str
) -> Walk:
    dump = tmp_path / "upload_file_minidump.dump"
    dump.write_bytes(content)
    workdir = tmp_path / "work"
    workdir.mkdir(exist_ok=True)
    return walker.walk(dump, workdir, folders, annotations)


def program(tmp_path: Path, body: str) -> Path:
    """Write a program that stands in for the stackwalker: it tells its version and then does what ``body`` says."""
    path = tmp_path / "pretender"
    path.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --version ]; then echo pretender 1; exit 0; fi\n'
        'for word in "$@"; do case "$word" in --output-file=*) output="${word#*=}" ;; esac; done\n' + body
    )
    path.chmod(stat.S_IRWXU)
    return path


def test_a_dump_is_walked(stackwalker: Stackwalker, tmp_path: Path):
    done = walk(stackwalker, tmp_path, minidumps.simple_dump(MODULE, frames=3).build())
    assert (done.status, done.return_code, done.log, done.cuts) == ("OK", 0, "", ())
    assert done.document["crash_info"]["type"].startswith("SIGSEGV")
    assert [frame["module"] for frame in done.document["threads"][0]["frames"]] == ["crashy"] * 3
    assert done.seconds > 0


def test_the_version_of_the_program_is_known(stackwalker: Stackwalker):
    assert stackwalker.version.startswith("minidump-stackwalk ")


def symbol_folder(tmp_path: Path, content: str) -> Path:
    folder = tmp_path / "symbols"
    (folder / "crashy" / MODULE.debug_id).mkdir(parents=True)
    (folder / "crashy" / MODULE.debug_id / "crashy.sym").write_text(content)
    return folder


def test_symbols_name_functions_files_and_lines(stackwalker: Stackwalker, tmp_path: Path):
    folder = symbol_folder(tmp_path, SYMBOLS)
    done = walk(stackwalker, tmp_path, minidumps.simple_dump(MODULE).build(), (tmp_path, folder))
    frame = done.document["threads"][0]["frames"][0]
    assert (frame["function"], frame["file"], frame["line"]) == ("crash_here(int*)", "src/crash.cpp", 42)
    module = done.document["modules"][0]
    assert (module["loaded_symbols"], module["missing_symbols"], module["corrupt_symbols"]) == (
        True,
        False,
        False,
    )


@pytest.mark.parametrize("folders", [0, 1])
def test_missing_symbols_are_told_even_without_any_folder(
    stackwalker: Stackwalker, tmp_path: Path, folders: int
):
    done = walk(stackwalker, tmp_path, minidumps.simple_dump(MODULE).build(), (tmp_path,) * folders)
    assert done.document["modules"][0]["missing_symbols"] is True


def test_corrupt_symbols_are_told(stackwalker: Stackwalker, tmp_path: Path):
    folder = symbol_folder(tmp_path, "this is no symbol file\n")
    done = walk(stackwalker, tmp_path, minidumps.simple_dump(MODULE).build(), (folder,))
    assert done.status == "OK"
    assert done.document["modules"][0]["corrupt_symbols"] is True


@pytest.mark.parametrize("name", ["..", "../../../etc/passwd", "a/../..", "", "x" * 5000, "\ud800", "a\nb"])
def test_hostile_module_names_do_no_harm(stackwalker: Stackwalker, tmp_path: Path, name: str):
    hostile = minidumps.Module(name.encode("utf-8", "replace").decode(), base=0x400000, size=0x10000)
    folder = symbol_folder(tmp_path, SYMBOLS)
    done = walk(stackwalker, tmp_path, minidumps.simple_dump(hostile).build(), (folder,))
    assert done.status == "OK"
    assert not done.document["modules"][0]["loaded_symbols"]


def test_only_what_the_stackwalker_needs_of_the_annotations_is_written_down(
    stackwalker: Stackwalker, tmp_path: Path
):
    signers = '{"Acme": ["crashy"]}'
    content = minidumps.simple_dump(MODULE).build()
    done = walk(stackwalker, tmp_path, content, ModuleSignatureInfo=signers, Email="s3cr3t")
    assert done.document["modules"][0]["cert_subject"] == "Acme"
    assert all(b"s3cr3t" not in path.read_bytes() for path in (tmp_path / "work").iterdir() if path.is_file())


def test_a_bad_annotation_does_not_spoil_a_good_walk(stackwalker: Stackwalker, tmp_path: Path):
    done = walk(stackwalker, tmp_path, minidumps.simple_dump(MODULE).build(), ModuleSignatureInfo="{nonsense")
    assert done.status == "OK"
    assert done.document["threads"][0]["frame_count"] == 3


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"garbage" * 1000, "HeaderMismatch"),
        (b"MD", "MissingHeader"),
        (b"MDMP" + b"\xff" * 100, "VersionMismatch"),
        (minidumps.simple_dump(MODULE).build()[:60], "MissingDirectory"),
    ],
)
def test_a_broken_dump_has_a_clear_status(
    stackwalker: Stackwalker, tmp_path: Path, content: bytes, status: str
):
    done = walk(stackwalker, tmp_path, content)
    assert (done.status, done.return_code, done.document) == (status, 1, {})
    assert status in done.log


def test_an_empty_dump_is_not_walked(stackwalker: Stackwalker, tmp_path: Path):
    done = walk(stackwalker, tmp_path, b"")
    assert (done.status, done.return_code, done.document) == ("EmptyMinidump", None, {})


@pytest.mark.parametrize("cut_at", range(100, 3000, 300))
def test_a_dump_cut_anywhere_has_some_outcome(stackwalker: Stackwalker, tmp_path: Path, cut_at: int):
    done = walk(stackwalker, tmp_path, minidumps.simple_dump(MODULE).build()[:cut_at])
    assert done.status == "OK" or done.status in runner.KNOWN_ERRORS


@pytest.mark.parametrize("claimed", [2, 1000, 2**31, 2**32 - 1])
def test_a_dump_that_lies_about_its_size_has_some_outcome(
    stackwalker: Stackwalker, tmp_path: Path, claimed: int
):
    dump = minidumps.simple_dump(MODULE)
    dump.claimed_modules = claimed
    done = walk(stackwalker, tmp_path, dump.build())
    assert done.status == "OK" or done.status in runner.KNOWN_ERRORS


def test_a_large_dump_is_walked(stackwalker: Stackwalker, tmp_path: Path):
    dump = minidumps.simple_dump(MODULE)
    dump.padding = 30 * 1024**2
    assert walk(stackwalker, tmp_path, dump.build()).status == "OK"


def test_a_deep_recursion_is_cut(stackwalker: Stackwalker, tmp_path: Path):
    done = walk(stackwalker, tmp_path, minidumps.simple_dump(MODULE, frames=1002).build())
    thread = done.document["threads"][0]
    assert (thread["frame_count"], len(thread["frames"]), thread["truncated"]) == (1002, 500, True)
    assert [(cut.path, cut.before, cut.after) for cut in done.cuts] == [
        ("crashing_thread.frames", 1002, 500),
        ("threads[0].frames", 1002, 500),
    ]


def test_a_dump_that_wants_too_much_memory_ends_the_program_not_us(stackwalker_path: Path, tmp_path: Path):
    walker = Stackwalker(stackwalker_path, Limits(timeout_seconds=60, memory_bytes=300 * 1024**2))
    done = walk(walker, tmp_path, minidumps.dump_that_wants_gigabytes(threads=50, frames=50_000).build())
    assert (done.status, done.document) == ("OutOfMemory", {})
    assert done.return_code == -signal.SIGABRT


def test_a_document_that_grows_too_large_ends_the_program(stackwalker_path: Path, tmp_path: Path):
    walker = Stackwalker(stackwalker_path, Limits(timeout_seconds=60, output_bytes=64 * 1024))
    done = walk(walker, tmp_path, minidumps.simple_dump(MODULE, frames=1002).build())
    assert (done.status, done.document) == ("OutputTooLarge", {})
    assert done.return_code == -signal.SIGXFSZ
    assert (tmp_path / "work" / "upload_file_minidump.dump.walk.json").stat().st_size <= 64 * 1024 + 512


def test_a_walk_that_takes_too_long_is_killed_with_all_its_children(tmp_path: Path):
    pid_file = tmp_path / "pid"
    path = program(tmp_path, f"sleep 300 & echo $! > {pid_file}; exec sleep 300\n")
    done = walk(Stackwalker(path, Limits(timeout_seconds=3)), tmp_path, b"MDMP")
    assert (done.status, done.return_code, done.document) == ("Timeout", -signal.SIGKILL, {})
    wait_until(lambda: not is_running(int(pid_file.read_text())))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv of util-linux is not on this machine")
def test_a_walk_ends_with_the_worker_that_is_killed(tmp_path: Path):
    pid_file = tmp_path / "pid"
    path = program(tmp_path, f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep 300\n")
    dump = tmp_path / "dump"
    dump.write_bytes(b"MDMP")
    worker = subprocess.Popen([sys.executable, "-c", WORKER, path, dump, tmp_path], cwd=CHECKOUT)
    try:
        wait_until(pid_file.exists)
        assert is_running(int(pid_file.read_text()))
    finally:
        worker.kill()
        worker.wait()
    wait_until(lambda: not is_running(int(pid_file.read_text())))


WORKER = """
import sys
from pathlib import Path
from processing.stackwalker.runner import Stackwalker

path, dump, workdir = map(Path, sys.argv[1:])
Stackwalker(path).walk(dump, workdir, [], {})
"""


def test_children_that_outlive_the_program_are_killed_too(tmp_path: Path):
    pid_file = tmp_path / "pid"
    path = program(tmp_path, f'sleep 300 & echo $! > {pid_file}; echo \'{{"status": "OK"}}\' > "$output"\n')
    done = walk(Stackwalker(path, Limits(timeout_seconds=60)), tmp_path, b"MDMP")
    assert done.status == "OK"
    wait_until(lambda: not is_running(int(pid_file.read_text())))


@pytest.mark.parametrize(
    ("body", "status", "return_code"),
    [
        ("exit 3", "unknown error", 3),
        ("kill -SEGV $$", "unknown error", -signal.SIGSEGV),
        ("kill -XCPU $$", "Timeout", -signal.SIGXCPU),
        ("echo 'ERROR Could not parse something' >&2; exit 1", "unknown error", 1),
        ("echo 'ERROR Panic - at line 3' >&2; exit 101", "Panic", 101),
        ("echo 'DATA ERROR Panic' >&2; exit 1", "unknown error", 1),
        ("echo 'memory allocation of 99 bytes failed' >&2; kill -ABRT $$", "OutOfMemory", -signal.SIGABRT),
        ("exit 0", "BadOutput", 0),
        ('echo "no json" > "$output"', "BadOutput", 0),
        ('echo "[1]" > "$output"', "BadOutput", 0),
        ('echo "{}" > "$output"', "BadOutput", 0),
        ('echo \'{"status": "OK", "a": NaN}\' > "$output"', "BadOutput", 0),
        ('echo \'{"status": "OK"}\' > "$output"; echo "ERROR Panic - but all is well" >&2', "OK", 0),
    ],
)
def test_every_end_of_the_program_has_a_stable_status(
    tmp_path: Path, body: str, status: str, return_code: int
):
    done = walk(Stackwalker(program(tmp_path, body + "\n"), Limits(timeout_seconds=60)), tmp_path, b"MDMP")
    assert (done.status, done.return_code) == (status, return_code)


def test_of_a_long_log_only_the_last_lines_are_kept(tmp_path: Path):
    body = "i=0; while [ $i -lt 5000 ]; do echo line $i >&2; i=$((i + 1)); done; printf 'nul\\0byte' >&2; exit 1\n"
    done = walk(Stackwalker(program(tmp_path, body), Limits(timeout_seconds=60)), tmp_path, b"MDMP")
    assert done.log.splitlines() == ["...", *(f"line {number}" for number in range(4991, 5000)), "nulbyte"]


def test_one_endless_line_of_log_is_bounded(tmp_path: Path):
    done = walk(
        Stackwalker(
            program(tmp_path, "head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1\n"),
            Limits(timeout_seconds=60),
        ),
        tmp_path,
        b"MDMP",
    )
    assert len(done.log) == runner.LOG_BYTES


def test_the_program_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET_KEY", "s3cr3t")
    done = walk(
        Stackwalker(program(tmp_path, "env >&2; exit 1\n"), Limits(timeout_seconds=60)), tmp_path, b"MDMP"
    )
    assert "PATH=" in done.log
    assert "s3cr3t" not in done.log


@pytest.mark.skipif("unshare" not in runner._isolation(), reason="no network namespaces on this machine")
def test_the_program_has_no_network(tmp_path: Path):
    body = "cat /proc/net/dev >&2; cat /proc/net/route >&2; exit 1\n"
    done = walk(Stackwalker(program(tmp_path, body), Limits(timeout_seconds=60)), tmp_path, b"MDMP")
    interfaces = [line.split(":")[0].strip() for line in done.log.splitlines() if ":" in line]
    assert set(interfaces) <= {"lo"}


def test_a_missing_program_is_refused_at_once(tmp_path: Path):
    with pytest.raises(StackwalkerMissing, match="STACKWALKER_PATH"):
        Stackwalker(tmp_path / "nothing-here")


def test_a_program_that_does_not_run_is_refused_at_once(tmp_path: Path):
    path = tmp_path / "no-program"
    path.write_text("text")
    with pytest.raises(StackwalkerMissing, match="make run"):
        Stackwalker(path)
    if failing := shutil.which("false"):
        with pytest.raises(StackwalkerMissing):
            Stackwalker(Path(failing))


def test_a_stackwalker_that_fails_on_a_full_disk_is_not_the_dumps_failure(tmp_path: Path):
    fills = program(tmp_path, 'ln -s /dev/full "$(dirname "$output")/room.probe"; exit 1')
    with pytest.raises(DiskFull):
        walk(Stackwalker(fills), tmp_path, b"MDMP")
    assert not (tmp_path / "work" / "room.probe").is_symlink()


def test_a_stackwalker_that_says_that_it_had_no_room_is_believed(tmp_path: Path):
    says = program(tmp_path, 'echo "ERROR IoError No space left on device (os error 28)" >&2; exit 1')
    with pytest.raises(DiskFull):
        walk(Stackwalker(says), tmp_path, b"MDMP")


def test_annotations_that_have_no_room_are_a_full_disk(stackwalker: Stackwalker, tmp_path: Path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "upload_file_minidump.dump.annotations.json").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        walk(stackwalker, tmp_path, b"MDMP", CPUMicrocodeVersion="0x1")
