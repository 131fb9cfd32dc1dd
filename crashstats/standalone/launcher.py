"""`make run`: start everything in order, send the samples, say where to look, and end everything again.

One supervisor (supervisord) owns all processes and starts again what dies. This launcher starts it, tells it when each
part may start, and stays as its parent: Ctrl-C and SIGTERM come here.
"""

from __future__ import annotations

import ctypes
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport

from crashstats import settings
from crashstats.standalone import checks, tools
from crashstats.standalone.checks import CannotStart
from crashstats.standalone.postgres import EmbeddedPostgres, PostgresError
from crashstats.standalone.sockets import claim_folder, socket_folder

#: Ctrl-C ends everything within 15 s: what has not ended by then is killed a little earlier.
STOP_SECONDS = 13.0
START_SECONDS = 60.0
SAMPLES_SECONDS = 120.0
WEB_POOL = 4
_END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class Stopped(Exception):
    """Somebody asked for the end, by Ctrl-C or SIGTERM."""


class Launcher:
    """One start of the whole system below ``VAR_DIR``."""

    def __init__(self) -> None:
        self._var: Path = settings.VAR_DIR
        self._logs = self._var / "logs"
        self._run_folder = socket_folder(self._var / "run", "supervisor.sock")
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._rpc: Any = None

    def run(self) -> None:
        """Start, say so, and stay until the supervisor ends or somebody asks for the end."""
        checks.check_folder(self._var)
        lock = checks.lock(self._var)
        checks.check_ports(settings.HOST, {"PORT": settings.PORT, "COLLECTOR_PORT": settings.COLLECTOR_PORT})
        for signum in _END_SIGNALS:
            signal.signal(signum, stop)
        try:
            self._start()
            self._welcome()
            self._watch()
        except Stopped:
            _say("Stopping ...")
        finally:
            _ignore_signals()
            self._stop_everything()
            lock.close()

    def _start(self) -> None:
        for folder in (self._logs, self._run_folder):
            try:
                claim_folder(folder, os.geteuid())
            except OSError as exc:
                raise CannotStart(
                    f"{folder} cannot be ours alone ({exc.strerror or exc}): remove it"
                ) from exc
        if settings.STACKWALKER["path"] == self._var / "tools" / "minidump-stackwalk":
            with _step("stackwalker"):
                tools.install(self._var / "tools")
        self._start_supervisor()
        if not settings.DATABASE_URL:
            with _step("PostgreSQL"):
                server = EmbeddedPostgres(self._var)
                server.prepare()
                server.stop_leftover()
                self._start_program("postgres")
                server.wait_until_ready(START_SECONDS)
        else:
            checks.check_database(settings.DATABASE_URL)
        with _step("database tables, static files"):
            self._manage("prepare")
        with _step("collector, web pages, workers, indexer"):
            self._rpc.supervisor.startProcessGroup("crashstats", False)
            self._wait_for(self._everything_answers, START_SECONDS, "web pages and collector to answer")

    def _start_supervisor(self) -> None:
        _adopt_orphans()
        environment = {**os.environ, **supervisor_environment(self._var, self._run_folder)}
        socket = self._run_folder / "supervisor.sock"
        socket.unlink(missing_ok=True)
        with (self._logs / "supervisor-start.log").open("wb") as output:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord",
                 "--nodaemon", "--configuration", settings.BASE_DIR / "supervisord.conf"],
                cwd=settings.BASE_DIR, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_end_with_parent,
            )  # fmt: skip
        transport = SupervisorTransport(serverurl=f"unix://{socket}")
        self._rpc = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
        self._wait_for(socket.exists, START_SECONDS, "the supervisor to start")

    def _start_program(self, name: str) -> None:
        try:
            self._rpc.supervisor.startProcess(name, True)
        except xmlrpc.client.Fault as exc:
            raise CannotStart(f"{name} does not start: {self._last_log_line(name)}") from exc

    def _manage(self, *arguments: str) -> None:
        """Run a management command whose output the reader shall see."""
        done = subprocess.run([sys.executable, "manage.py", *arguments], cwd=settings.BASE_DIR, check=False)
        if done.returncode != 0:
            raise CannotStart(f"`manage.py {' '.join(arguments)}` failed; its reason is above")

    def _everything_answers(self) -> bool:
        web, collector = _url(settings.PORT), _url(settings.COLLECTOR_PORT)
        return _answers(f"{collector}/__heartbeat__") and (
            _answers(f"{web}/__heartbeat__") or _lacks_only_its_index(web)
        )

    def _welcome(self) -> None:
        marker = self._var / "samples_sent"
        if settings.SAMPLES and not marker.exists():
            self._send_samples()
            marker.touch()
        web, collector = _url(settings.PORT), _url(settings.COLLECTOR_PORT)
        _say(f"Crash Stats is ready: {web}/ (collector {collector}/submit)")
        if "rebuilt" in _status(web).get("search", {}):
            _say(f"The search index is being made anew meanwhile; {web}/status/ shows how far it is.")
        for crash_id in _newest_crashes():
            _say(f"  {web}/report/index/{crash_id}")
        _say(f"Logs are in {self._logs}. Ctrl-C ends everything.")

    def _send_samples(self) -> None:
        with _step("sample crash reports, through the collector"):
            collector = f"{_url(settings.COLLECTOR_PORT)}/submit"
            done = subprocess.run(
                [sys.executable, "manage.py", "submitcrash", "--samples", "--url", collector],
                cwd=settings.BASE_DIR, check=False, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            if done.returncode != 0:
                raise CannotStart(
                    "the samples could not be sent; the reason is above. Without them: SAMPLES=0 make run"
                )
            crash_ids = done.stdout.split()
            self._wait_for(self._nothing_in_flight, SAMPLES_SECONDS, "the samples to be processed")
            newest = crash_ids[0].removeprefix("bp-")
            self._wait_for(lambda: _is_found(newest), START_SECONDS, "the samples to be searchable")

    def _nothing_in_flight(self) -> bool:
        return bool(_status(_url(settings.PORT)).get("ledger", {}).get("in_flight") == 0)

    def _wait_for(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if self._supervisor is not None and self._supervisor.poll() is not None:
                raise CannotStart(f"the supervisor ended: {self._last_log_line('supervisor-start')}")
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"waited {seconds:.0f} s in vain for {what}. The logs in {self._logs} say more"
                )
            time.sleep(0.05)

    def _watch(self) -> None:
        assert self._supervisor is not None
        wait_for_end(self._supervisor.pid)
        raise CannotStart(f"the supervisor ended by itself; {self._logs}/supervisord.log says why")

    def _last_log_line(self, name: str) -> str:
        try:
            lines = (self._logs / f"{name}.log").read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else f"{name}.log in {self._logs} is empty"

    def _stop_everything(self) -> None:
        """End the supervisor, which ends the rest in order; kill what is left when time runs out."""
        deadline = time.monotonic() + STOP_SECONDS
        if self._supervisor is not None:
            self._supervisor.terminate()
            try:
                self._supervisor.wait(STOP_SECONDS - 1)
            except subprocess.TimeoutExpired:
                self._supervisor.kill()
        left = psutil.Process().children(recursive=True)
        for process in left:
            _signal(process, signal.SIGTERM)
        _, alive = psutil.wait_procs(left, timeout=max(0.5, deadline - time.monotonic()))
        for process in alive:
            _signal(process, signal.SIGKILL)
        psutil.wait_procs(alive, timeout=1)


def supervisor_environment(var_dir: Path, run_folder: Path) -> dict[str, str]:
    """Give the variables that ``supervisord.conf`` and the programs need, written so that any folder name survives."""
    logs = str(var_dir / "logs")
    return {
        "DJANGO_SETTINGS_MODULE": "crashstats.settings",
        "PYTHONPATH": str(settings.BASE_DIR),
        "VAR_DIR": str(var_dir),
        # Only the web processes have threads that share a pool; elsewhere each process keeps one connection.
        "DATABASE_POOL": "0",
        "CRASHSTATS_WEB_POOL": str(settings.DATABASE_POOL or WEB_POOL),
        "CRASHSTATS_CHECKOUT": str(settings.BASE_DIR),
        "CRASHSTATS_PYTHON": shlex.quote(sys.executable),
        "CRASHSTATS_VAR": shlex.quote(str(var_dir)),
        "CRASHSTATS_LOGS": logs,
        "CRASHSTATS_PROGRAM_LOGS": logs.replace("%", "%%"),
        "CRASHSTATS_RUN": str(run_folder),
    }


def _signal(process: psutil.Process, signum: int) -> None:
    try:
        process.send_signal(signum)
    except psutil.NoSuchProcess:
        return


def stop(signum: int, frame: FrameType | None) -> None:
    """Ask for the end, once: `make` passes on a signal that the whole process group gets as well."""
    _ignore_signals()
    raise Stopped


def _ignore_signals() -> None:
    for signum in _END_SIGNALS:
        signal.signal(signum, signal.SIG_IGN)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def _step(name: str) -> Iterator[None]:
    """Show that a part of the start begins, and how long it took."""
    started = time.monotonic()
    _say(f"Starting: {name} ...")
    yield
    _say(f"      ok: {name} ({time.monotonic() - started:.1f} s)")


def _url(port: int) -> str:
    """Give an address that a browser on this machine can open."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.HOST, settings.HOST)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _status(web: str) -> Any:
    """Give what the site tells of itself, {} when it does not."""
    return _fetch(f"{web}/status.json")


def _fetch(url: str) -> Any:
    """Give the JSON of an answer, whatever its status; {} when there is none."""
    try:
        try:
            answer = urllib.request.urlopen(url, timeout=5)
        except urllib.error.HTTPError as exc:
            answer = exc
        with answer:
            return json.load(answer)
    except (OSError, ValueError):
        return {}


def _lacks_only_its_index(web: str) -> bool:
    """Tell whether the site is up but for search, whose index is being made anew: that may take hours."""
    return (
        _fetch(f"{web}/__heartbeat__").get("failing") == ["search"]
        and "rebuilt" in _status(web).get("search", {})
    )  # fmt: skip


def _search(parameters: str) -> Any:
    """Give what search answers, {} when it does not."""
    try:
        with urllib.request.urlopen(
            f"{_url(settings.PORT)}/api/SuperSearch/?_facets_size=0&_columns=uuid&{parameters}", timeout=5
        ) as response:
            return json.load(response)
    except (OSError, ValueError):
        return {}


def _is_found(crash_id: str) -> bool:
    return bool(_search(f"uuid={crash_id}").get("total"))


def _newest_crashes() -> list[str]:
    """Give the ids of the newest crashes that have a stack to look at."""
    hits = _search("_sort=-date&_results_number=3&reason=!__null__").get("hits", [])
    return [hit["uuid"] for hit in hits]


def _adopt_orphans() -> None:
    """On Linux: become the parent of whatever the supervisor leaves behind, so that it can be ended too."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def wait_for_end(pid: int) -> None:
    """Return when that child has ended; take note of every other child's end, so that no adopted one stays a zombie."""
    while os.waitpid(-1, 0)[0] != pid:
        pass


def _end_with_parent() -> None:
    """In the supervisor, before it starts; on Linux: SIGTERM when this launcher is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def main() -> None:
    try:
        Launcher().run()
    except (CannotStart, PostgresError, tools.ToolsError) as exc:
        sys.exit(f"Crash Stats cannot start: {exc}")
