"""The same work in the current process, for the command line."""

from __future__ import annotations

import _thread
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.execution import processes
from tlcore.execution.attempt import put_back, run_attempt
from tlcore.execution.job_kinds import OURS
from tlcore.execution.reconcile import Reconcile
from tlcore.store.tables import RUNNING, TERMINAL

if TYPE_CHECKING:
    from tlcore.store import Store
    from tlcore.store.tables import Job

LOOK = 0.5  # seconds between looks at a job that somebody else works on


def run_here(store: Store, job_id: str, on_progress: Callable[..., None] | None = None, *, kinds: str = OURS) -> Job:
    """Bring a waiting job to its end in this process, and return it with its terminal state.

    Where a worker was quicker to take it, the job is watched instead. Ctrl-C cancels it either way (the command line
    then exits with 130). ``on_progress(share, sentence, **more)`` is told how far it is. A job that has ended already
    is returned as it is: `Jobs.requeue` comes first where it shall go on.
    """
    reconcile, lost = Reconcile(store), threading.Event()
    while True:
        job = store.jobs.get(job_id)
        if job is None:
            raise UnusableInput(sentence("There is no job {id} in this workspace.", id=job_id), code="job")
        if job.state in TERMINAL:
            return job
        try:
            if job.state != RUNNING and store.jobs.take(job_id, processes.name()):
                _perform(store, job_id, on_progress, kinds, lost)
                lost.clear()
                continue
            if on_progress and job.progress:
                _relay(job.progress, on_progress)
            time.sleep(LOOK)
            reconcile()
        except KeyboardInterrupt:
            if lost.is_set():  # not the person: another attempt holds the job, and is watched from here on
                lost.clear()
            else:
                store.jobs.cancel(job_id)


def _perform(
    store: Store, job_id: str, on_progress: Callable[..., None] | None, kinds: str, lost: threading.Event
) -> None:
    """One attempt in this process; ``lost`` is set where the main thread is interrupted since another one took over."""

    def stop() -> None:
        lost.set()
        _thread.interrupt_main()

    pid = os.getpid()
    job = store.jobs.get(job_id)
    assert job is not None
    store.jobs.beat(job_id, job.attempt, pid=pid, pid_started=processes.started(pid))
    with (store.jobs.folder(job_id) / "log.txt").open("a", encoding="utf-8") as log:
        print(
            f"--- attempt {job.attempt}, {time.strftime('%Y-%m-%d %H:%M:%S')}, process {pid}",
            file=log,
            flush=True,
        )
        if not run_attempt(store, job, table=kinds, log=log, lost=stop, on_progress=on_progress):
            put_back(store, job_id, job.attempt)


def _relay(progress: dict, on_progress: Callable[..., None]) -> None:
    more = {key: value for key, value in progress.items() if key not in ("share", "sentence", "at")}
    message = progress.get("sentence")
    on_progress(progress.get("share"), Sentence.model_validate(message) if message else None, **more)
