"""Why a submission is not taken; each kind has its status in `ingest.application`."""

from __future__ import annotations

import errno

from processing.errors import CrashStatsError

#: Of an OSError: no space on the disk, none for this user, none for a file of this size.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class MalformedPayload(CrashStatsError):
    """The body or its headers cannot be understood. The text is one of the stable codes, such as ``bad_gzip``."""


class PayloadTooLarge(CrashStatsError):
    """A limit is exceeded. The text is its stable code, such as ``one_dump``; nothing more of the body is read."""


class UnsupportedEncoding(CrashStatsError):
    """The body is compressed in a way that is not known here."""


class ClientTimeout(CrashStatsError):
    """The client sends too slowly, or has stopped sending."""


class GaveWay(ClientTimeout):
    """Another submission needed the room of this one, whose client sends slowly."""


class Overloaded(CrashStatsError):
    """There is no room for this submission now. The text says what is full; the client may try again later."""
