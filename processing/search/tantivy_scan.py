"""Answer a query that looks through whole stacks in a process of its own, which can be ended when it takes too long.

The engine cannot be told to stop, and some patterns have to be compared with every stack there is: seconds for each
million. ``python -m processing.search.tantivy_scan FOLDER SECONDS`` reads a pickled query and writes the pickled
answer; both ends are ours.
"""

from __future__ import annotations

import math
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path

from processing.errors import BadQuery, SearchError
from processing.search.base import SearchResult
from processing.search.query import Query

#: How long a search waits for another one of the same process to finish looking through all stacks.
_PATIENCE_SECONDS = 2.0
_ROOT = Path(__file__).resolve().parents[2]


class Scanner:
    """Runs one such search at a time: others shall not wait long for it, nor be slowed down by many."""

    def __init__(self, folder: Path, seconds: float) -> None:
        """Args: ``folder`` of the index, as for `TantivySearch` · ``seconds`` one search may take."""
        self._folder = folder
        self._seconds = seconds
        self._turn = threading.Lock()

    def search(self, query: Query) -> SearchResult:
        """Answer a query. Raises: BadQuery when the time is up; SearchError when others are at it already."""
        if not self._turn.acquire(timeout=_PATIENCE_SECONDS):
            raise SearchError("another search looks through all stacks just now; try again in a moment")
        try:
            return self._ask_child(query)
        finally:
            self._turn.release()

    def _ask_child(self, query: Query) -> SearchResult:
        try:
            child = subprocess.run(
                [sys.executable, "-m", __name__, str(self._folder), str(math.ceil(self._seconds) + 1)],
                input=pickle.dumps(query),
                capture_output=True,
                timeout=self._seconds,
                cwd=_ROOT,
                check=True,
            )
        except subprocess.TimeoutExpired as exc:
            raise BadQuery(
                f"the search looked through all stacks for {self._seconds:g} s without coming to an end; instead of "
                f"a regular expression or wildcards use ~ with plain text, which is found by frame"
            ) from exc
        except subprocess.CalledProcessError as exc:
            last_line = exc.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise SearchError(
                f"a search through all stacks ended by itself with {exc.returncode}: {last_line[:300]}"
            ) from exc
        except OSError as exc:
            raise SearchError(f"no process can be started for a search through all stacks: {exc}") from exc
        answer = pickle.loads(child.stdout)
        if isinstance(answer, SearchResult):
            return answer
        raise answer


def main(folder: str, seconds: str) -> None:
    from processing.search.tantivy import TantivySearch

    signal.alarm(int(seconds))  # ends this process also when nobody is left to do so
    os.nice(5)  # those who wait for a page go first
    query = pickle.load(sys.stdin.buffer)
    answer: SearchResult | Exception
    try:
        answer = TantivySearch(folder, scan_seconds=None).search(query)
    except (BadQuery, SearchError) as exc:
        answer = type(exc)(str(exc))
    sys.stdout.buffer.write(pickle.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
