"""Doing one attempt of a job in the current process, and writing how it ended."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from tlcore.core.errors import AttemptLost, Cancelled
from tlcore.execution import failures, job_kinds
from tlcore.execution.lease import Lease
from tlcore.store.jobs import got_further
from tlcore.store.tables import CANCELLED, FAILED, SUCCEEDED

if TYPE_CHECKING:
    from tlcore.store import Store
    from tlcore.store.tables import Job

TRIES = 5  # attempts that may be lost in a row without getting further


def run_attempt(
    store: Store,
    job: Job,
    *,
    table: str,
    log: TextIO,
    lost: Callable[[], None],
    on_progress: Callable[..., None] | None = None,
) -> bool:
    """Do the work of the attempt that ``job`` was claimed for, and write its terminal state.

    False where nothing was written: another attempt holds the job, or the database cannot be reached.
    """
    ending: dict[str, Any]
    try:
        with Lease(store, job, lost, on_progress) as lease:
            output = job_kinds.find(job.kind, table)(store, job, lease.progress)
        state, ending = SUCCEEDED, {"output": output or {}}
    except (Cancelled, KeyboardInterrupt):
        print("Stopped on request.", file=log, flush=True)
        state, ending = CANCELLED, {}
    except AttemptLost as error:
        print(error, file=log, flush=True)
        return False
    except BaseException as error:
        traceback.print_exception(error, file=log)
        log.flush()
        traceback.clear_frames(error.__traceback__)  # what was too big for the memory goes before the last write
        if failures.database_away(error):
            return False
        state, ending = FAILED, {"error": failures.to_error(failures.explained(error, store.home))}
    return store.jobs.finish(job.id, job.attempt, state, **ending)


def put_back(store: Store, job_id: str, attempt: int) -> None:
    """The process of an attempt ended by itself without a terminal state: the job waits for the next attempt, or has
    failed where attempt after attempt got no further (as when the memory runs out each time)."""
    job = store.jobs.get(job_id)
    if job and job.attempt == attempt and job.fruitless >= TRIES and not got_further(job):
        error = failures.to_error(failures.ended_again_and_again(job.fruitless + 1))
        store.jobs.finish(job_id, attempt, CANCELLED if job.cancel_requested else FAILED, error=error)
    else:
        store.jobs.interrupt(job_id, attempt, blame=True)
