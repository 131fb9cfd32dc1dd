"""Measure search on made-up crashes: how fast they are indexed, how fast questions are answered, what memory it takes.

    python benchmarks/search.py [--crashes 100000] [--folder FOLDER]

Signatures, versions and frames are drawn with the long tail that real crashes have. Times of questions are medians.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from processing.schema.registry import search_field
from processing.search.query import (
    AllOf,
    Cardinality,
    Facet,
    Filter,
    Histogram,
    Operator,
    Query,
    Sort,
)
from processing.search.tantivy import TantivySearch

BATCH = 1_000
REPEATS = 15
NOW = datetime(2026, 8, 5, tzinfo=UTC)
SIGNATURES = 20_000
FRAMES = 30_000


def make_crashes(count: int, random_source: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give crash ids and processed crashes."""
    frames = [f"mozilla::module{n % 97}::Class{n}::Method(unsigned int)" for n in range(FRAMES)]
    for _ in range(count):
        moment = NOW - timedelta(seconds=random_source.randrange(28 * 86_400))
        crash_id = f"{uuid.UUID(int=random_source.getrandbits(128), version=4)}"[:-7] + f"0{moment:%y%m%d}"
        stack = [frames[_tail(random_source, FRAMES)] for _ in range(random_source.randint(8, 30))]
        yield (
            crash_id,
            {
                "uuid": crash_id,
                "date_processed": moment.isoformat(),
                "product": random_source.choice(["WaterWolf", "EarthRaccoon", "Nightly"]),
                "version": f"{140 - _tail(random_source, 30)}.0",
                "release_channel": random_source.choice(["release", "beta", "nightly"]),
                "os_name": random_source.choice(["Windows", "Linux", "Mac OS X"]),
                "os_pretty_version": f"Windows {random_source.randint(7, 11)}",
                "signature": f"{stack[0]} | {_tail(random_source, SIGNATURES)}",
                "proto_signature": " | ".join(stack),
                "build": 20_260_000_000_000 + random_source.randrange(200) * 10_000,
                "install_time": random_source.randrange(10**9),
                "uptime": _tail(random_source, 100_000),
                "reason": random_source.choice(["SIGSEGV", "EXCEPTION_ACCESS_VIOLATION", "SIGABRT"]),
                "process_type": random_source.choice(["parent", "content", "gpu"]),
                "cpu_arch": random_source.choice(["amd64", "arm64", "x86"]),
                "modules_in_stack": "xul.dll/ABC;ntdll.dll/DEF;kernel32.dll/GHI",
            },
        )


def _tail(random_source: random.Random, size: int) -> int:
    """A number below ``size``, small ones much more often."""
    return int(random_source.paretovariate(0.4) - 1) % size


def questions() -> dict[str, Query]:
    """What pages and scripts ask."""
    date = search_field("date")
    week = AllOf(
        (
            Filter(date, Operator.GREATER_OR_EQUAL, (NOW - timedelta(days=7),)),
            Filter(date, Operator.LESS, (NOW,)),
        )
    )
    names = ["product", "version", "platform", "process_type", "cpu_arch"]
    top = Facet(
        search_field("signature"),
        200,
        (
            Facet(search_field("platform")),
            Facet(search_field("process_type")),
            Cardinality(search_field("install_time")),
            Histogram(date, "day"),
        ),
    )
    stack = search_field("proto_signature")
    columns = tuple(search_field(name) for name in ("uuid", "date", "signature", "product", "version"))
    return {
        "signature facet, everything": Query(size=0, aggregations=(Facet(search_field("signature")),)),
        "signature facet, 7 days": Query((week,), size=0, aggregations=(Facet(search_field("signature")),)),
        "five facets, 7 days": Query(
            (week,), size=0, aggregations=tuple(Facet(search_field(n)) for n in names)
        ),
        "top crashers, four facets inside, 7 days": Query((week,), size=0, aggregations=(top,)),
        "day histogram by version, 28 days": Query(
            size=0, aggregations=(Histogram(date, "day", (Facet(search_field("version")),)),)
        ),
        "100 newest hits": Query((week,), columns, (Sort(date, descending=True),)),
        "1,000 hits": Query((week,), columns, size=1_000),
        "proto signature contains, one frame": Query(
            (Filter(stack, Operator.CONTAINS, ("Class29",)),), size=0
        ),
        "proto signature contains, across frames": Query(
            (Filter(stack, Operator.CONTAINS, ("Class1::Method(unsigned int) | mozilla::module2",)),), size=0
        ),
        "proto signature regex, scans every stack": Query(
            (Filter(stack, Operator.REGEX, (".*Class29.*Class30.*",)),), size=0
        ),
        "signature contains": Query(
            (Filter(search_field("signature"), Operator.CONTAINS, ("Class29",)),), size=0
        ),
    }


def milliseconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Give the median of several runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crashes", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where to make the index; unset: a temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        measure(arguments.folder or Path(temporary) / "search", arguments.crashes)


def measure(folder: Path, count: int) -> None:
    search = TantivySearch(folder)
    random_source = random.Random(1)
    crashes = list(make_crashes(count, random_source))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    for first in range(0, count, BATCH):
        search.index(dict(crashes[first : first + BATCH]))
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{count:,} crashes in batches of {BATCH:,}: {seconds:.1f} s, {count / seconds:,.0f} crashes/s")
    print(f"memory while indexing: {(after - before) / 1024:.0f} MB more than before")
    crash_id, crash = crashes[0]
    print(f"{milliseconds(lambda: search.index({crash_id: crash}), 50):9.1f} ms  commit of one crash")
    print(f"{milliseconds(lambda: commit_and_find(search, crash_id, crash), 20):9.1f} ms  commit and find it")
    for name, query in questions().items():
        total = search.search(query).total
        print(f"{milliseconds(lambda query=query: search.search(query)):9.1f} ms  {name} ({total:,} crashes)")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"index: {size / 1e6:.0f} MB")


def commit_and_find(search: TantivySearch, crash_id: str, crash: dict[str, Any]) -> None:
    search.index({crash_id: crash})
    condition = Filter(search_field("uuid"), Operator.IS, (crash_id,))
    assert search.search(Query((condition,))).total == 1


if __name__ == "__main__":
    main()
