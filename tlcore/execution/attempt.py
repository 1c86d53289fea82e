"""Doing one attempt of a job in the current process, and writing how it ended."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from tlcore.core.errors import AttemptLost, Cancelled, StudioError
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
        explained = failures.explained(error, store.home, failures.model_of(store, job))
        state, ending = FAILED, {"error": failures.to_error(explained)}
    return store.jobs.finish(job.id, job.attempt, state, **ending)


def put_back(store: Store, job_id: str, attempt: int, reason: StudioError | None = None) -> None:
    """The process of an attempt ended by itself without a terminal state.

    With a ``reason`` that the next attempt would meet again, the job has failed. Else it waits for the next attempt, or
    has failed where attempt after attempt got no further.
    """
    job = store.jobs.get(job_id)
    if job and reason is None and job.attempt == attempt and job.fruitless >= TRIES and not got_further(job):
        reason = failures.ended_again_and_again(job.fruitless + 1)
    if job and reason is not None:
        state = CANCELLED if job.cancel_requested else FAILED
        store.jobs.finish(job_id, attempt, state, error=failures.to_error(reason))
    else:
        store.jobs.interrupt(job_id, attempt, blame=True)
