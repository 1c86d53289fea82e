"""Finding running jobs whose process is gone, and handing them on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tlcore.execution import lease, processes

if TYPE_CHECKING:
    from tlcore.store import Store
    from tlcore.store.tables import Job


class Reconcile:
    """Called again and again; each call returns the ids of the jobs that it made ``interrupted``.

    On this host the truth is the process table (pid and start time). A job of another host is handed on when its
    heartbeat has not *changed* for the length of a lease on this process's own clock, so clocks need not agree.
    """

    def __init__(self, store: Store):
        self._store = store
        self._seen: dict[str, tuple[tuple[int, float | None], float]] = {}

    def __call__(self) -> list[str]:
        running = self._store.jobs.running()
        self._seen = {job.id: self._seen[job.id] for job in running if job.id in self._seen}
        return [job.id for job in running if self._lost(job) and self._store.jobs.interrupt(job.id, job.attempt)]

    def _lost(self, job: Job) -> bool:
        host, pid, since = processes.parse(job.worker or "?:0:0")
        here = host == processes.host()
        if here and not processes.lives(pid, since):
            if job.pid and job.pid_started:
                # The worker is dead and its child is not: it must not go on beside the next attempt.
                processes.end_group(job.pid, job.pid_started)
            return True
        if here and processes.lives(job.pid, job.pid_started):
            return False  # slow, suspended or waiting for the database, but alive, and so is its worker
        return self._silent_for(job) > lease.seconds()

    def _silent_for(self, job: Job) -> float:
        """Seconds since this job's heartbeat was last seen to change."""
        now, beat = time.monotonic(), (job.attempt, job.heartbeat)
        if self._seen.get(job.id, (None, 0.0))[0] != beat:
            self._seen[job.id] = (beat, now)
        return now - self._seen[job.id][1]
