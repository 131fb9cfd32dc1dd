"""``manage.py submitcrash``"""

from __future__ import annotations

import argparse
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest.submission import CannotSubmit, Collector, Report, load_annotations, load_report

SAMPLES = settings.BASE_DIR / "samples" / "reports"
_BAR_WIDTH = 30


class Command(BaseCommand):
    help = (
        "Send crash reports to a collector and print the crash ids. A report is the name of a bundled sample, or a "
        "folder with annotations.json and dump files; without any, the bundled samples are sent in turn."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("reports", nargs="*", metavar="REPORT")
        parser.add_argument("--samples", action="store_true", help="send every bundled sample once")
        parser.add_argument("--url", help="the collector's address (default: the one of the settings)")
        parser.add_argument(
            "--count", type=_positive, metavar="N", help="how many to send, taking reports in turn"
        )
        parser.add_argument("--rate", type=float, metavar="R", help="send no more than R a second")
        parser.add_argument(
            "--concurrency",
            type=_positive,
            default=4,
            metavar="N",
            help="how many to send at once (default: 4)",
        )
        parser.add_argument("--product", help="send as crashes of this product")
        parser.add_argument(
            "--annotation",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="add or replace an annotation",
        )
        parser.add_argument("--annotations", type=Path, metavar="FILE", help="send these annotations (JSON)")
        parser.add_argument(
            "--dump",
            action="append",
            default=[],
            metavar="[NAME=]FILE",
            help="with --annotations: send this dump",
        )
        parser.add_argument("--gzip", action="store_true", help="compress the bodies")
        parser.add_argument("--chunked", action="store_true", help="send in chunks, without Content-Length")
        parser.add_argument("--json", action="store_true", help="send all annotations as one JSON part")
        parser.add_argument(
            "--identical",
            action="store_true",
            help="send the very same report each time; the collector answers repeats with the first crash id. "
            "Otherwise each gets an annotation SubmissionToken that makes it another crash.",
        )

    def handle(self, **options: Any) -> None:
        try:
            reports = _chosen_reports(options)
            overrides = _overrides(options)
        except CannotSubmit as exc:
            raise CommandError(f"{exc}; nothing was sent") from exc
        collector = Collector(
            options["url"] or f"http://{settings.HOST}:{settings.COLLECTOR_PORT}/submit",
            compress=options["gzip"],
            chunked=options["chunked"],
            as_json=options["json"],
        )
        count = options["count"] or len(reports)
        queue = (
            report.with_annotations(overrides if options["identical"] else {**overrides, **_token()})
            for report in islice(cycle(reports), count)
        )
        failed = self._send(queue, count, collector, options["rate"], options["concurrency"])
        if failed:
            raise CommandError(f"{failed} of {count} reports were not accepted; the reasons are above")

    def _send(
        self,
        reports: Iterator[Report],
        count: int,
        collector: Collector,
        rate: float | None,
        concurrency: int,
    ) -> int:
        """Send everything, printing ids as they come. Give how many failed."""
        progress = _Progress(self.stderr, count)
        failed = 0
        started = time.monotonic()
        with ThreadPoolExecutor(concurrency) as executor:
            pending: set[Future[str]] = set()
            for number, report in enumerate(reports):
                if rate:
                    time.sleep(max(0, started + number / rate - time.monotonic()))
                pending.add(executor.submit(collector.submit, report))
                while len(pending) >= concurrency:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    failed += self._report(done, progress)
            failed += self._report(wait(pending).done, progress)
        progress.finish()
        return failed

    def _report(self, done: set[Future[str]], progress: _Progress) -> int:
        failed = 0
        for future in done:
            progress.step()
            try:
                crash_id = future.result()
            except CannotSubmit as exc:
                failed += 1
                progress.say(str(exc))
            else:
                progress.clear()
                self.stdout.write(crash_id)
        return failed


class _Progress:
    """A bar on a terminal; nothing elsewhere."""

    def __init__(self, stream: Any, count: int) -> None:
        self._stream = stream
        self._count = count
        self._done = 0
        self._shown = sys.stderr.isatty() and count > 1
        self._lock = threading.Lock()

    def step(self) -> None:
        self._done += 1
        if self._shown:
            filled = _BAR_WIDTH * self._done // self._count
            bar = "█" * filled + "·" * (_BAR_WIDTH - filled)
            self._stream.write(f"\r{bar} {self._done}/{self._count}", ending="")
            self._stream.flush()

    def say(self, text: str) -> None:
        self.clear()
        self._stream.write(text)

    def clear(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K", ending="")

    def finish(self) -> None:
        self.clear()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected 1 or more")
    return number


def _chosen_reports(options: dict[str, Any]) -> list[Report]:
    """Raises: CannotSubmit."""
    if options["annotations"]:
        try:
            annotations = load_annotations(options["annotations"])
            return [Report(annotations, dict(_read_dump(text) for text in options["dump"]))]
        except OSError as exc:
            raise CannotSubmit(f"{exc.filename}: {exc.strerror}") from exc
    names = options["reports"]
    if options["samples"] or not names:
        names = (
            sorted(folder.name for folder in SAMPLES.iterdir() if folder.is_dir()) if SAMPLES.exists() else []
        )
        if not names:
            raise CannotSubmit(f"{SAMPLES}: no samples there")
    return [load_report(_folder(name)) for name in names]


def _folder(name: str) -> Path:
    sample: Path = SAMPLES / name
    if sample.is_dir():
        return sample
    if Path(name).is_dir():
        return Path(name)
    known = ", ".join(sorted(path.name for path in SAMPLES.iterdir())) if SAMPLES.exists() else "none"
    raise CannotSubmit(f"{name}: neither a folder nor a sample; the samples are {known}")


def _read_dump(text: str) -> tuple[str, bytes]:
    name, separator, path = text.partition("=")
    if not separator:
        name, path = "upload_file_minidump", text
    return name, Path(path).read_bytes()


def _overrides(options: dict[str, Any]) -> dict[str, str]:
    """Raises: CannotSubmit."""
    overrides = {"ProductName": options["product"]} if options["product"] else {}
    for text in options["annotation"]:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise CannotSubmit(f"--annotation {text}: expected NAME=VALUE")
        overrides[name] = value
    return overrides


def _token() -> dict[str, str]:
    return {"SubmissionToken": secrets.token_hex(8)}
