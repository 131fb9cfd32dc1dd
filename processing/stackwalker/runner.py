"""Run minidump-stackwalk on one dump. This is the only place where the processor starts another program.

A dump is hostile input, so the program gets a process group of its own that is killed whole when the time is up, hard
limits for address space, file size and processor time, and no network: it is never given a symbol server, and where
the system allows it runs in a network namespace without interfaces. It ends with the process that started it.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from processing import diskspace
from processing.errors import CrashStatsError
from processing.stackwalker import output

logger = logging.getLogger(__name__)

#: Lines of the stackwalker's log that are kept, and the bytes they may have together.
LOG_LINES = 10
LOG_BYTES = 8 * 1024

#: The annotations that minidump-stackwalk reads; it is given no others.
ANNOTATIONS_READ = ("ModuleSignatureInfo", "CPUMicrocodeVersion")

#: Sets limits, then becomes the program. Arguments: KiB of address space, 512-byte blocks of a file, seconds of
#: processor time, then the command. A limit that this system does not know is left out.
_LIMITED = """
ulimit -c 0 2>/dev/null
ulimit -v "$1" 2>/dev/null
ulimit -f "$2" 2>/dev/null
ulimit -t "$3" 2>/dev/null
shift 3
exec "$@"
"""


class StackwalkerMissing(CrashStatsError):
    """The minidump-stackwalk program cannot be run at all."""


class WalkStatus(StrEnum):
    """Outcomes that we tell apart ourselves; minidump-stackwalk's own error names come on top (`KNOWN_ERRORS`)."""

    OK = "OK"
    EMPTY = "EmptyMinidump"
    TIMEOUT = "Timeout"
    OUT_OF_MEMORY = "OutOfMemory"
    OUTPUT_TOO_LARGE = "OutputTooLarge"
    BAD_OUTPUT = "BadOutput"
    UNKNOWN = "unknown error"


#: Error names that minidump-stackwalk writes as the second word of its log. Source: ``Error::name`` of the crates
#: minidump and minidump-processor.
KNOWN_ERRORS = frozenset(
    {
        "CodeViewReadFailure",
        "DataError",
        "FileNotFound",
        "HeaderMismatch",
        "IoError",
        "MemoryReadFailure",
        "MinidumpReadError",
        "MissingDirectory",
        "MissingHeader",
        "MissingSystemInfo",
        "MissingThreadList",
        "ModuleReadFailure",
        "Panic",
        "StreamNotFound",
        "StreamReadFailure",
        "StreamSizeMismatch",
        "UnknownElementType",
        "UnknownError",
        "VersionMismatch",
    }
)


@dataclass(frozen=True)
class Limits:
    """What one walk may take: seconds of wall clock, bytes of address space, bytes of each file it writes."""

    timeout_seconds: float = 120
    memory_bytes: int = 4 * 1024**3
    output_bytes: int = 128 * 1024**2


@dataclass(frozen=True)
class Walk:
    """How one walk went.

    ``status`` a WalkStatus or one of KNOWN_ERRORS · ``return_code`` exit code, negative for a signal, None when the
    program was not needed · ``document`` its output with long lists cut, ``{}`` unless the status is OK · ``cuts`` the
    lists that were cut · ``log`` the last lines of its log: protected, it may quote the dump · ``seconds`` wall clock.
    """

    status: str
    return_code: int | None = None
    document: dict[str, Any] = field(default_factory=dict)
    cuts: tuple[output.Cut, ...] = ()
    log: str = ""
    seconds: float = 0.0


class Stackwalker:
    """One minidump-stackwalk program with its limits; may be used by several threads."""

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        """Raises: StackwalkerMissing when ``path`` cannot be run."""
        self._path = path
        self._limits = limits or Limits()
        self.version = _read_version(path)
        self._wrapper = (*_isolation(), "sh", "-c", _LIMITED, "sh", *_limit_arguments(self._limits))

    def walk(
        self,
        dump: Path,
        workdir: Path,
        symbol_folders: Sequence[Path],
        annotations: Mapping[str, Any],
        timeout_seconds: float | None = None,
    ) -> Walk:
        """Walk the stacks of one dump; every kind of failure is a status, not an exception, but for a full disk.

        Args: ``workdir`` is an existing folder for scratch files · ``symbol_folders`` hold Breakpad symbol files by
        key, the first hit counts · ``annotations`` is the raw crash · ``timeout_seconds`` shortens the limit.
        Raises: DiskFull when the stackwalker failed and ``workdir`` has no room left; OSError when it cannot be used.
        """
        if dump.stat().st_size == 0:
            return Walk(WalkStatus.EMPTY, log="Shortcut for 0-bytes minidump.")
        files = _Scratch(workdir, dump)
        command = [*self._wrapper, *self._command(dump, files, symbol_folders, annotations)]
        limit = self._limits.timeout_seconds if timeout_seconds is None else timeout_seconds
        started = time.monotonic()
        return_code, timed_out = _run(command, files.stderr, min(limit, self._limits.timeout_seconds))
        seconds = time.monotonic() - started
        walk = self._finished(files, return_code, timed_out=timed_out, seconds=seconds)
        if walk.status != WalkStatus.OK:
            diskspace.prove_room(workdir, walk.log)
        return walk

    def _command(
        self, dump: Path, files: _Scratch, symbol_folders: Sequence[Path], annotations: Mapping[str, Any]
    ) -> list[str]:
        command = [
            str(self._path),
            "--json",
            "--no-color",
            "--no-interactive",
            "--verbose=error",
            f"--output-file={files.document}",
            f"--log-file={files.log}",
        ]
        command += [f"--symbols-path={folder}" for folder in symbol_folders] or [
            f"--symbols-path={files.no_symbols()}"
        ]
        if extra := {key: sent for key in ANNOTATIONS_READ if isinstance(sent := annotations.get(key), str)}:
            files.annotations.write_text(json.dumps(extra))
            command.append(f"--evil-json={files.annotations}")
        return [*command, str(dump)]

    def _finished(self, files: _Scratch, return_code: int, *, timed_out: bool, seconds: float) -> Walk:
        log = files.read_log()
        if timed_out:
            return Walk(WalkStatus.TIMEOUT, return_code, log=log, seconds=seconds)
        if return_code != 0:
            return Walk(_status_of_failure(return_code, log), return_code, log=log, seconds=seconds)
        try:
            document, cuts = output.read(files.document, self._limits.output_bytes)
        except output.TooLarge:
            return Walk(WalkStatus.OUTPUT_TOO_LARGE, 0, log=log, seconds=seconds)
        except output.Unreadable:
            return Walk(WalkStatus.BAD_OUTPUT, 0, log=log, seconds=seconds)
        if document.get("status") != WalkStatus.OK:
            return Walk(WalkStatus.BAD_OUTPUT, 0, log=log, seconds=seconds)
        return Walk(WalkStatus.OK, 0, document, cuts, log, seconds)


class _Scratch:
    """The files of one walk, named after the dump so that several walks can share a folder."""

    def __init__(self, workdir: Path, dump: Path) -> None:
        self._workdir = workdir
        self.document = workdir / f"{dump.name}.walk.json"
        self.log = workdir / f"{dump.name}.walk.log"
        self.stderr = workdir / f"{dump.name}.walk.stderr"
        self.annotations = workdir / f"{dump.name}.annotations.json"

    def no_symbols(self) -> Path:
        """Give an empty folder: without any symbol folder the stackwalker would not say which symbols it missed."""
        folder = self._workdir / "no-symbols"
        folder.mkdir(exist_ok=True)
        return folder

    def read_log(self) -> str:
        """Give the last lines of the log and of what the program wrote to its error stream."""
        lines = [
            line for path in (self.log, self.stderr) for line in _tail(path).splitlines() if line.strip()
        ]
        if len(lines) > LOG_LINES:
            lines = ["...", *lines[-LOG_LINES:]]
        return "\n".join(lines)


def _tail(path: Path) -> str:
    """Give the last LOG_BYTES of a file as text, "" when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_BYTES))
            return file.read(LOG_BYTES).decode("utf-8", "replace").replace("\0", "")
    except FileNotFoundError:
        return ""


def _run(command: Sequence[str], stderr: Path, timeout_seconds: float) -> tuple[int, bool]:
    """Run a command in a process group of its own; give its exit code and whether it was killed for time."""
    with stderr.open("wb") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            env={"PATH": os.defpath, "LC_ALL": "C"},
        )
    try:
        return process.wait(timeout_seconds), False
    except subprocess.TimeoutExpired:
        return -signal.SIGKILL, True
    finally:
        _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill whatever is left of the process group, and reap the process itself."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        logger.debug("process group %d is gone", process.pid)
    process.wait()


def _status_of_failure(return_code: int, log: str) -> str:
    """Name a failure from the exit code and the log.

    Only names that minidump-stackwalk is known to write are taken from the log: the rest of it may quote the dump.
    """
    if return_code == -signal.SIGXFSZ:
        return WalkStatus.OUTPUT_TOO_LARGE
    if return_code == -signal.SIGXCPU:
        return WalkStatus.TIMEOUT
    if "memory allocation of " in log or "Cannot allocate memory" in log:
        return WalkStatus.OUT_OF_MEMORY
    for line in log.splitlines():
        words = line.split(maxsplit=2)
        if len(words) > 1 and words[0] == "ERROR" and words[1] in KNOWN_ERRORS:
            return words[1]
    return WalkStatus.UNKNOWN


def _limit_arguments(limits: Limits) -> tuple[str, str, str]:
    seconds = int(limits.timeout_seconds + 1) * (os.cpu_count() or 1)
    return str(limits.memory_bytes // 1024), str(limits.output_bytes // 512 + 1), str(seconds)


def _read_version(path: Path) -> str:
    try:
        finished = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise StackwalkerMissing(
            f"STACKWALKER_PATH={str(path)!r}: cannot run it ({type(exc).__name__}). It has to name the "
            f"minidump-stackwalk program of rust-minidump; `make run` installs one under VAR_DIR/tools."
        ) from exc
    return finished.stdout.strip()


def _isolation() -> tuple[str, ...]:
    """Give the words that, put before a command, take its network away and let it die with us, as far as we may."""
    words: tuple[str, ...] = ()
    for choices in (_NO_NETWORK, _DIES_WITH_PARENT):
        works = next((choice for choice in choices if _can_run([*words, *choice, "true"])), None)
        if works is None:
            logger.info("%s cannot be used here; the stackwalker runs without it", " ".join(choices[0]))
        words += works or ()
    return words


#: As root, then as a plain user with a user namespace.
_NO_NETWORK = (("unshare", "--net"), ("unshare", "--user", "--net"))
#: Comes second: a new user namespace would reset it.
_DIES_WITH_PARENT = (("setpriv", "--pdeathsig", "KILL"),)


def _can_run(command: Sequence[str]) -> bool:
    try:
        subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True
