"""What a worker calls. A task says only "take the next crash"; which one is decided when a worker is free for it."""

from __future__ import annotations

import logging
import time
import traceback

from django.conf import settings
from django.db import Error as DatabaseFailure
from django.db import connection
from django_q.exceptions import TimeoutException

from processing import leases, ledger, processor, rulesets
from processing.diskspace import DiskFull
from processing.errors import CrashNotFound, StorageError
from processing.leases import Lease, Turns
from processing.processor import NoLongerOurs
from processing.stackwalker.runner import StackwalkerMissing
from processing.storage import get_storage

logger = logging.getLogger(__name__)

_FIRST_DEFERRAL_SECONDS = 5
_LONGEST_DEFERRAL_SECONDS = 300
_turns = Turns()


def process_next() -> None:
    """Take the crash that is due next, process it, write down how it ended. Does nothing when none is due.

    Never raises for a crash's sake, so that the worker lives on and django-q2 records nothing about it. When the
    database goes away, the lease runs out and the crash is done again.
    """
    try:
        lease = leases.take(_turns.next())
        if lease is not None:
            attempt(lease)
    except DatabaseFailure as exc:
        logger.error(
            "the database cannot be used now (%s); crashes under way will be done again", type(exc).__name__
        )
        connection.close()


def attempt(lease: Lease) -> None:
    """Process one crash. Whatever it does to us, its message ends up finished, failed, or due again later.

    Raises: django.db.Error when that cannot be written down; the lease runs out then.
    """
    with leases.kept(lease):
        if lease.attempts > settings.QUEUE["max_attempts"]:
            _fail(lease, "WorkerDied")
        else:
            _process(lease)


def _process(lease: Lease) -> None:
    started = time.monotonic()
    try:
        processed = processor.process(lease.crash_id, lease.ruleset, lambda: leases.renew(lease))
        if ledger.is_deleted(lease.crash_id):  # meanwhile: nothing of it may come back
            get_storage().delete(lease.crash_id)
    except (StorageError, StackwalkerMissing, DiskFull, OSError) as exc:  # OSError: of the working folder
        _defer(lease, type(exc).__name__)
    except NoLongerOurs as exc:
        logger.warning("%s; what this one found out is thrown away", exc)
    except (CrashNotFound, rulesets.UnknownRuleset) as exc:
        _fail(lease, type(exc).__name__)
    except DatabaseFailure:
        raise
    except TimeoutException:
        connection.close()  # it may have been in the midst of something
        _fail_or_retry(lease, "TimeLimit")
    except Exception as exc:  # a defect of ours, met by a crash: the others must go on
        where = "".join(traceback.format_tb(exc.__traceback__))  # what it says may quote the crash
        logger.error("%s: attempt %d: %s at\n%s", lease.crash_id, lease.attempts, type(exc).__name__, where)
        _fail_or_retry(lease, type(exc).__name__)
    else:
        if ledger.record_processed(lease, product=processed.product, received_at=processed.received_at):
            seconds = time.monotonic() - started
            logger.info("%s: processed with %s in %.2f s", lease.crash_id, lease.ruleset, seconds)


def _defer(lease: Lease, reason: str) -> None:
    """What processing needs is away: not the crash's fault. The worker rests too, or an outage would put off a whole
    backlog.
    """
    seconds = min(_FIRST_DEFERRAL_SECONDS << min(lease.deferrals, 6), _LONGEST_DEFERRAL_SECONDS)
    logger.warning("%s: cannot be processed now (%s); due again in %d s", lease.crash_id, reason, seconds)
    leases.put_off(lease, reason, seconds=seconds, counted=False)
    time.sleep(settings.QUEUE["rest_seconds"])


def _fail_or_retry(lease: Lease, reason: str) -> None:
    if lease.attempts >= settings.QUEUE["max_attempts"]:
        _fail(lease, reason)
    else:
        leases.put_off(lease, reason, seconds=settings.QUEUE["retry_seconds"], counted=True)


def _fail(lease: Lease, reason: str) -> None:
    if ledger.record_failed(lease, reason):
        logger.error("%s: failed after %d attempts: %s", lease.crash_id, lease.attempts, reason)
