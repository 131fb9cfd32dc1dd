from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crashstats.standalone import launcher
from crashstats.standalone.launcher import Stopped, stop, wait_for_end


@pytest.fixture
def handlers():
    """Put the signals' handlers back afterwards."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {signum: signal.getsignal(signum) for signum in signals}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


def test_a_second_signal_does_not_disturb_the_stopping(handlers):
    signal.signal(signal.SIGTERM, stop)
    with pytest.raises(Stopped):
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)


def test_adopted_processes_that_ended_do_not_stay_as_zombies():
    adopted = subprocess.Popen(["true"])
    # `kill -0` finds a zombie, too: the shell ends when it is gone, or gives up.
    until_gone = (
        f"for i in $(seq 500); do kill -0 {adopted.pid} 2>/dev/null || exit 0; sleep 0.01; done; exit 1"
    )
    watched = subprocess.Popen(["sh", "-c", until_gone])
    wait_for_end(watched.pid)
    with pytest.raises(ChildProcessError):
        os.waitpid(adopted.pid, os.WNOHANG)
    adopted.wait()
    watched.wait()


@contextmanager
def site(**answers: tuple[int, object]) -> Iterator[str]:
    """A site with these answers, by path: status and JSON. Gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, document = answers[self.path.strip("/_").replace(".", "_")]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("failing", "search", "is_up"),
    [
        (["search"], {"rebuilt": 5}, True),
        (["search"], {"documents": 5}, False),
        (["database", "search"], {"rebuilt": 5}, False),
    ],
)
def test_a_site_whose_index_is_being_made_anew_counts_as_started(failing, search, is_up):
    with site(
        heartbeat=(503, {"ok": False, "failing": failing}), status_json=(200, {"search": search})
    ) as web:
        assert launcher._lacks_only_its_index(web) is is_up


def test_a_site_that_does_not_answer_has_not_started():
    with site() as web:
        pass
    assert not launcher._lacks_only_its_index(web)
