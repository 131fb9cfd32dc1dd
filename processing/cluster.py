"""The processes that process crashes: django-q2's cluster, made to live through what happens to processes."""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any, NoReturn

from django_q.cluster import Sentinel, get_mp_context
from django_q.conf import Conf
from django_q.worker import worker

from processing import processor

logger = logging.getLogger(__name__)

#: django-q2's words for what a worker is doing, in the value that each shares with its cluster.
_IDLE = -1
_OUT_OF_TIME = 0


class StopRequest:
    """A wish to stop, made by a signal. It takes no lock, so the signal may interrupt anything, the wait included."""

    def __init__(self) -> None:
        self._made = False

    def set(self) -> None:
        self._made = True

    def is_set(self) -> bool:
        return self._made

    def wait(self, seconds: float) -> bool:
        """Tell whether the wish was made, waiting for it at most so long."""
        deadline = time.monotonic() + seconds
        while not self._made and time.monotonic() < deadline:
            time.sleep(0.05)
        return self._made


class CrashCluster(Sentinel):  # type: ignore[misc]  # django-q2 has no type hints
    """Keeps ``WORKERS`` workers alive, and the processes that feed them; `run` returns after SIGTERM or Ctrl-C.

    On top of django-q2's own: it stops when the crashes in hand are done, without beginning those that tasks are
    queued for; its children end with it even when it is killed; and it ends with an error, to be started afresh, when
    a killed process may have taken a lock with it that the others would wait for forever.
    """

    def __init__(self) -> None:
        super().__init__(StopRequest(), threading.Event(), uuid.uuid4(), start=False)

    def run(self) -> None:
        """Work until told to stop. Raises: SystemExit when it has to be started afresh."""
        self.start()

    def guard(self) -> None:
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: self.stop_event.set())
        logger.info("%d workers are ready", len(self.pool))
        self.start_event.set()
        while not self.stop_event.wait(Conf.GUARD_CYCLE):
            for process in list(self.pool):
                self._look_after(process)
            if not self.monitor.is_alive():
                self._give_up("the monitor")
            if not self.pusher.is_alive():
                self.reincarnate(self.pusher)
        logger.info("stopping when the crashes in hand are done")
        self.stop()
        logger.info("stopped")

    def stop(self) -> None:
        """Let every worker finish what it has begun, then end all of them.

        Tasks that are queued only say that there is work, and results say nothing: both may go.
        """
        self.pusher.terminate()
        self.pusher.join()
        self._drop_tasks()
        self._wait_for_busy_workers()
        children = [*self.pool, self.monitor]
        for process in children:
            process.terminate()
        for process in children:
            process.join()

    def reincarnate(self, process: Any) -> None:
        """Replace a process, and remove what was left of the dumps it had in hand."""
        super().reincarnate(process)
        processor.clear_leftovers_of(process.pid)

    def spawn_process(self, target: Callable[..., None], *args: Any) -> BaseProcess:
        process: BaseProcess = get_mp_context().Process(
            target=_live_with_parent, args=(os.getpid(), target, *args), daemon=True
        )
        if target is worker:
            process.timer = args[2]  # type: ignore[attr-defined]  # django-q2 keeps it there
            self.pool.append(process)
        process.start()
        return process

    def _look_after(self, process: Any) -> None:
        """Replace a worker that is dead or out of time; count down the time of one that works."""
        lock = process.timer.get_lock()
        if not lock.acquire(timeout=Conf.GUARD_CYCLE):
            if not process.is_alive():
                self._give_up("a worker that was reporting")
            return
        try:
            if not process.is_alive() and process.timer.value == _IDLE and process.exitcode != 0:
                self._give_up("an idle worker")
            elif not process.is_alive() or process.timer.value == _OUT_OF_TIME:
                self.reincarnate(process)
            elif process.timer.value > 0:
                process.timer.value -= Conf.GUARD_CYCLE
        finally:
            lock.release()

    def _give_up(self, victim: str) -> NoReturn:
        """A process that is killed while it waits at a queue of multiprocessing keeps the queue's lock for good."""
        logger.critical(
            "%s was killed; ending when the crashes in hand are done, to be started afresh", victim
        )
        self.stop()
        sys.exit(1)

    def _wait_for_busy_workers(self) -> None:
        """Look twice before calling a worker idle: it is not busy yet in the moment after it got a task."""
        deadline = time.monotonic() + Conf.TIMEOUT
        idle_looks = 0
        while idle_looks < 2 and time.monotonic() < deadline:
            idle_looks = 0 if any(_is_busy(process) for process in self.pool) else idle_looks + 1
            time.sleep(0.1)

    def _drop_tasks(self) -> None:
        try:
            while True:
                self.task_queue.get(block=False)
        except queue.Empty:
            pass


def _is_busy(process: Any) -> bool:
    """Read a worker's value without its lock, which a killed worker may hold. One that is out of time is not busy."""
    return process.is_alive() and bool(process.timer.get_obj().value > 0)


def _live_with_parent(parent: int, target: Callable[..., None], *args: Any) -> None:
    """Run a child of the cluster. Only its parent listens to the terminal; when the parent is gone, so is the child."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    target(*args)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
