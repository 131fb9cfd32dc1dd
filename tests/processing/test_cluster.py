from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
from django.db import connection as django_connection

from processing import ledger, queue
from processing.models import Crash, QueuedCrash, SearchOutbox
from tests.waiting import wait_until


def states() -> dict[str, int]:
    return {
        state: Crash.objects.filter(state=state).count()
        for state in Crash.objects.values_list("state", flat=True)
    }


def children_of(cluster: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes that the cluster made, in order: workers, monitor, feeder. Python may have made others."""
    children = psutil.Process(cluster.pid).children()
    return sorted((child for child in children if _is_ours(child)), key=lambda child: child.pid)


def _is_ours(process: psutil.Process) -> bool:
    try:
        return "tests.processing.workers" in process.cmdline()
    except psutil.Error:  # it is dead by now
        return False


def begun(place: Path) -> list[tuple[str, int]]:
    """Crash id and process of every crash that `WaitRule` has in hand, or had."""
    return [(path.name.split(".")[0], int(path.name.split(".")[1])) for path in place.glob("*-*.*")]


def test_crashes_of_all_queues_are_processed_as_they_come(workers, collect, storage):
    first = [collect(queue=name) for name in queue.QUEUES]
    workers("NothingRule", WORKERS="2")
    wait_until(lambda: states() == {"processed": 3})
    late = collect()
    wait_until(lambda: states() == {"processed": 4})
    assert {"ruleset", "completed_datetime"} <= storage.get_processed_crash(late).keys()
    assert {*first, late} == set(SearchOutbox.objects.values_list("crash_id", flat=True))
    assert ledger.equation().in_flight == ledger.equation().unexplained == 0
    assert not QueuedCrash.objects.exists()


def test_crash_of_a_killed_worker_is_processed_by_another_and_its_dumps_do_not_lie_about(
    workers, collect, settings
):
    collect()
    workers("DieOnceRule", WORKERS="1", QUEUE_LEASE="1")
    wait_until(lambda: states() == {"processed": 1})
    assert Crash.objects.get().attempts == 2
    wait_until(lambda: not any(settings.PROCESSOR["folder"].iterdir()))


def test_crash_that_kills_every_worker_fails_with_the_reason_and_the_others_go_on(workers, collect):
    workers("DieRule", WORKERS="2", QUEUE_LEASE="1", QUEUE_ATTEMPTS="2")
    fatal = collect()
    entry = wait_until(lambda: Crash.objects.filter(crash_id=fatal, state="failed").first())
    assert (entry.last_error, entry.attempts) == ("WorkerDied", 3)
    assert not QueuedCrash.objects.exists()


def test_priority_overtakes_what_waits_as_soon_as_a_worker_is_free(workers, collect, tmp_path):
    backlog = [collect() for _ in range(5)]
    workers("WaitRule", WORKERS="1")
    wait_until(lambda: begun(tmp_path))
    urgent = collect(queue="priority")
    (tmp_path / "go").touch()
    wait_until(lambda: states() == {"processed": 6})
    order = list(Crash.objects.order_by("processed_at").values_list("crash_id", flat=True))
    assert order[:2] == [backlog[0], urgent]


def test_told_to_stop_the_workers_finish_what_they_have_begun_and_begin_nothing_else(
    workers, collect, tmp_path
):
    for _ in range(6):
        collect()
    cluster = workers("WaitRule", WORKERS="2")
    wait_until(lambda: len(begun(tmp_path)) == 2)
    children = children_of(cluster)
    cluster.send_signal(signal.SIGTERM)
    wait_until(lambda: len(children_of(cluster)) < len(children))  # the feeder has gone
    (tmp_path / "go").touch()
    assert cluster.wait(timeout=30) == 0
    assert states() == {"processed": 2, "queued": 4}
    assert not QueuedCrash.objects.filter(lease__isnull=False).exists()
    wait_until(lambda: not any(child.is_running() for child in children))


def test_killed_cluster_leaves_no_process_behind_and_its_crash_is_done_by_the_next(
    workers, collect, tmp_path
):
    collect()
    cluster = workers("WaitRule", WORKERS="2", QUEUE_LEASE="2")
    wait_until(lambda: begun(tmp_path))
    children = children_of(cluster)
    cluster.kill()
    wait_until(lambda: not any(child.is_running() for child in children))
    (tmp_path / "go").touch()
    workers("NothingRule", WORKERS="1")
    wait_until(lambda: states() == {"processed": 1})


def at_rest(pid: int) -> Callable[[], bool]:
    """Give a condition that is true once the process has not run for twenty looks: it waits for something."""
    process = psutil.Process(pid)
    seen: list[object] = []

    def look() -> bool:
        seen.append(process.num_ctx_switches())
        return len(seen) > 20 and len(set(seen[-20:])) == 1

    return look


def test_idle_worker_that_is_killed_makes_the_cluster_end_to_be_started_afresh(workers, collect, tmp_path):
    collect()
    cluster = workers("WaitRule", WORKERS="2")
    busy = wait_until(lambda: begun(tmp_path))[0][1]
    [idle] = {child.pid for child in children_of(cluster)[:2]} - {busy}
    wait_until(at_rest(idle))
    os.kill(idle, signal.SIGKILL)
    (tmp_path / "go").touch()
    assert cluster.wait(timeout=30) == 1
    assert states() == {"processed": 1}


def test_workers_live_through_the_loss_of_all_their_connections(workers, collect, connection):
    workers("NothingRule", WORKERS="2")
    collect()
    wait_until(lambda: states() == {"processed": 1})
    ours = [django_connection.connection.info.backend_pid, connection.info.backend_pid]
    cut_off = connection.execute(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> ALL(%s)",
        [ours],
    )
    assert cut_off.fetchone() >= (3,)  # the feeder's, its listener, a worker's
    for _ in range(5):
        collect()
    wait_until(lambda: states() == {"processed": 6})


def test_crash_that_takes_too_long_fails_by_name_and_its_worker_goes_on(workers, collect):
    crash_id = collect()
    cluster = workers("HangRule", WORKERS="1", TEST_TIME_LIMIT="1", QUEUE_ATTEMPTS="1")
    wait_until(lambda: len(children_of(cluster)) == 3)
    before = children_of(cluster)
    wait_until(lambda: states() == {"failed": 1})
    assert ledger.find(crash_id).entry.last_error == "TimeLimit"
    assert children_of(cluster) == before


def test_worker_that_hears_no_alarm_is_killed_and_replaced(workers, collect):
    workers("DeafRule", WORKERS="1", TEST_TIME_LIMIT="1", QUEUE_ATTEMPTS="1", QUEUE_LEASE="1")
    crash_id = collect()
    wait_until(lambda: states() == {"failed": 1})
    assert ledger.find(crash_id).entry.last_error == "WorkerDied"


def test_killing_any_process_again_and_again_loses_no_crash(workers, collect):
    ids = {collect() for _ in range(200)}
    dice = random.Random(3)

    def supervised() -> subprocess.Popen[str]:
        return workers("NothingRule", WORKERS="2", QUEUE_LEASE="1", QUEUE_ATTEMPTS="50")

    cluster = supervised()

    def processed() -> int:
        nonlocal cluster
        if cluster.poll() is not None:
            cluster = supervised()
        return Crash.objects.filter(state="processed").count()

    for share in range(20, 200, 20):
        wait_until(lambda share=share: processed() >= share)
        everybody = [psutil.Process(cluster.pid), *children_of(cluster)]
        dice.choice(everybody).kill()
    wait_until(lambda: processed() == 200, seconds=60)
    assert set(SearchOutbox.objects.values_list("crash_id", flat=True)) == ids
    assert ledger.equation() == ledger.Equation(200, 200, 0, 0, 0)
