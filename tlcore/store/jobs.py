"""The queue: claim with a lease, heartbeat, cancel, and one terminal state that only the current attempt may write."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from tlcore.store.tables import CANCELLED, INTERRUPTED, QUEUED, RUNNING, TERMINAL, Job

if TYPE_CHECKING:
    from tlcore.store.store import Store


class Jobs:
    def __init__(self, store: Store):
        self._store = store

    def submit(self, kind: str, owner: str, input: dict[str, Any], *, lane: str = "quick",
               project_id: str | None = None) -> Job:  # fmt: skip
        job = Job(kind=kind, lane=lane, owner=owner, project_id=project_id, input=input)
        with self._store.transaction() as session:
            session.add(job)
        return job

    def get(self, job_id: str) -> Job | None:
        with self._store.transaction() as session:
            return session.get(Job, job_id)

    def folder(self, job_id: str) -> Path:
        """Where a job keeps its files (a run's folder is ``runs/<id>``, of the same id)."""
        job = self.get(job_id)
        base = "runs" if job and job.kind == "run" else "staging"
        folder = self._store.home / base / job_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def queue(self, lane: str | None = None) -> list[Job]:
        """What runs and what waits, of everybody: running first, then in the order they will be taken."""
        query = select(Job).where(Job.state.in_((RUNNING, INTERRUPTED, QUEUED)))
        if lane:
            query = query.where(Job.lane == lane)
        with self._store.transaction() as session:
            jobs = list(session.scalars(query.order_by(Job.created)))
        return sorted(jobs, key=lambda job: (job.state != RUNNING, job.state != INTERRUPTED, job.created))

    def claim(self, lane: str, worker: str) -> Job | None:
        """Take the next job of a lane: interrupted ones first, then the oldest. None where nothing waits."""
        for state in (INTERRUPTED, QUEUED):
            with self._store.transaction() as session:
                ids = session.scalars(
                    select(Job.id).where(Job.state == state, Job.lane == lane).order_by(Job.created).limit(8)
                ).all()
            for job_id in ids:
                if self.take(job_id, worker):
                    return self.get(job_id)
        return None

    def take(self, job_id: str, worker: str) -> bool:
        """Make a waiting job ours; false where somebody else was quicker."""
        now = time.time()
        with self._store.transaction() as session:
            done = session.execute(
                update(Job).where(Job.id == job_id, Job.state.in_((QUEUED, INTERRUPTED)))
                .values(state=RUNNING, worker=worker, attempt=Job.attempt + 1, heartbeat=now, pid=None,
                        pid_started=None)
            )  # fmt: skip
            if done.rowcount:
                session.execute(
                    update(Job).where(Job.id == job_id, Job.started.is_(None)).values(started=now)
                )
        return bool(done.rowcount)

    def beat(self, job_id: str, attempt: int, **values: Any) -> bool:
        """Renew the lease and note ``progress``, ``pid`` …; false where this attempt no longer holds the job."""
        with self._store.transaction() as session:
            done = session.execute(
                update(Job).where(Job.id == job_id, Job.attempt == attempt, Job.state == RUNNING)
                .values(heartbeat=time.time(), **values)
            )  # fmt: skip
        return bool(done.rowcount)

    def finish(self, job_id: str, attempt: int, state: str, *, output: dict[str, Any] | None = None,
               error: dict[str, Any] | None = None) -> bool:  # fmt: skip
        """Write the terminal state; false where another attempt has taken over (then nothing is written)."""
        assert state in TERMINAL
        with self._store.transaction() as session:
            done = session.execute(
                update(Job).where(Job.id == job_id, Job.attempt == attempt, Job.state == RUNNING)
                .values(state=state, output=output, error=error, finished=time.time())
            )  # fmt: skip
        return bool(done.rowcount)

    def interrupt(self, job_id: str, attempt: int) -> bool:
        """The process is gone without a terminal state: the job waits to be taken up again."""
        with self._store.transaction() as session:
            done = session.execute(
                update(Job).where(Job.id == job_id, Job.attempt == attempt, Job.state == RUNNING)
                .values(state=INTERRUPTED, pid=None, pid_started=None)
            )  # fmt: skip
        return bool(done.rowcount)

    def requeue(self, job_id: str) -> bool:
        """Let a failed, cancelled or interrupted job go on from its checkpoint."""
        with self._store.transaction() as session:
            done = session.execute(
                update(Job).where(Job.id == job_id, Job.state.in_((*TERMINAL, INTERRUPTED)))
                .values(state=QUEUED, error=None, output=None, finished=None, cancel_requested=False)
            )  # fmt: skip
        return bool(done.rowcount)

    def cancel(self, job_id: str) -> None:
        """A waiting job ends at once; a running one is asked, and ends at its next step."""
        with self._store.transaction() as session:
            session.execute(
                update(Job).where(Job.id == job_id, Job.state.in_((QUEUED, INTERRUPTED)))
                .values(state=CANCELLED, finished=time.time())
            )  # fmt: skip
            session.execute(
                update(Job).where(Job.id == job_id, Job.state == RUNNING).values(cancel_requested=True)
            )

    def running(self) -> list[Job]:
        with self._store.transaction() as session:
            return list(session.scalars(select(Job).where(Job.state == RUNNING)))
