"""A small sample of submissions that were not understood, so that operators can find out which clients are broken."""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

#: Headers that say how a body is made. All others, addresses and credentials among them, are left out.
_HEADERS = {
    "CONTENT_TYPE": "Content-Type",
    "CONTENT_LENGTH": "Content-Length",
    "HTTP_CONTENT_ENCODING": "Content-Encoding",
    "HTTP_TRANSFER_ENCODING": "Transfer-Encoding",
    "HTTP_USER_AGENT": "User-Agent",
}
_LONGEST_HEADER = 300
HEAD_BYTES = 1024
#: Where a dump may begin: behind the headers of a file, however its lines end, and at the first byte of no text.
_FILE_HEADER = re.compile(
    rb"filename|content-type[ \t]*+:[ \t]*+(?!application/json|text/plain)|application/(?!json)",
    re.IGNORECASE,
)
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_NO_TEXT = re.compile(rb"[^\t\n\r -~\x80-\xff]")
_SAMPLE_NAME = re.compile(r"(\d+)-\w+\.json", re.ASCII)
#: On Windows it is the whole path, with the user's name.
_FILE_NAME = re.compile(rb'(filename\*?\s*=\s*)("[^"\r\n]*"?|[^;\r\n]*)', re.IGNORECASE)


class MalformedSamples:
    """Keeps one small file per submission: its reason, how it was sent, and its first bytes up to the first dump.

    The files may hold annotations: they are readable by their owner only and go after ``keep_seconds``, or when there
    are more than ``keep_files``; the mover sees to it when no further ones come. No more than one a second is written
    by a process, whatever comes in.
    """

    def __init__(self, folder: Path, *, keep_files: int = 100, keep_seconds: float = 24 * 3600) -> None:
        self._folder = folder
        self._keep_files = keep_files
        self._keep_seconds = keep_seconds
        self._lock = threading.Lock()
        self._next_at = 0.0

    def keep(self, reason: str, environ: Mapping[str, object], head: bytes) -> None:
        """Keep a sample, unless one was kept a moment ago. What cannot be written is left out."""
        if not self._keep_files or not self._lock.acquire(blocking=False):
            return
        try:
            if time.monotonic() >= self._next_at:
                self._next_at = time.monotonic() + 1
                with suppress(OSError):
                    self._write(reason, environ, head)
                self.remove_old()
        finally:
            self._lock.release()

    def remove_old(self) -> None:
        """Delete what is too old or too much; what cannot be deleted now is tried again next time."""
        oldest = time.time() - self._keep_seconds
        with suppress(OSError):
            for number, (written_at, path) in enumerate(self._newest_first()):
                if number >= self._keep_files or written_at < oldest:
                    path.unlink(missing_ok=True)

    def _newest_first(self) -> list[tuple[int, Path]]:
        """Give each sample and when it was written, in seconds since 1970; other people's files are none."""
        named = ((_SAMPLE_NAME.fullmatch(path.name), path) for path in self._folder.glob("*.json"))
        return sorted(((int(match[1]), path) for match, path in named if match), reverse=True)

    def _write(self, reason: str, environ: Mapping[str, object], head: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{int(time.time())}-{secrets.token_hex(4)}.json"
        path.touch(mode=0o600)
        path.write_text(
            json.dumps(
                {
                    "reason": reason,
                    "headers": {
                        name: str(environ[key])[:_LONGEST_HEADER]
                        for key, name in _HEADERS.items()
                        if key in environ
                    },
                    "body_starts": _shown(head[:HEAD_BYTES]),
                },
                indent=1,
            )
        )


def _shown(head: bytes) -> str:
    """Give a body's start up to where a dump may begin, without file names."""
    ends = [len(head)]
    if no_text := _NO_TEXT.search(head):
        ends.append(no_text.start())
    if (file_header := _FILE_HEADER.search(head)) and (
        end := _END_OF_HEADERS.search(head, file_header.end())
    ):
        ends.append(end.end())
    shown = _FILE_NAME.sub(rb"\1(left out)", head[: min(ends)]).decode("latin-1")
    return shown if min(ends) == len(head) else shown + "(left out)"
