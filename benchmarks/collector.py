"""How much more a submission costs the collector than a program that only reads it.

``python -m benchmarks.collector`` starts the collector and a bare WSGI application under the same gunicorn settings,
and a PostgreSQL of its own, loads them in turn, and prints for each kind of submission the CPU time per request and
what clients saw. Only the ratios mean anything on a machine that others use, too. Crashes are written and synced to the
disk that holds ``--folder``.
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import Process, SimpleQueue
from pathlib import Path
from typing import Any

import psutil
from zlib_ng import zlib_ng

CHECKOUT = Path(__file__).resolve().parent.parent
BOUNDARY = b"------------------------9f3c1d20aa77e415"
ANNOTATIONS = 18
IN_FLIGHT = 8


def bare_application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Read the body, answer, and that is all."""
    environ["wsgi.input"].read()
    answer = b"CrashID=bp-0b1ec0de-7a11-4f00-8a5e-1c3f50260801\n"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]


@dataclass(frozen=True)
class Case:
    """One kind of submission."""

    name: str
    dump_bytes: int
    compressed: bool
    requests: int

    def body(self) -> bytes:
        parts = [
            b'--%b\r\nContent-Disposition: form-data; name="Annotation%d"\r\n\r\n%b\r\n'
            % (BOUNDARY, number, b"some value of an annotation " * (number % 4 + 1))
            for number in range(ANNOTATIONS)
        ]
        parts.append(
            b'--%b\r\nContent-Disposition: form-data; name="upload_file_minidump"; filename="0f2a77c1.dmp"\r\n'
            b"Content-Type: application/octet-stream\r\n\r\n%b\r\n--%b--\r\n"
            % (BOUNDARY, _memory_like(self.dump_bytes), BOUNDARY)
        )
        return b"".join(parts)

    def request(self) -> bytes:
        """Give a request whose user agent holds 16 bytes to be replaced, so that no two are the same report."""
        body = gzip.compress(self.body(), 6) if self.compressed else self.body()
        encoding = b"Content-Encoding: gzip\r\n" if self.compressed else b""
        return (
            b"POST /submit HTTP/1.1\r\nHost: localhost\r\nUser-Agent: benchmark %b\r\nAccept: */*\r\n%b"
            b"Content-Type: multipart/form-data; boundary=%b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
        ) % (b"?" * 16, encoding, BOUNDARY, len(body), body)


CASES = (
    Case("30 KB", 30_000, False, 1500),
    Case("30 KB gzip", 30_000, True, 1500),
    Case("1 MB", 1_000_000, False, 400),
    Case("1 MB gzip", 1_000_000, True, 400),
)


@dataclass(frozen=True)
class Run:
    """What one load measured. CPU times are milliseconds per request."""

    requests_per_second: float
    latencies: list[float]
    server_cpu: float
    postgres_cpu: float


@dataclass(frozen=True)
class Server:
    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        return _cpu_seconds(self.process)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--alternations", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1, help="times the usual number of requests")
    parser.add_argument("--folder", type=Path, default=CHECKOUT / "var" / "benchmark")
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    try:
        with _postgres(options.folder) as postgres, _servers(options.folder) as (bare, collector):
            _print_memory("at rest", collector)
            for case in CASES:
                runs: dict[str, list[Run]] = {"bare": [], "collector": []}
                for _ in range(options.alternations):
                    runs["bare"].append(_load(bare, case, options.scale, postgres))
                    runs["collector"].append(_load(collector, case, options.scale, postgres))
                _print_case(case, runs)
            _print_memory("afterwards", collector)
    finally:
        shutil.rmtree(options.folder, ignore_errors=True)


def _print_case(case: Case, runs: dict[str, list[Run]]) -> None:
    print(
        f"\n{case.name}: {ANNOTATIONS} annotations, {IN_FLIGHT} in flight, {len(runs['bare'])} alternations"
    )
    for name, of_name in runs.items():
        latencies = sorted(seconds for run in of_name for seconds in run.latencies)
        p50, p95, p99 = (latencies[int(len(latencies) * q)] * 1000 for q in (0.5, 0.95, 0.99))
        speed = statistics.median(run.requests_per_second for run in of_name)
        cpu = statistics.median(run.server_cpu for run in of_name)
        postgres = statistics.median(run.postgres_cpu for run in of_name)
        print(
            f"  {name:10} {speed:7.0f} requests/s   p50/p95/p99 {p50:6.1f} {p95:6.1f} {p99:6.1f} ms   "
            f"CPU {cpu:6.3f} ms   PostgreSQL {postgres:6.3f} ms"
        )
    ratios = [
        ours.server_cpu / bare.server_cpu for ours, bare in zip(runs["collector"], runs["bare"], strict=True)
    ]
    print(f"  CPU ratio  {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    if case.compressed:
        zlib_cost, zlib_ng_cost = _inflating_cost(case, zlib), _inflating_cost(case, zlib_ng)
        print(f"  inflating alone: zlib {zlib_cost:.3f} ms, zlib-ng {zlib_ng_cost:.3f} ms")


def _inflating_cost(case: Case, library: Any) -> float:
    """Give the CPU milliseconds that undoing the compression all at once takes a library with zlib's interface."""
    data = gzip.compress(case.body(), 6)
    started = time.process_time()
    for _ in range(50):
        stream = library.decompressobj(library.MAX_WBITS | 16)
        stream.decompress(data)
    return (time.process_time() - started) / 50 * 1000


def _print_memory(when: str, server: Server) -> None:
    sizes = [process.memory_full_info() for process in server.process.children()]
    shown = ", ".join(f"{size.rss / 2**20:.1f} MB ({size.pss / 2**20:.1f} MB PSS)" for size in sizes)
    print(f"memory of the collector's workers {when}: {shown}")


def _load(server: Server, case: Case, scale: float, postgres: psutil.Process) -> Run:
    results: SimpleQueue[tuple[float, list[float]]] = SimpleQueue()
    cpu, postgres_cpu = server.cpu_seconds(), _cpu_seconds(postgres)
    count = max(IN_FLIGHT, round(case.requests * scale))
    client = Process(target=_client, args=(server.port, case, count, results))
    client.start()
    seconds, latencies = results.get()
    client.join()
    if len(latencies) != count:
        raise SystemExit(f"{case.name}: {count - len(latencies)} of {count} submissions were not accepted")
    return Run(
        requests_per_second=count / seconds,
        latencies=latencies,
        server_cpu=(server.cpu_seconds() - cpu) / count * 1000,
        postgres_cpu=(_cpu_seconds(postgres) - postgres_cpu) / count * 1000,
    )


def _client(port: int, case: Case, count: int, results: SimpleQueue[tuple[float, list[float]]]) -> None:
    """Send submissions over a connection each, as crash reporters do, a fixed number at the same time."""
    before, _, after = case.request().partition(b"?" * 16)
    latencies: list[float] = []
    numbers = iter(range(count))
    lock = threading.Lock()

    def send() -> None:
        while True:
            with lock:
                if next(numbers, None) is None:
                    return
            started = time.perf_counter()
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(before + secrets.token_hex(8).encode() + after)
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            if b"CrashID=bp-" in answer:
                latencies.append(time.perf_counter() - started)

    threads = [threading.Thread(target=send) for _ in range(IN_FLIGHT)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put((time.perf_counter() - started, latencies))


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[Server, Server]]:
    with (
        _gunicorn("benchmarks.collector:bare_application", folder / "bare") as bare,
        _gunicorn("ingest.wsgi:application", folder) as collector,
    ):
        yield bare, collector


@contextmanager
def _gunicorn(application: str, folder: Path) -> Iterator[Server]:
    port = _free_port()
    folder.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "VAR_DIR": str(folder),
        "COLLECTOR_PORT": str(port),
        "COLLECTOR_WORKERS": "2",
        "LOG_LEVEL": "INFO",
    }
    with (folder / "gunicorn.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", "python:ingest.gunicorn_conf", application],
            cwd=CHECKOUT,
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(port)
            yield Server(port, psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait()


@contextmanager
def _postgres(folder: Path) -> Iterator[psutil.Process]:
    from crashstats.standalone.postgres import EmbeddedPostgres

    server = EmbeddedPostgres(folder.resolve())
    process = subprocess.Popen([sys.executable, "-m", "crashstats.standalone.postgres", folder], cwd=CHECKOUT)
    try:
        server.wait_until_ready(timeout_seconds=60)
        environment = {**os.environ, "VAR_DIR": str(folder)}
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v0"], cwd=CHECKOUT, env=environment, check=True
        )
        yield psutil.Process(process.pid)
    finally:
        server.stop_leftover()
        process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _cpu_seconds(process: psutil.Process) -> float:
    """Give what a process and all it has started have used, those that have ended included."""
    total = 0.0
    for member in [process, *process.children(recursive=True)]:
        try:
            times = member.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        if member.pid == process.pid:
            total += times.children_user + times.children_system
    return total


def _memory_like(size: int) -> bytes:
    """Give bytes that compress about as well as a minidump does: to a third."""
    dice = random.Random(1)
    words = [dice.randbytes(8) for _ in range(64)]
    blocks = [
        dice.randbytes(16) + bytes(24) + b"".join(dice.choices(words, k=3)) for _ in range(size // 64 + 1)
    ]
    return b"".join(blocks)[:size]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
