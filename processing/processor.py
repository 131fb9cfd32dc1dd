"""Process one crash: fetch it from storage, run a ruleset over it, save the processed crash.

Knows nothing of queue and ledger: `processing.tasks` calls it for a worker, ``manage.py processcrash`` for a developer.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings

from processing import diskspace, pipeline, rulesets
from processing.errors import CrashNotFound, CrashStatsError
from processing.rules.base import Context
from processing.storage import CrashStorage, get_storage

_CHUNK = 1 << 20


class NoLongerOurs(CrashStatsError):
    """Somebody else has the crash by now; what was found out about it here was not saved."""


@dataclass(frozen=True)
class Received:
    """What the ledger wants to know of a raw crash."""

    product: str
    received_at: datetime


def process(crash_id: str, ruleset: str, still_ours: Callable[[], bool] = lambda: True) -> Received:
    """Fetch a crash, run the ruleset, save the processed crash. Doing it twice gives the same.

    A partial ruleset works on the earlier processed crash; where there is none, the full one runs instead.
    ``still_ours`` is asked once, right before saving: whether nobody else may have saved a newer one meanwhile.

    Raises: CrashNotFound when storage has no such raw crash; StorageError when storage cannot be used now;
    rulesets.UnknownRuleset; StackwalkerMissing when a rule needs it and it cannot be run; DiskFull and other OSErrors
    when the working folder cannot be used; NoLongerOurs. Nothing is saved then.
    """
    storage = get_storage()
    raw_crash = storage.get_raw_crash(crash_id)
    facts = received(raw_crash)  # rules may change the raw crash
    earlier = _earlier(storage, crash_id)
    rules = rulesets.build_ruleset(ruleset)
    if not (earlier or rules.starts_clean):
        rules = rulesets.build_ruleset(rulesets.DEFAULT)
    with diskspace.noticed(), _private_folder(crash_id) as folder:
        workdir = folder / "work"
        workdir.mkdir()
        context = Context(crash_id, raw_crash, {}, earlier, workdir)
        context.dumps = _fetch_dumps(storage, context, folder)
        pipeline.run(rules, context)
        if not still_ours():
            raise NoLongerOurs(f"{crash_id}: another worker has it now")
        storage.save_processed_crash(crash_id, context.processed_crash)
    return facts


def clear_leftovers() -> None:
    """Remove working folders that nobody uses: of processes that are gone, or older than any crash may take."""
    oldest = time.time() - settings.PROCESSOR["leftover_seconds"]
    for folder in _folders("*"):
        pid = int(folder.name.split("-")[1])
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            if not psutil.pid_exists(pid) or folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)


def clear_leftovers_of(pid: int) -> None:
    """Remove the working folders of a process of this machine that is dead."""
    for folder in _folders(str(pid)):
        shutil.rmtree(folder, ignore_errors=True)


def _earlier(storage: CrashStorage, crash_id: str) -> dict[str, Any]:
    try:
        return storage.get_processed_crash(crash_id)
    except CrashNotFound:
        return {}


@contextlib.contextmanager
def _private_folder(crash_id: str) -> Iterator[Path]:
    """A folder of mode 0700 that goes with all that is in it, whatever happens."""
    parent: Path = settings.PROCESSOR["folder"]
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"crash-{os.getpid()}-{crash_id}-", dir=parent) as folder:
        yield Path(folder)


def _folders(pid: str) -> Iterator[Path]:
    parent: Path = settings.PROCESSOR["folder"]
    return parent.glob(f"crash-{pid}-*")


def _fetch_dumps(storage: CrashStorage, context: Context, folder: Path) -> dict[str, Path]:
    """Copy the dumps into files, as long as all together stay within ``PROCESSOR["max_dump_bytes"]``."""
    budget: int = settings.PROCESSOR["max_dump_bytes"]
    dumps = {}
    for name in storage.get_dump_names(context.crash_id):
        path = folder / f"{name}.dump"
        try:
            size = _copy(storage, context.crash_id, name, path, budget)
        except CrashNotFound:
            context.add_note(f"dump {name} is missing")
        else:
            if size > budget:
                path.unlink()
                context.add_note(f"dump {name} is too large: left out")
            else:
                dumps[name] = path
                budget -= size
    return dumps


def _copy(storage: CrashStorage, crash_id: str, name: str, path: Path, limit: int) -> int:
    """Copy a dump into a file, and give how many bytes it had; copying ends soon after ``limit`` bytes."""
    size = 0
    with storage.open_dump(crash_id, name) as source, path.open("wb") as target:
        while size <= limit and (chunk := source.read(_CHUNK)):
            size += target.write(chunk)
    return size


def received(raw_crash: Mapping[str, Any]) -> Received:
    """Read product and time of receipt from a raw crash; ``""`` and now, when it does not tell."""
    product = raw_crash.get("ProductName")
    try:
        stamp = datetime.fromisoformat(raw_crash["submitted_timestamp"])
        received_at = stamp.astimezone(UTC) if stamp.tzinfo else stamp.replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        received_at = datetime.now(UTC)
    return Received(product if isinstance(product, str) else "", received_at)
