"""The queue's changes of state, without any process."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import update

from tlcore.store import Store
from tlcore.store.tables import Job

ROOT = Path(__file__).parent.parent


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    return Store.open(tmp_path)


def submit(store, **more):
    return store.jobs.submit("count", "local", {"steps": 1}, **more).id


def test_jobs_are_taken_in_order_with_interrupted_ones_first(store):
    first, second, third = (submit(store) for _ in range(3))
    other = submit(store, lane="train")
    assert store.jobs.claim("quick", "w").id == first
    assert store.jobs.interrupt(first, 1)
    assert store.jobs.claim("quick", "w").id == first
    assert store.jobs.claim("quick", "w").id == second
    assert store.jobs.interrupt(second, 1)
    assert [job.id for job in store.jobs.queue("quick")] == [first, second, third]
    assert [store.jobs.ahead(job) for job in (first, second, third)] == [None, 1, 2]
    assert [job.id for job in store.jobs.queue()] == [first, second, third, other]
    assert store.jobs.get(first).attempt == 2


def test_several_jobs_at_once(store):
    first, second, _ = (submit(store) for _ in range(3))
    found = store.jobs.several([second, first, "nobody"])
    assert {name: job.id for name, job in found.items()} == {first: first, second: second}
    assert store.jobs.several([]) == {}


def test_an_attempt_that_lost_the_job_writes_nothing(store):
    job = submit(store)
    store.jobs.claim("quick", "one")
    assert store.jobs.interrupt(job, 1)
    assert store.jobs.claim("quick", "two").attempt == 2
    assert not store.jobs.beat(job, 1, progress={"share": 0.9})
    assert not store.jobs.finish(job, 1, "failed")
    assert not store.jobs.interrupt(job, 1)
    assert store.jobs.asked_to_stop(job, 1) is None
    assert store.jobs.asked_to_stop(job, 2) is False
    assert store.jobs.finish(job, 2, "succeeded", output={"x": 1})
    assert not store.jobs.finish(job, 2, "failed")
    row = store.jobs.get(job)
    assert (row.state, row.output, row.progress) == ("succeeded", {"x": 1}, None)
    with pytest.raises(ValueError, match="terminal"):
        store.jobs.finish(job, 2, "running")


def test_cancel_ends_what_waits_and_asks_what_runs(store):
    waiting, running, lost, ended = (submit(store) for _ in range(4))
    for job in (running, lost, ended):
        store.jobs.take(job, "w")
    store.jobs.finish(ended, 1, "succeeded")
    store.jobs.interrupt(lost, 1)
    for job in (waiting, running, lost, ended):
        store.jobs.cancel(job)
    states = {job: store.jobs.get(job).state for job in (waiting, running, lost, ended)}
    assert states == {waiting: "cancelled", running: "running", lost: "cancelled", ended: "succeeded"}
    assert store.jobs.asked_to_stop(running, 1) is True
    assert not store.jobs.take(waiting, "w")
    # Its process dies before it saw the request: the person's wish still stands.
    assert store.jobs.interrupt(running, 1)
    assert store.jobs.get(running).state == "cancelled"
    assert store.jobs.get(running).finished
    assert store.jobs.requeue(running)
    assert store.jobs.claim("quick", "w").id == running
    assert store.jobs.asked_to_stop(running, 2) is False


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_waiting_job_that_is_asked_to_stop_keeps_no_worker_busy(store, interrupted):
    """What a cancel or a delete leaves for a moment, and for good where its process dies there: nobody may take it."""
    asked = submit(store)
    if interrupted:
        store.jobs.claim("quick", "w")
        store.jobs.interrupt(asked, 1)
    with store.transaction() as session:
        session.execute(update(Job).where(Job.id == asked).values(cancel_requested=True))
    other = submit(store)
    claimed = []
    worker = threading.Thread(
        target=lambda: claimed.extend(store.jobs.claim("quick", "w") for _ in range(2)), daemon=True
    )
    worker.start()
    worker.join(10)
    assert not worker.is_alive()
    assert [job and job.id for job in claimed] == [other, None]


def test_attempts_without_progress_are_counted_and_progress_forgives_them(store):
    job = submit(store)

    def lose(share, blame=True):
        store.jobs.take(job, "w")
        row = store.jobs.get(job)
        store.jobs.beat(job, row.attempt, progress={"share": share})
        store.jobs.interrupt(job, row.attempt, blame=blame)
        return store.jobs.get(job).fruitless

    assert [lose(0.2), lose(0.2), lose(None), lose(0.1, blame=False), lose(0.3), lose(0.3)] == [
        0,
        1,
        2,
        2,
        0,
        1,
    ]
    store.jobs.requeue(job)
    assert store.jobs.get(job).fruitless == 0


def test_one_of_many_threads_wins_each_job(store, tmp_path):
    jobs = [submit(store) for _ in range(40)]
    won, wait = [], threading.Barrier(4)

    def claim(name):
        mine = Store.open(tmp_path)
        wait.wait()
        while job := mine.jobs.claim("quick", name):
            won.append((job.id, job.attempt))

    threads = [threading.Thread(target=claim, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == sorted((job, 1) for job in jobs)


def test_one_of_many_processes_wins_each_job(store, tmp_path):
    jobs = [submit(store) for _ in range(60)]
    code = (
        "import sys\nfrom tlcore.store import Store\ns = Store.open(sys.argv[1])\n"
        "while job := s.jobs.claim('quick', sys.argv[2]):\n"
        "    print(job.id, s.jobs.finish(job.id, job.attempt, 'succeeded'))\n"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), str(n)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for n in range(3)
    ]
    lines = [line for racer in racers for line in racer.communicate(timeout=60)[0].splitlines()]
    assert all(racer.returncode == 0 for racer in racers)
    assert sorted(lines) == sorted(f"{job} True" for job in jobs)
    assert all(store.jobs.get(job).attempt == 1 for job in jobs)


def test_the_newest_job_to_show_to_a_person_is_theirs_or_under_way(store):
    about = {"dataset": "abc"}
    mine, theirs = store.jobs.submit("rank", "ana", about), store.jobs.submit("rank", "bruno", about)
    assert store.jobs.newest("rank", about).id == theirs.id
    assert store.jobs.newest("rank", about, "ana").id == mine.id
    store.jobs.cancel(mine.id)
    assert store.jobs.newest("rank", about, "ana").id == theirs.id, "what is under way comes first"
    store.jobs.cancel(theirs.id)
    assert store.jobs.newest("rank", about, "ana").id == mine.id
    assert store.jobs.newest("rank", about, "clara") is None
