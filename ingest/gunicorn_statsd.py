"""gunicorn's own numbers for statsd, in the way of `ingest.metrics.Statsd`."""

from __future__ import annotations

import socket
from contextlib import suppress

from gunicorn.instrument import statsd  # type: ignore[import-untyped]


class Logger(statsd.Statsd):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's logger that also sends what it counts. What cannot be sent is lost, and nobody waits.

    gunicorn would wait, and write a traceback to the log for every other message while statsd is away.
    """

    def _sock_send(self, msg: str) -> None:
        if self.sock is not None:  # else statsd's host is not known; `ingest.build` says so
            with suppress(OSError):
                self.sock.send(f"{msg}|#{self.dogstatsd_tags}".encode(), socket.MSG_DONTWAIT)
