"""How long from the collector's answer until a crash is found by search, and what memory the system holds at rest.

Run it against a system that `make run` has started and that has nothing else to do:

    .venv/bin/python -m benchmarks.journey [--count 50] [--web http://127.0.0.1:8000] [--collector http://127.0.0.1:8001]

Prints the minimum, median and maximum of the latency in milliseconds, and the proportional set size (PSS, Linux) of
the launcher below ``--var`` and everything it started, in megabytes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import urllib.request
from pathlib import Path

import psutil

from ingest.submission import Collector, load_report

CHECKOUT = Path(__file__).resolve().parent.parent
SAMPLE = CHECKOUT / "samples" / "reports" / "waterwolf-inlined-templates"


def submit(collector: Collector) -> str:
    """Send the sample; a note makes each report one of its own, or the collector would answer the first one's id."""
    return collector.submit(
        load_report(SAMPLE).with_annotations({"Notes": f"{time.time_ns()}"})
    ).removeprefix("bp-")


def is_found(web: str, crash_id: str) -> bool:
    url = f"{web}/api/SuperSearch/?uuid={crash_id}&_columns=uuid&_facets_size=0"
    with urllib.request.urlopen(url, timeout=30) as response:
        return json.load(response)["total"] == 1


def latency_milliseconds(web: str, collector: Collector) -> float:
    crash_id = submit(collector)
    answered = time.perf_counter()
    while not is_found(web, crash_id):
        if time.perf_counter() - answered > 60:
            raise SystemExit(f"{crash_id} was not found within 60 s")
        time.sleep(0.01)
    return (time.perf_counter() - answered) * 1000


def memory(launcher: psutil.Process) -> list[tuple[float, str]]:
    """Give the PSS in MB and the command of a process and all below it, the largest first."""
    processes = [launcher, *launcher.children(recursive=True)]
    rows = [(p.memory_full_info().pss / 1e6, " ".join(p.cmdline())[:90]) for p in processes]
    return sorted(rows, reverse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--web", default="http://127.0.0.1:8000")
    parser.add_argument("--collector", default="http://127.0.0.1:8001")
    parser.add_argument("--var", type=Path, default=CHECKOUT / "var")
    options = parser.parse_args()
    rows = memory(psutil.Process(int((options.var / "run.lock").read_text())))
    for megabytes, command in rows:
        print(f"{megabytes:8.1f} MB  {command}")
    print(f"{sum(megabytes for megabytes, _ in rows):8.1f} MB  together, {len(rows)} processes")
    collector = Collector(f"{options.collector}/submit")
    times = [latency_milliseconds(options.web, collector) for _ in range(options.count)]
    print(
        f"answer to search result, {options.count} crashes one after the other: "
        f"min {min(times):.0f} ms, median {statistics.median(times):.0f} ms, max {max(times):.0f} ms"
    )


if __name__ == "__main__":
    main()
