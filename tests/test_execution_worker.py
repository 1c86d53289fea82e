"""Workers and their children: real processes, killed, cancelled, stopped and raced."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tlcore.core import limits
from tlcore.core.i18n import translate
from tlcore.execution import processes
from tlcore.execution.heartbeat import workers_alive
from tlcore.execution.worker import Worker
from tlcore.store import Store
from tlcore.store.tables import TERMINAL

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.job_kinds import chain  # noqa: E402

TABLE = "tests.job_kinds:KINDS"


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return Store.open(tmp_path)


@contextmanager
def worker(store, **more):
    """A worker in a thread of this process."""
    one = Worker(store, kinds=TABLE, **more)
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        yield one
    finally:
        one.stop()
        thread.join(timeout=30)
        assert not thread.is_alive()


@contextmanager
def worker_process(store):
    """A worker in a process of its own, as `tlcore worker` starts it."""
    command = [sys.executable, "-m", "tlcore.execution.worker", "--workspace", str(store.home), "--kinds", TABLE]
    one = subprocess.Popen(command, cwd=ROOT)
    try:
        yield one
    finally:
        one.kill()
        one.wait()


def wait_for(happened, seconds=60.0):
    until = time.monotonic() + seconds
    while not (value := happened()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
    return value


def ended(store, job_id, seconds=60.0):
    def look():
        job = store.jobs.get(job_id)
        return job if job.state in TERMINAL else None

    return wait_for(look, seconds)


def steps_done(store, job_id):
    kept = store.jobs.folder(job_id) / "checkpoint.txt"
    return int(kept.read_text().split()[0]) if kept.exists() else 0


def test_both_lanes_work_beside_each_other_and_the_log_is_a_file(store, tmp_path):
    file = str(tmp_path / "done.txt")
    with worker(store):
        long = store.jobs.submit("count", "local", {"steps": 10_000, "sleep": 0.05}, lane="train").id
        waits = store.jobs.submit("note", "local", {"file": file}, lane="train").id
        quick = ended(store, store.jobs.submit("note", "local", {"file": file}).id)
        assert quick.state == "succeeded"
        assert quick.output["pid"] != os.getpid()
        assert quick.output["nice"] == os.nice(0)
        assert store.jobs.get(waits).state == "queued"  # one at a time in its lane
        log = (store.jobs.folder(quick.id) / "log.txt").read_text()
        assert f"attempt 1, {time.strftime('%Y')}" in log
        store.jobs.cancel(long)
        assert ended(store, long, 30).state == "cancelled"
        training = ended(store, waits)
        assert "mmap_threshold" in training.output["tunables"]


def test_two_workers_do_each_of_many_jobs_once(store, tmp_path):
    file = tmp_path / "done.txt"
    jobs = [store.jobs.submit("note", "local", {"file": str(file)}).id for _ in range(12)]
    with worker(store, slots={"quick": 2}), worker(Store.open(tmp_path), slots={"quick": 2}):
        for job in jobs:
            assert ended(store, job, 120).state == "succeeded"
    assert sorted(file.read_text().split()) == sorted(jobs)
    assert {store.jobs.get(job).attempt for job in jobs} == {1}


def test_a_child_killed_at_random_moments_ends_with_the_same_result(store):
    rng = random.Random(7)
    with worker(store):
        job = store.jobs.submit("count", "local", {"steps": 120, "sleep": 0.02}, lane="train").id
        for _ in range(4):
            before = steps_done(store, job)
            wait_for(lambda b=before: steps_done(store, job) > b)
            time.sleep(rng.uniform(0, 0.4))
            if pid := store.jobs.get(job).pid:
                os.kill(pid, signal.SIGKILL)
                wait_for(lambda p=pid: store.jobs.get(job).pid != p)
        done = ended(store, job)
    assert (done.state, done.output) == ("succeeded", {"link": chain(120), "steps": 120})
    assert done.attempt >= 4
    starts = [int(line.split()[1]) for line in (store.jobs.folder(job) / "attempts.txt").read_text().splitlines()]
    assert starts == sorted(starts)
    assert starts[-1] > 0


def test_a_child_dies_with_its_worker_and_the_next_worker_goes_on(store, monkeypatch):
    monkeypatch.setenv("TLCORE_LEASE", "600")  # nothing here waits for a lease to end
    with worker_process(store) as first:
        job = store.jobs.submit("count", "local", {"steps": 100, "sleep": 0.05}, lane="train").id
        wait_for(lambda: steps_done(store, job) > 3)
        held = store.jobs.get(job)
        first.kill()
        first.wait()
        wait_for(lambda: not processes.lives(held.pid, held.pid_started), 20)
    assert store.jobs.get(job).state == "running"
    kept = steps_done(store, job)
    with worker(store):
        done = ended(store, job)
    assert (done.state, done.output["link"], done.attempt) == ("succeeded", chain(100), 2)
    starts = [int(line.split()[1]) for line in (store.jobs.folder(job) / "attempts.txt").read_text().splitlines()]
    assert starts[0] == 0
    assert starts[1] >= kept > 3


def test_a_child_that_outlived_its_worker_is_ended_before_the_job_is_handed_on(store):
    job = store.jobs.submit("count", "local", {"steps": 40, "sleep": 0.1}, lane="train").id
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert store.jobs.take(job, f"{processes.host()}:{gone.pid}:1.0")
    # Without --parent the kernel does not end it: the way an orphan comes about where there is no such signal.
    orphan = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tlcore.execution.child",
            job,
            "--attempt",
            "1",
            "--workspace",
            str(store.home),
            "--kinds",
            TABLE,
        ],
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: steps_done(store, job) > 0)
    with worker(store):
        assert orphan.wait(timeout=20) == -signal.SIGKILL
        done = ended(store, job)
    assert (done.state, done.attempt, done.output["link"]) == ("succeeded", 2, chain(40))


def test_a_child_of_an_earlier_attempt_does_not_start(store):
    job = store.jobs.submit("count", "local", {"steps": 3}).id
    store.jobs.take(job, "one:1:1.0")
    store.jobs.interrupt(job, 1)
    store.jobs.take(job, "two:1:1.0")
    late = subprocess.run(
        [
            sys.executable,
            "-m",
            "tlcore.execution.child",
            job,
            "--attempt",
            "1",
            "--workspace",
            str(store.home),
            "--kinds",
            TABLE,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert late.returncode == 75
    assert "Another attempt" in late.stdout
    assert steps_done(store, job) == 0
    assert store.jobs.get(job).pid is None


def test_a_child_that_loses_its_job_ends_at_once_with_what_it_started(store):
    job = store.jobs.submit("has-child", "local", {}).id
    store.jobs.take(job, "one:1:1.0")
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tlcore.execution.child",
            job,
            "--attempt",
            "1",
            "--workspace",
            str(store.home),
            "--kinds",
            TABLE,
        ],
        cwd=ROOT,
        start_new_session=True,
    )
    file = store.jobs.folder(job) / "grandchild"
    wait_for(lambda: file.exists() and file.read_text())
    grandchild = int(file.read_text())
    since = processes.started(grandchild)
    store.jobs.interrupt(job, 1)
    store.jobs.take(job, "two:1:1.0")
    child.wait(timeout=20)
    wait_for(lambda: not processes.lives(grandchild, since), 20)
    assert store.jobs.get(job).state == "running"


def test_what_a_killed_child_had_started_is_ended_too(store):
    with worker(store):
        job = store.jobs.submit("has-child", "local", {}).id
        file = store.jobs.folder(job) / "grandchild"
        wait_for(lambda: file.exists() and file.read_text())
        grandchild = int(file.read_text())
        since = processes.started(grandchild)
        os.kill(store.jobs.get(job).pid, signal.SIGKILL)
        wait_for(lambda: not processes.lives(grandchild, since), 20)
        store.jobs.cancel(job)


def test_cancel_reaches_queued_running_and_deaf_children(store):
    with worker(store, slots={"quick": 2}, grace=1.0):
        running = store.jobs.submit("count", "local", {"steps": 10_000, "sleep": 0.05}).id
        deaf = store.jobs.submit("stubborn", "local", {}).id
        queued = store.jobs.submit("count", "local", {"steps": 1}).id
        wait_for(lambda: steps_done(store, running) and (store.jobs.folder(deaf) / "began").exists())
        held = store.jobs.get(deaf)
        for job in (queued, running, deaf):
            store.jobs.cancel(job)
        assert store.jobs.get(queued).state == "cancelled"
        assert ended(store, running, 20).state == "cancelled"
        assert ended(store, deaf, 20).state == "cancelled"
        assert not processes.lives(held.pid, held.pid_started)
    assert not (store.jobs.folder(queued) / "attempts.txt").exists()
    assert {store.jobs.get(job).attempt for job in (running, deaf)} == {1}


def test_a_job_whose_process_dies_again_and_again_fails_with_a_sentence(store):
    with worker(store):
        job = ended(store, store.jobs.submit("dies", "local", {}).id, 120)
    assert (job.state, job.attempt, job.error["code"]) == ("failed", 6, "ended-again-and-again")
    assert "ended 6 times without getting any further" in translate(job.error["sentence"])


@pytest.mark.parametrize("kind", ["expands", "grows"])
def test_a_child_that_needs_too_much_memory_fails_once_and_names_the_model(store, monkeypatch, kind):
    monkeypatch.setenv("TLCORE_QUICK_MEMORY_GB", "1")
    with worker(store):
        job = ended(store, store.jobs.submit(kind, "local", {"source": "acme/tiny-bert"}).id)
    assert (job.state, job.attempt, job.error["code"]) == ("failed", 1, "memory-limit")
    assert "more memory than the 1 GB that one job may take" in translate(job.error["sentence"])
    assert "the model tiny-bert" in translate(job.error["sentence"])


def test_a_child_that_the_kernel_ended_for_memory_fails_with_a_sentence(store, monkeypatch):
    kills = iter(range(1000))
    monkeypatch.setattr(limits, "out_of_memory_kills", lambda: next(kills))
    with worker(store):
        job = ended(store, store.jobs.submit("dies", "local", {}).id)
    assert (job.state, job.attempt, job.error["code"]) == ("failed", 1, "out-of-memory")
    assert "memory of this machine was used up" in translate(job.error["sentence"])


def test_a_child_that_takes_too_long_is_ended_and_its_job_fails(store, monkeypatch):
    monkeypatch.setenv("TLCORE_QUICK_HOURS", "0.0003")
    with worker(store):
        job = ended(store, store.jobs.submit("stubborn", "local", {}).id)
        assert not processes.lives(job.pid, job.pid_started)
    assert (job.state, job.attempt, job.error["code"]) == ("failed", 1, "time-limit")


@pytest.mark.parametrize("what", [".", "studio.db"])
def test_a_worker_whose_workspace_was_deleted_says_so_once_and_ends(store, what):
    command = [sys.executable, "-m", "tlcore.execution.worker", "--workspace", str(store.home), "--kinds", TABLE]
    one = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        job = store.jobs.submit("count", "local", {"steps": 10_000, "sleep": 0.05}).id
        wait_for(lambda: steps_done(store, job) > 1)
        held = store.jobs.get(job)
        (store.home / what).resolve().rename(store.home.with_name(f"{store.home.name}-gone"))
        said = one.communicate(timeout=30)[1]
    finally:
        one.kill()
    assert one.returncode == 1
    assert said.count("was deleted or replaced") == 1
    assert str(store.home) in said
    assert not processes.lives(held.pid, held.pid_started)


def test_a_stopped_worker_hands_its_jobs_back(store):
    with worker_process(store) as first:
        job = store.jobs.submit("count", "local", {"steps": 60, "sleep": 0.05}, lane="train").id
        wait_for(lambda: steps_done(store, job) > 3)
        held = store.jobs.get(job)
        assert [one.pid for one in workers_alive(store)] == [first.pid]
        first.send_signal(signal.SIGTERM)
        assert first.wait(timeout=30) == 0
    assert not processes.lives(held.pid, held.pid_started)
    assert store.jobs.get(job).state == "interrupted"
    assert store.jobs.get(job).fruitless == 0
    assert workers_alive(store) == []
    with worker(store):
        assert ended(store, job).output["link"] == chain(60)


def test_workers_say_what_they_are_and_the_dead_are_forgotten(store):
    with worker_process(store) as one:
        [me] = wait_for(lambda: workers_alive(store))
        assert (me.pid, me.slots) == (one.pid, {"train": 1, "quick": 2})
        assert me.device
        assert me.cores >= 1
        assert me.memory > 2**28
        job = store.jobs.submit("count", "local", {"steps": 10_000, "sleep": 0.05}).id
        wait_for(lambda: workers_alive(store)[0].running == [job])
        one.kill()
        one.wait()
        assert workers_alive(store) == []
        assert not list((store.home / "workers").glob("*.json"))
        (store.home / "workers" / "broken.json").write_text("{")
        assert workers_alive(store) == []


def test_a_worker_sweeps_what_deleted_projects_left(store):
    project = store.projects.create("gone", "local")
    run = store.jobs.submit("run", "local", {}, project_id=project.id)
    assert store.jobs.take(run.id, "w:1:1")
    (store.jobs.folder(run.id) / "weights").write_bytes(b"x")
    store.projects.delete(project.id)
    assert store.jobs.finish(run.id, 1, "cancelled")
    with worker(store):
        wait_for(lambda: store.jobs.get(run.id) is None)
    assert not (store.home / "runs" / run.id).exists()
