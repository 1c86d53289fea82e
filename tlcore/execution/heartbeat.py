"""Which workers there are: one small file each in the workspace, rewritten every two seconds."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

import tlcore
from tlcore.core import atomic_files
from tlcore.execution import processes

if TYPE_CHECKING:
    from tlcore.store import Store

BEAT = 2.0  # seconds between two notes
SILENT = 15.0  # seconds without a note after which a worker of another host counts as gone


class WorkerNote(BaseModel):
    """What a worker says about itself. ``memory`` in bytes; ``since`` and ``beat`` in seconds since 1970."""

    name: str  # host:pid:start
    host: str
    pid: int
    device: str  # the GPU's name, else the processor's
    gpu: bool
    cores: int
    memory: int
    slots: dict[str, int]  # how many jobs it runs at a time, by lane
    running: list[str] = Field(default_factory=list)  # ids of jobs
    since: float
    beat: float
    version: str = tlcore.__version__


def describe(slots: dict[str, int]) -> WorkerNote:
    """The note of the current process."""
    now, gpu = time.time(), _gpu()
    return WorkerNote(
        name=processes.name(),
        host=processes.host().rpartition("-")[0],
        pid=os.getpid(),
        device=gpu or _processor(),
        gpu=gpu is not None,
        cores=_cores(),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        slots=slots,
        since=now,
        beat=now,
    )


def note(home: Path, worker: WorkerNote) -> None:
    """Write or renew a worker's note."""
    atomic_files.write(_path(home, worker), worker.model_dump_json())


def forget(home: Path, worker: WorkerNote) -> None:
    _path(home, worker).unlink(missing_ok=True)


def workers_alive(store: Store) -> list[WorkerNote]:
    """The workers that live now, longest-serving first. Notes of dead ones of this host are removed."""
    alive = []
    for path in sorted((store.home / "workers").glob("*.json")):
        try:
            worker = WorkerNote.model_validate(json.loads(path.read_bytes()))
            where, pid, since = processes.parse(worker.name)
        except (OSError, ValueError):
            continue  # just removed, or written by another version
        if where == processes.host():
            if processes.lives(pid, since):
                alive.append(worker)
            else:
                path.unlink(missing_ok=True)
        elif time.time() - worker.beat < SILENT:
            alive.append(worker)
    return sorted(alive, key=lambda worker: worker.since)


def _path(home: Path, worker: WorkerNote) -> Path:
    where, pid, _ = processes.parse(worker.name)
    return home / "workers" / f"{where}-{pid}.json"


def _gpu() -> str | None:
    """The first GPU's name and memory, asked of nvidia-smi: torch would take seconds and memory of the card."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
        asked = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
        lines = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout.splitlines()
        name, _, megabytes = lines[0].rpartition(",") if lines else ("", "", "")
        if name:
            return f"{name.strip()}, {round(float(megabytes) / 1024)} GB" + (
                f" ×{len(lines)}" if len(lines) > 1 else ""
            )
    return None


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    import platform

    return platform.processor() or platform.machine()


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
