"""Exceptions that cross rooms. What concerns one module only is defined there."""


class CrashStatsError(Exception):
    """Base of all errors that this project raises on purpose."""


class StorageError(CrashStatsError):
    """Crash storage could not do what was asked now; trying again later may help."""


class StorageMisconfigured(StorageError):
    """Crash storage cannot work as it is set up: no such bucket, no permission. Trying again does not help."""


class CrashNotFound(CrashStatsError):
    """Storage or ledger knows no such crash, or not the part of it that was asked for."""


class CrashDamaged(CrashNotFound):
    """Storage has the part that was asked for, and it is no longer what was saved. Trying again does not help."""


class QueueError(CrashStatsError):
    """The work queue or the ledger could not be written; trying again later may help."""


class SearchError(CrashStatsError):
    """The search engine could not answer now; trying again later may help."""


class BadQuery(CrashStatsError):
    """A search cannot be run as asked: unknown field, wrong operator, bad value. The text may be shown to anyone."""
