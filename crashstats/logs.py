"""How log lines look."""

from __future__ import annotations

import logging
import time


class LineFormatter(logging.Formatter):
    """Time, severity, logger, message; the time is spelt out once a second, for that is half of the work."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._second = (-1, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # logging's name
        second, text = self._second
        if second != int(record.created):
            second = int(record.created)
            text = time.strftime(datefmt or self.default_time_format, self.converter(second))
            self._second = second, text
        return f"{text},{int(record.msecs):03}"
