"""The process that does one attempt of one job: ``python -m tlcore.execution.child JOB --attempt N``.

It ends with its worker, renews its own lease, and writes the job's terminal state itself. Exit 0: the state is
written. Anything else: it is not, and the worker puts the job back.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import signal
import sys
import time
from pathlib import Path

LOST, AWAY = 75, 74  # exit: another attempt holds the job; the database could not be reached


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tlcore.execution.child")
    parser.add_argument("job")
    parser.add_argument("--attempt", type=int, required=True)
    parser.add_argument("--workspace")
    parser.add_argument("--parent", type=int, help="end when this process, the worker, ends")
    parser.add_argument("--nice", type=int, default=0, help="how much this process gives way to others")
    parser.add_argument("--kinds", help="the tuple of kinds of job, as module:NAME")
    parser.add_argument("--memory", type=int, help="bytes of memory that it may take, where it has no control group")
    parser.add_argument("--cgroup", type=Path, help="the folder of its control group")
    given = parser.parse_args(arguments)

    from tlcore.core import limits
    from tlcore.execution import processes

    if given.parent:
        processes.die_with(given.parent)
    if given.nice:
        processes.give_way(given.nice)
    limits.restrict(given.memory, given.cgroup)
    faulthandler.enable()
    print(
        f"--- attempt {given.attempt}, {time.strftime('%Y-%m-%d %H:%M:%S')}, process {os.getpid()}",
        flush=True,
    )

    from tlcore.execution.attempt import run_attempt
    from tlcore.execution.job_kinds import OURS
    from tlcore.store import Store

    store = Store.open(given.workspace)
    pid = os.getpid()
    job = store.jobs.get(given.job)
    if job is None or not store.jobs.beat(job.id, given.attempt, pid=pid, pid_started=processes.started(pid)):
        print("Another attempt holds this job.", flush=True)
        return LOST
    done = run_attempt(store, job, table=given.kinds or OURS, log=sys.stderr, lost=_leave)
    return 0 if done else AWAY


def _leave() -> None:
    """End at once, with every process started for this attempt: somebody else works on the same files now."""
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(LOST)


if __name__ == "__main__":
    sys.exit(main())
