"""The queue: claim with a lease, heartbeat, cancel, and one terminal state that only the current attempt may write.

Every change of state is one conditional UPDATE, so that any number of workers, children and pages may race for a job
and exactly one of them wins, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import case, exists, false, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from tlcore.store.subjects import subject
from tlcore.store.tables import CANCELLED, INTERRUPTED, QUEUED, RUNNING, TERMINAL, Job

if TYPE_CHECKING:
    from sqlalchemy import CursorResult

    from tlcore.store.workspace import Workspace


class Jobs:
    def __init__(self, store: Workspace):
        self._store = store

    def submit(
        self, kind: str, owner: str, input: dict[str, Any], *, lane: str = "quick", project_id: str | None = None
    ) -> Job:
        """A waiting job. Of jobs with the same subject (`subjects`) one at a time is claimed."""
        job = Job(kind=kind, lane=lane, owner=owner, project_id=project_id, input=input, subject=subject(kind, input))
        with self._store.transaction() as session:
            session.add(job)
        return job

    def get(self, job_id: str) -> Job | None:
        with self._store.transaction() as session:
            return session.get(Job, job_id)

    def several(self, ids: Sequence[str]) -> dict[str, Job]:
        """Those of these jobs that there are, by id, in one question to the database."""
        with self._store.transaction() as session:
            return {job.id: job for job in session.scalars(select(Job).where(Job.id.in_(ids)))}

    def folder(self, job_id: str) -> Path:
        """Where a job keeps its log and its files (a run's files are found by `Runs.folder`)."""
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
            jobs = list(session.scalars(query))
        return sorted(jobs, key=lambda job: (job.state != RUNNING, job.state != INTERRUPTED, job.created, job.id))

    def ahead(self, job_id: str) -> int | None:
        """How many jobs of its lane come before this one, running ones included; None where it does not wait."""
        job = self.get(job_id)
        if job is None or job.state not in (QUEUED, INTERRUPTED):
            return None
        return [other.id for other in self.queue(job.lane)].index(job_id)

    def newest(self, kind: str, about: dict[str, Any], owner: str | None = None) -> Job | None:
        """The newest job of that kind whose input holds these values.

        With ``owner`` it is one to show to that person: theirs, or while it is under way somebody else's, so that
        nothing is done twice at a time. What is under way comes before what has ended, their own before another's.
        """
        query = select(Job).where(Job.kind == kind)
        if owner is not None:
            under_way, theirs = Job.state.not_in(TERMINAL), Job.owner == owner
            first = [case((rule, 0), else_=1) for rule in (under_way, theirs)]
            query = query.where(or_(under_way, theirs)).order_by(*first)
        query = query.order_by(Job.created.desc(), Job.id.desc())
        with self._store.transaction() as session:
            jobs = session.scalars(query.limit(500))
            return next((job for job in jobs if about.items() <= job.input.items()), None)

    def claim(self, lane: str, worker: str) -> Job | None:
        """Take the next job of a lane: interrupted ones first, then the oldest, past those whose subject another job
        works on. None where nothing waits.
        """
        for state in (INTERRUPTED, QUEUED):
            while True:
                with self._store.transaction() as session:
                    ids = session.scalars(
                        select(Job.id)
                        .where(Job.state == state, Job.lane == lane, Job.cancel_requested == false(), _subject_free())
                        .order_by(Job.created, Job.id)
                        .limit(8)
                    ).all()
                for job_id in ids:
                    if self.take(job_id, worker):
                        return self.get(job_id)
                if not ids:
                    break  # others took all eight: look again until nothing waits
        return None

    def take(self, job_id: str, worker: str) -> bool:
        """Make a waiting job ours; false where somebody else was quicker, or another job works on its subject."""
        now = time.time()
        try:
            return self._change(
                job_id,
                Job.state.in_((QUEUED, INTERRUPTED)),
                Job.cancel_requested == false(),
                _subject_free(),
                state=RUNNING,
                worker=worker,
                attempt=Job.attempt + 1,
                heartbeat=now,
                pid=None,
                pid_started=None,
                started=func.coalesce(Job.started, now),
            )
        except IntegrityError:  # two jobs of one subject at the same moment: the index lets one of them through
            return False

    def beat(self, job_id: str, attempt: int, **values: Any) -> bool:
        """Renew the lease and note ``progress``, ``pid`` …; false where this attempt no longer holds the job."""
        return self._change(job_id, *_held(attempt), heartbeat=time.time(), **values)

    def asked_to_stop(self, job_id: str, attempt: int) -> bool | None:
        """Whether the person asked this attempt to stop; None where it no longer holds the job."""
        with self._store.transaction() as session:
            return session.scalars(select(Job.cancel_requested).where(Job.id == job_id, *_held(attempt))).one_or_none()

    def finish(
        self,
        job_id: str,
        attempt: int,
        state: str,
        *,
        output: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
    ) -> bool:
        """Write the terminal state; false where another attempt has taken over (then nothing is written)."""
        if state not in TERMINAL:
            raise ValueError(f"{state!r} is not a terminal state")
        return self._change(job_id, *_held(attempt), state=state, output=output, error=error, finished=time.time())

    def interrupt(self, job_id: str, attempt: int, *, blame: bool = False) -> bool:
        """The process is gone without a terminal state: the job waits to be taken up again, or ends where the person
        had asked for that. With ``blame`` (the process died by itself) the attempt is counted in ``fruitless``
        unless it got further than every attempt before it. False where the attempt no longer holds the job.
        """
        counted: dict[str, Any] = {}
        if blame and (job := self.get(job_id)):
            counted = {
                "reached": max(_share(job), job.reached),
                "fruitless": 0 if got_further(job) else job.fruitless + 1,
            }
        return self._change(
            job_id,
            *_held(attempt),
            pid=None,
            pid_started=None,
            state=case((Job.cancel_requested, CANCELLED), else_=INTERRUPTED),
            finished=case((Job.cancel_requested, time.time()), else_=None),
            **counted,
        )

    def requeue(self, job_id: str) -> bool:
        """Let a failed, cancelled or interrupted job go on from its checkpoint."""
        return self._change(
            job_id,
            Job.state.in_((*TERMINAL, INTERRUPTED)),
            state=QUEUED,
            error=None,
            output=None,
            finished=None,
            cancel_requested=False,
            fruitless=0,
        )

    def cancel(self, job_id: str) -> None:
        """A waiting job ends at once; a running one is asked, and ends at its next step."""
        # Asked first, so that a job which changes hands in between is ended by `interrupt` or refused by `take`.
        self._change(job_id, Job.state.not_in(TERMINAL), cancel_requested=True)
        self._change(job_id, Job.state.in_((QUEUED, INTERRUPTED)), state=CANCELLED, finished=time.time())

    def running(self) -> list[Job]:
        with self._store.transaction() as session:
            return list(session.scalars(select(Job).where(Job.state == RUNNING)))

    def _change(self, job_id: str, *only_where: Any, **values: Any) -> bool:
        with self._store.transaction() as session:
            done = session.execute(update(Job).where(Job.id == job_id, *only_where).values(**values))
        return bool(cast("CursorResult[Any]", done).rowcount)


def got_further(job: Job) -> bool:
    """Whether this attempt got further than every lost attempt before it."""
    return _share(job) > job.reached + 1e-6


def _share(job: Job) -> float:
    return (job.progress or {}).get("share") or 0.0


def _subject_free() -> Any:
    """The condition that no other job works on the subject of this one."""
    other = aliased(Job)
    return ~exists().where(other.subject == Job.subject, other.state == RUNNING)


def _held(attempt: int) -> tuple[Any, Any]:
    return Job.attempt == attempt, Job.state == RUNNING
