"""Bring what waits in a collector's spool to where it belongs: crashes to storage, saved crashes to the queue."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from logging import getLogger
from typing import Any

from ingest.claims import LONGEST_DELAY_SECONDS, Claim
from ingest.publisher import Publisher
from ingest.spool import LEFTOVER_SECONDS, Note, Spool
from processing.errors import CrashDamaged, CrashNotFound, CrashStatsError, QueueError, StorageError
from processing.storage.base import CrashStorage, Dump

log = getLogger(__name__)

_SHORTEST_DELAY_SECONDS = 60.0
_CLEAN_EVERY_SECONDS = 600.0
_NOTES_EVERY_SECONDS = 5.0


@dataclass(slots=True)
class Moved:
    """What one round did, or one step of it.

    ``refused`` counts what was not taken although others are, and is tried again later; ``damaged`` what was set aside.
    The last two tell that a destination takes nothing at all.
    """

    saved: int = 0
    published: int = 0
    refused: int = 0
    damaged: int = 0
    storage_down: bool = False
    database_down: bool = False

    def add(self, other: Moved) -> None:
        self.saved += other.saved
        self.published += other.published
        self.refused += other.refused
        self.damaged += other.damaged
        self.storage_down |= other.storage_down
        self.database_down |= other.database_down


class _Down(Exception):
    """The destination takes nothing now; the text may be logged."""


class _Refused(Exception):
    """The destination is up and does not take this one; the text may be logged."""


_Step = Callable[[Claim, Moved], Moved]


class Mover:
    """Drains one spool. Every step may be repeated, so a mover may be killed at any time; several share the work.

    Args: ``threads`` crashes are moved at the same time, if they are together no larger than ``memory_bytes``; larger
    ones are moved alone, from copies on the spool's disk.
    """

    def __init__(
        self,
        spool: Spool,
        storage: CrashStorage,
        publisher: Publisher,
        *,
        threads: int = 8,
        memory_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._spool = spool
        self._storage = storage
        self._publisher = publisher
        self._threads = max(1, threads)
        self._memory_bytes = memory_bytes
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="mover")
        self._clean_at = time.monotonic()
        self._down: set[str] = set()

    def close(self) -> None:
        self._pool.shutdown()

    def run_once(self, wanted: Callable[[], bool] = lambda: True) -> Moved:
        """Go through the spool once; stop early when ``wanted`` says no.

        What is for a destination that turns out to be down stays.
        Raises: StorageError when the spool itself cannot be read and written; nothing is moved then.
        """
        self._spool.require_writable()
        if time.monotonic() >= self._clean_at:
            self._remove_leftovers()
            self._log_what_stays()
            self._clean_at = time.monotonic() + _CLEAN_EVERY_SECONDS
        moved = Moved()
        self._drain(moved, wanted)
        self._log_changes(moved)
        return moved

    def _remove_leftovers(self) -> None:
        self._spool.remove_leftovers()
        with suppress(StorageError):  # it is down: next time
            self._storage.remove_leftovers(LEFTOVER_SECONDS)

    def _log_what_stays(self) -> None:
        waiting = self._spool.waiting()
        if waiting.refused or waiting.damaged:
            log.warning(
                "the spool holds %d refused crashes and notes, which are tried again, and %d damaged ones in %s",
                waiting.refused,
                waiting.damaged,
                self._spool.damaged,
            )

    def _drain(self, moved: Moved, wanted: Callable[[], bool]) -> None:
        """Hand the work to the threads, never more at once than there are threads and room in memory for."""
        running: dict[Future[Moved], int] = {}
        try:
            for step, claim in self._work(moved):
                size_bytes = min(claim.size, self._memory_bytes)
                with ExitStack() as until_submitted:
                    until_submitted.enter_context(claim)
                    if not wanted():
                        break
                    self._wait_for_room(running, size_bytes, moved)
                    until_submitted.pop_all()  # its step lets go of it; `submit` queues that first of all
                running[self._pool.submit(_run, step, claim, moved)] = size_bytes
            while running:
                _take_results(running, moved)
        finally:
            wait(running)

    def _wait_for_room(self, running: dict[Future[Moved], int], size_bytes: int, moved: Moved) -> None:
        while running and (
            len(running) >= self._threads or sum(running.values()) + size_bytes > self._memory_bytes
        ):
            _take_results(running, moved)

    def _work(self, moved: Moved) -> Iterator[tuple[_Step, Claim]]:
        """Give what there is to do. Notes are quickly done, so they never wait for long behind crashes."""
        yield from self._notes(moved)
        notes_at = time.monotonic() + _NOTES_EVERY_SECONDS
        for folder in self._spool.crash_folders():
            for claim in self._spool.claim_crashes(folder):
                yield self._move_crash, claim
                if moved.storage_down:
                    return
            if time.monotonic() >= notes_at:
                yield from self._notes(moved)
                notes_at = time.monotonic() + _NOTES_EVERY_SECONDS

    def _notes(self, moved: Moved) -> Iterator[tuple[_Step, Claim]]:
        for claim in () if moved.database_down else self._spool.claim_notes():
            yield self._move_note, claim
            if moved.database_down:
                return

    def _move_crash(self, claim: Claim, so_far: Moved) -> Moved:
        """Save to storage, publish or note that this is to be done, and only then forget it here."""
        crash_id = claim.crash_id
        try:
            raw_crash = self._spool.crashes.get_raw_crash(crash_id)
            note = _note_from(raw_crash, crash_id)
            with self._spool.dumps(claim, in_memory=claim.size <= self._memory_bytes) as dumps:
                self._save(crash_id, raw_crash, dumps)
        except CrashDamaged:
            return self._set_aside(claim, "damaged")
        except CrashNotFound:
            return Moved()  # taken away by hand
        except _Down:
            return Moved(storage_down=True)
        except _Refused as exc:
            return _put_off(claim, f"storage refuses it: {exc}", note.received_at)
        except (StorageError, OSError) as exc:
            return _put_off(claim, f"this machine's disk does not give it: {_kind(exc)}", None)
        try:
            moved = self._publish_or_note(claim, note, so_far)
        except StorageError as exc:
            return _put_off(claim, f"no note of it could be left: {_kind(exc)}", note.received_at)
        claim.remove()
        moved.saved += 1
        log.info("%s: moved from the spool to storage", crash_id)
        return moved

    def _save(self, crash_id: str, raw_crash: dict[str, Any], dumps: dict[str, Dump]) -> None:
        """Raises: _Down, _Refused."""

        def save() -> None:
            self._storage.save_raw_crash(crash_id, raw_crash, dumps)

        _attempt(save, self._storage.check, StorageError)

    def _publish_or_note(self, claim: Claim, note: Note, so_far: Moved) -> Moved:
        """Raises: StorageError when neither can be done."""
        crash_id = claim.crash_id
        moved = Moved()
        if not so_far.database_down:
            try:
                self._publish(crash_id, note)
                return Moved(published=1)
            except _Down:
                moved.database_down = True
            except _Refused:
                pass  # the note says so when its turn comes
        try:
            self._spool.note_unpublished(crash_id, product=note.product, received_at=note.received_at)
        except StorageError:
            self._spool.turn_into_note(claim)
        return moved

    def _move_note(self, claim: Claim, so_far: Moved) -> Moved:
        """Publish a crash that is saved already."""
        try:
            note = self._spool.read_note(claim) or self._note_from_storage(claim.crash_id)
            self._publish(claim.crash_id, note)
        except CrashNotFound:
            return self._set_aside(claim, "its note is damaged, and storage has no such crash")
        except StorageError as exc:
            return _put_off(claim, f"its note is damaged, and storage does not help: {_kind(exc)}", None)
        except _Down:
            return Moved(database_down=True)
        except _Refused as exc:
            return _put_off(claim, f"the database refuses it: {exc}", note.received_at)
        claim.remove()
        log.info("%s: published", claim.crash_id)
        return Moved(published=1)

    def _note_from_storage(self, crash_id: str) -> Note:
        """Raises: CrashNotFound, StorageError."""
        return _note_from(self._storage.get_raw_crash(crash_id), crash_id)

    def _publish(self, crash_id: str, note: Note) -> None:
        """Raises: _Down, _Refused."""

        def publish() -> None:
            self._publisher.publish(crash_id, product=note.product, received_at=note.received_at)

        _attempt(publish, self._publisher.check, QueueError)

    def _set_aside(self, claim: Claim, why: str) -> Moved:
        claim.set_aside(self._spool.damaged)
        log.error(
            "%s: %s; it is kept in the spool's folder %s", claim.crash_id, why, self._spool.damaged.name
        )
        return Moved(damaged=1)

    def _log_changes(self, moved: Moved) -> None:
        """Say once, not every round, that a destination has gone or come back."""
        for name, down, works in (
            ("the crash storage", moved.storage_down, moved.saved),
            ("the database", moved.database_down, moved.published),
        ):
            if down and name not in self._down:
                self._down.add(name)
                log.warning("%s is down; what is for it waits in the spool", name)
            elif works and not down and name in self._down:
                self._down.remove(name)
                log.info("%s is back", name)


def _attempt(act: Callable[[], None], check: Callable[[], None], failure: type[CrashStatsError]) -> None:
    """Do something; when it fails although all is well otherwise, once more.

    Raises: _Down when ``check`` fails, too; _Refused when it is only this.
    """
    try:
        act()
    except failure:
        try:
            check()
        except failure as exc:
            raise _Down(_kind(exc)) from exc
        try:
            act()
        except failure as exc:
            raise _Refused(_kind(exc)) from exc


def _run(step: _Step, claim: Claim, so_far: Moved) -> Moved:
    """Take one step. Whatever is wrong with one crash stops no other; a spool that cannot be written stops them all."""
    with claim:
        try:
            return step(claim, so_far)
        except StorageError:
            raise
        except Exception as exc:  # unforeseen
            place = traceback.extract_tb(exc.__traceback__)[-1]
            return _put_off(
                claim, f"moving it fails: {_kind(exc)} in {place.name}, line {place.lineno}", None
            )


def _take_results(running: dict[Future[Moved], int], moved: Moved) -> None:
    """Wait until at least one step has ended, and add up what was done."""
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        del running[future]
        moved.add(future.result())


def _put_off(claim: Claim, why: str, received_at: datetime | None) -> Moved:
    """Try it again after as long as it has waited already, within limits."""
    seconds = LONGEST_DELAY_SECONDS
    if received_at is not None:
        waited_seconds = (datetime.now(received_at.tzinfo) - received_at).total_seconds()
        seconds = min(max(waited_seconds, _SHORTEST_DELAY_SECONDS), LONGEST_DELAY_SECONDS)
    claim.put_off(seconds)
    log.warning("%s: %s; it is tried again in %d s", claim.crash_id, why, seconds)
    return Moved(refused=1)


def _note_from(raw_crash: Any, crash_id: str) -> Note:
    """Raises: CrashDamaged when this is not what a collector writes."""
    try:
        return Note(
            product=str(raw_crash.get("ProductName", "")),
            received_at=datetime.fromisoformat(raw_crash["submitted_timestamp"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise CrashDamaged(f"{crash_id}: its raw crash does not say when it was received") from None


def _kind(exc: BaseException) -> str:
    """Name an error without its text, which may hold what a client sent."""
    return type(exc.__cause__ or exc).__name__
