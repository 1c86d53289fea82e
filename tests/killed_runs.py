"""A worker whose runs die where they are told to, by SIGKILL: ``python -m tests.killed_runs WORKSPACE``.

It is the studio's own worker, and a run is the studio's own run, in a process of its own. What differs: the process is
forked from one that has imported torch, so that an attempt costs no seconds of imports; and a file of the workspace
says where each attempt of a run of that name ends.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tlcore import flow
from tlcore.execution import child, processes
from tlcore.execution.worker import Child, Worker
from tlcore.store import Store
from tlcore.training.hooks import mean_teacher
from tlcore.training.run_progress import Watch

KINDS = (("run", "tests.killed_runs:run"),)


def run(store: Store, job: Any, progress: Any) -> dict[str, Any]:
    """The run of this job; its attempt ``n`` dies at the ``n``th place, those after the last place go on to the end."""
    path = kills(store, store.runs.get(job.id).name)
    places = json.loads(path.read_text()) if path.exists() else []
    if job.attempt <= len(places):
        lie_in_wait(places[job.attempt - 1])
    return flow.work(store, job, progress)


def kills(store: Store, name: str) -> Path:
    """The file that says where the runs of that name die."""
    return store.home / f"kills-{name}.json"


def lie_in_wait(place: dict[str, Any]) -> None:
    """Die where a sentence or a point of a curve has all that ``place`` names (arm, seed, phase, epoch …), or so many
    steps ``later``.
    """
    wanted = {name: value for name, value in place.items() if name != "later"}
    left: list[int] = []

    def look(result: dict[str, Any]) -> None:
        if not left and all(result.get(name) == value for name, value in wanted.items()):
            left.append(place.get("later", 0))
            count(0)

    def count(steps: int) -> None:
        if left:
            left[0] -= steps
            if left[0] <= 0:
                print(f"killed at {place}", flush=True)
                os.kill(os.getpid(), signal.SIGKILL)

    announce, point, step = Watch.announce, Watch.point, Watch.step

    def on_announce(self: Watch, message: Any, **now: Any) -> None:
        announce(self, message, **now)
        look(now)

    def on_point(self: Watch, **params: Any) -> None:
        point(self, **params)
        look(params)

    def on_step(self: Watch, examples: int, weight: float = 1.0) -> None:
        step(self, examples, weight)
        count(1)

    Watch.announce, Watch.point, Watch.step = on_announce, on_point, on_step  # type: ignore[method-assign]


class Forked:
    """As much of a Popen as the worker looks at."""

    def __init__(self, pid: int):
        self.pid, self.returncode = pid, None

    def wait(self) -> None:
        self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Forking(Worker):
    def _spawn(self, job: Any) -> Child:
        log = self._store.jobs.folder(job.id) / "log.txt"
        me = os.getpid()
        pid = os.fork()
        if not pid:
            os.setsid()
            with log.open("ab") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            result = [job.id, "--attempt", str(job.attempt), "--workspace", str(self._store.home), "--parent", str(me)]
            os._exit(child.main([*result, "--kinds", self._kinds]))
        return Child(job, Forked(pid), processes.started(pid) or 0.0)  # type: ignore[arg-type]


def main() -> None:
    import accelerate  # noqa: F401  (all that a run imports, once)
    import peft  # noqa: F401
    import sklearn.linear_model  # noqa: F401
    import timm  # noqa: F401
    import torch
    import transformers.modeling_utils  # noqa: F401

    torch.set_num_threads(1)
    mean_teacher.SURE = 0.0  # tiny networks are sure of nothing, and an answer must count for the teacher to matter
    worker = Forking(Store.open(sys.argv[1]), kinds="tests.killed_runs:KINDS")
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.run()


if __name__ == "__main__":
    main()
