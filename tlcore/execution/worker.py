"""The worker: claims jobs, starts one child process each, watches them, and puts lost ones back (``tlcore worker``).

Two lanes run beside each other: ``train`` (one job at a time, TLCORE_TRAIN_SLOTS) and ``quick`` (two,
TLCORE_QUICK_SLOTS). Any number of workers may share one database; each job is run by one of them. Each child has a
limit of memory and of time (`limits.of_job`); one that exceeds it fails its job at once, since the next attempt would
too.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlcore.core import limits
from tlcore.core.i18n import t
from tlcore.execution import failures, heartbeat
from tlcore.execution import processes as process
from tlcore.execution.attempt import put_back
from tlcore.execution.child import AWAY, LOST
from tlcore.execution.job_kinds import OURS
from tlcore.execution.reconcile import Reconcile
from tlcore.store import garbage_collection
from tlcore.store.jobs import got_further
from tlcore.store.tables import CANCELLED

if TYPE_CHECKING:
    from tlcore.core.errors import StudioError
    from tlcore.store import Store
    from tlcore.store.tables import Job

LOOK = 0.3  # seconds between looks at the queue
BEAT = 2.0  # seconds between heartbeats, on behalf of children and for the worker itself
RECONCILE = 1.0  # seconds between looks for jobs of dead workers
MISSES = 3  # looks in a row that find the workspace deleted before it is believed
GRACE = 15.0  # seconds that a child has to end after the person asked it to
SWEEP = 3600.0  # seconds between looks for files that nobody needs any more
SHUTDOWN_SECONDS = 5.0  # seconds that children have to end when the worker stops
# The allocator keeps big blocks instead of returning them to the kernel at every step: up to 1.4 times faster training.
MALLOC = "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=8589934592"


@dataclass
class Child:
    """One attempt under way. ``began`` and ``asked`` (when the person's wish to stop was first seen) are of the
    monotonic clock; ``kills`` is how many processes the kernel had ended for want of memory before it.
    """

    job: Job
    process: subprocess.Popen[bytes]
    started: float
    limit: limits.Limit
    group: limits.Group | None
    kills: int
    began: float
    asked: float | None = None


class Worker:
    """One worker of a workspace. ``run`` blocks until ``stop`` is called, from a signal or another thread."""

    def __init__(self, store: Store, *, slots: dict[str, int] | None = None, kinds: str = OURS, grace: float = GRACE):
        self._store, self._kinds, self._grace = store, kinds, grace
        self.slots = slots or {
            "train": _slots("TLCORE_TRAIN_SLOTS", 1),
            "quick": _slots("TLCORE_QUICK_SLOTS", 2),
        }
        self.name = process.name()
        self._me = heartbeat.describe(self.slots)
        self._children: list[Child] = []
        self._reconcile = Reconcile(store)
        self._stop = threading.Event()
        self._identity, self._misses = store.identity(), 0

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> bool:
        """Work until stopped; then children are ended, and their jobs wait to be taken up again.

        False where it stopped by itself because the workspace or its database was deleted or replaced.
        """
        beat = reconciled = swept = float("-inf")
        try:
            while not self._stop.is_set():
                try:
                    now = time.monotonic()
                    if self._store.identity() != self._identity:
                        self._misses += 1  # an open database file still answers after it was deleted
                        if self._misses >= MISSES:
                            return False
                        self._stop.wait(LOOK)
                        continue
                    self._misses = 0
                    if now - reconciled >= RECONCILE:
                        self._reconcile()
                        reconciled = now
                    self._watch()
                    self._start_more()
                    if now - beat >= BEAT:
                        self._beat()
                        beat = now
                    if now - swept >= SWEEP:
                        # Beside the work: gigabytes on a slow disk must not keep jobs waiting.
                        threading.Thread(target=garbage_collection.sweep, args=(self._store,), daemon=True).start()
                        swept = now
                except Exception:  # the database or the disk is away for a moment: children go on meanwhile
                    traceback.print_exc()
                    self._stop.wait(1.0)
                self._stop.wait(LOOK)
        finally:
            self._shutdown()
        return True

    def _start_more(self) -> None:
        for lane, slots in self.slots.items():
            while not self._stop.is_set() and sum(child.job.lane == lane for child in self._children) < slots:
                job = self._store.jobs.claim(lane, self.name)
                if job is None:
                    break
                try:
                    child = self._spawn(job)
                except OSError:
                    put_back(self._store, job.id, job.attempt)
                    raise
                self._children.append(child)
                values = {"pid": child.process.pid, "pid_started": child.started}
                self._store.jobs.beat(job.id, job.attempt, **values)

    def _spawn(self, job: Job) -> Child:
        limit = limits.of_job(job.lane)
        group = limits.Group.make(f"{job.id}-{job.attempt}", limit.memory)
        command = [
            sys.executable,
            "-m",
            "tlcore.execution.child",
            job.id,
            "--attempt",
            str(job.attempt),
            "--workspace",
            str(self._store.home),
            "--parent",
            str(os.getpid()),
            "--kinds",
            self._kinds,
        ]
        if limit.memory:
            command += ["--memory", str(limit.memory)]
        if group:
            command += ["--cgroup", str(group.path)]
        kills, environment = limits.out_of_memory_kills(), {**os.environ, "PYTHONUNBUFFERED": "1"}
        if job.lane == "train":
            environment.setdefault("GLIBC_TUNABLES", MALLOC)
            if not self._me.gpu and os.name == "posix":
                command += ["--nice", "10"]  # pages and quick jobs come first where all share the processor
        # A file and not a pipe: nobody has to read it for the child to go on, and it outlives this process.
        with (self._store.jobs.folder(job.id) / "log.txt").open("ab") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        return Child(job, child, process.started(child.pid) or 0.0, limit, group, kills, time.monotonic())

    def _watch(self) -> None:
        for child in list(self._children):
            if self._ended(child):
                self._children.remove(child)
                put_back(self._store, child.job.id, child.job.attempt, self._reason(child))
                if child.group:
                    child.group.remove()
            elif child.limit.seconds and time.monotonic() - child.began > child.limit.seconds:
                process.end_group(child.process.pid, child.started, patience=2.0)
                reason = failures.time_exceeded(child.limit.seconds, failures.model_of(self._store, child.job))
                put_back(self._store, child.job.id, child.job.attempt, reason)
            elif child.asked and time.monotonic() - child.asked > self._grace:
                process.end_group(child.process.pid, child.started, patience=2.0)
                self._store.jobs.finish(child.job.id, child.job.attempt, CANCELLED)

    def _reason(self, child: Child) -> StudioError | None:
        """Why a child ended, where the next attempt would end in the same way: it took more memory than it may."""
        code = child.process.returncode
        if code in (0, LOST, AWAY, -signal.SIGTERM):
            return None
        job = self._store.jobs.get(child.job.id)
        if job is None:
            return None
        limit = child.limit.memory
        if child.group and child.group.exceeded() and limit:
            return failures.memory_exceeded(limit, failures.model_of(self._store, job))
        if code == -signal.SIGKILL:
            # The kernel says no more than that it ended some process of this machine meanwhile.
            if limits.out_of_memory_kills() == child.kills or got_further(job):
                return None
            return failures.killed_for_memory(failures.model_of(self._store, job))
        if limit and limits.allocation_failed(self._last_words(child)):
            return failures.memory_exceeded(limit, failures.model_of(self._store, job))
        return None

    def _last_words(self, child: Child) -> bytes:
        """What this attempt wrote to the job's log, the last MB of it."""
        with contextlib.suppress(OSError), (self._store.jobs.folder(child.job.id) / "log.txt").open("rb") as log:
            log.seek(max(log.seek(0, os.SEEK_END) - limits.TAIL, 0))
            return log.read().rpartition(f"--- attempt {child.job.attempt},".encode())[2]
        return b""

    def _ended(self, child: Child) -> bool:
        """Whether the child is gone; then what it may have started goes too, while its group still bears its name."""
        if child.process.returncode is None:
            with contextlib.suppress(ChildProcessError):
                if os.waitid(os.P_PID, child.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                    return False
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()
        return True

    def _beat(self) -> None:
        """Renew the leases of living children: one that is busy in native code must not lose its job."""
        for child in self._children:
            asked = self._store.jobs.asked_to_stop(child.job.id, child.job.attempt)
            if asked is not None:
                self._store.jobs.beat(child.job.id, child.job.attempt)
            if asked and child.asked is None:
                child.asked = time.monotonic()
        self._me = self._me.model_copy(
            update={"beat": time.time(), "running": [child.job.id for child in self._children]}
        )
        heartbeat.note(self._store.home, self._me)

    def _shutdown(self) -> None:
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.process.pid, signal.SIGTERM)
        until = time.monotonic() + SHUTDOWN_SECONDS
        while self._children and time.monotonic() < until:
            self._hand_back([child for child in self._children if self._ended(child)])
            time.sleep(0.05)
        for child in self._children:
            process.end_group(child.process.pid, child.started)
            child.process.wait()
        self._hand_back(list(self._children))
        heartbeat.forget(self._store.home, self._me)

    def _hand_back(self, gone: list[Child]) -> None:
        for child in gone:
            self._children.remove(child)
            if child.group:
                child.group.remove()
            if self._misses < MISSES:  # else there is no database to write to
                self._store.jobs.interrupt(child.job.id, child.job.attempt)


def work(store: Store, *, kinds: str = OURS) -> int:
    """What ``tlcore worker`` does: work until SIGTERM or Ctrl-C. Returns the exit code: 1 where the workspace was
    deleted under it.
    """
    worker = Worker(store, kinds=kinds)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    if worker.run():
        return 0
    print(
        t(
            "The workspace {folder}, or the database in it, was deleted or replaced while the worker ran. The worker "
            "ends; start it again for the workspace that is there now.",
            folder=str(store.home),
        ),
        file=sys.stderr,
        flush=True,
    )
    return 1


def _slots(name: str, default: int) -> int:
    with contextlib.suppress(ValueError):
        return max(int(os.environ.get(name, default)), 0)
    return default


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tlcore.execution.worker")
    parser.add_argument("--workspace")
    parser.add_argument("--parent", type=int, help="stop when this process ends")
    parser.add_argument("--kinds", default=OURS, help="the tuple of kinds of job, as module:NAME")
    given = parser.parse_args(arguments)
    if given.parent:
        process.die_with(given.parent, signal.SIGTERM)
    from tlcore.store import Store

    return work(Store.open(given.workspace), kinds=given.kinds)


if __name__ == "__main__":
    sys.exit(main())
