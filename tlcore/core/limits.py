"""How much memory and time a child process may take, found from the machine and changed by the environment.

Memory is limited by a control group (cgroup v2) where one is delegated to the studio, and by RLIMIT_DATA elsewhere:

* The control group counts resident memory of the child and of all that it starts, and its end is certain to be seen.
* RLIMIT_DATA counts private writable memory (the heap, anonymous and private writable maps) of each process. RLIMIT_AS
  would count address space too, of which CUDA reserves terabytes and a read-only map of weights as much as the file
  has, without using either. An allocation beyond the limit fails, so that Python, torch and NumPy can say so.
"""

from __future__ import annotations

import contextlib
import os
import resource
from dataclasses import dataclass
from pathlib import Path

GB = 2**30
LEAST = 2 * GB  # importing torch, timm and transformers takes nearly 1 GB of private memory
SHARES = {"train": 0.8, "quick": 0.5}  # of the usable memory, for one job
HOURS = {"train": 168.0, "quick": 6.0}  # for one attempt of a job
TRIAL_BYTES = 2 * GB  # for trying an uploaded model, beside its weights
COPIES = 3  # of the weights in float32: as they are read, as the network holds them, and one between
TRIAL_SECONDS = 180.0  # for building an uploaded network once
TOKENIZER_SECONDS = 30.0  # for the texts that its tokenizer is tried with
CGROUPS = Path("/sys/fs/cgroup")
# How native code says in the log that it ended because an allocation failed.
NO_MEMORY = (
    b"memory allocation of ",
    b"std::bad_alloc",
    b"MemoryError",
    b"Cannot allocate memory",
    b"out of memory",
    b"failed to map segment from shared object",
)
TAIL = 2**20  # bytes of the log that are looked at; a backtrace may follow the message


@dataclass(frozen=True)
class Limit:
    """What one child process may take: ``memory`` in bytes and ``seconds`` of clock time; None is without limit."""

    memory: int | None
    seconds: float | None


def of_job(lane: str) -> Limit:
    """The limit of one attempt of a job (``TLCORE_TRAIN_MEMORY_GB``, ``TLCORE_TRAIN_HOURS`` and the same of QUICK)."""
    name = lane.upper()
    memory = max(usable_memory() * SHARES.get(lane, SHARES["quick"]), LEAST)
    gigabytes = _setting(f"TLCORE_{name}_MEMORY_GB", memory / GB)
    hours = _setting(f"TLCORE_{name}_HOURS", HOURS.get(lane, HOURS["quick"]))
    return Limit(int(gigabytes * GB) or None, hours * 3600 or None)


def of_trial(weights: int) -> Limit:
    """The limit for trying an uploaded model of so many weights (``TLCORE_TRIAL_MEMORY_GB``, ``TLCORE_TRIAL_SECONDS``):
    small, so that a model which takes much more memory than its weights is found at once.
    """
    small = _setting("TLCORE_TRIAL_MEMORY_GB", TRIAL_BYTES / GB)
    seconds = _setting("TLCORE_TRIAL_SECONDS", TRIAL_SECONDS)
    return Limit(int(small * GB) + COPIES * 4 * weights if small else None, seconds or None)


def usable_memory() -> int:
    """Bytes of memory of this machine, or of the container where that has less."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in (_own_cgroup() / "memory.max", CGROUPS / "memory.max", CGROUPS / "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # "max" is no limit
            found.append(int(path.read_text()))
    return min(found)


def restrict(memory: int | None, group: Path | None = None) -> None:
    """Limit the current process and all that it starts: in a control group where one is given, else by RLIMIT_DATA."""
    if group is not None:
        with contextlib.suppress(OSError):
            (group / "cgroup.procs").write_text(str(os.getpid()))
            return
    if memory is None:
        return
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def own_memory() -> int | None:
    """The limit of the current process in bytes, where it has one by RLIMIT_DATA."""
    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return None if soft == resource.RLIM_INFINITY else soft


class Group:
    """A control group for one child; ``path`` is its folder."""

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def make(cls, name: str, memory: int | None) -> Group | None:
        """A new control group below the delegated one; None where there is none to use, or ``memory`` has no limit.

        ``TLCORE_CGROUP`` names the delegated one; without it, it is the parent of this process's own where systemd
        delegated that (``Delegate=memory`` with ``DelegateSubgroup=``).
        """
        base = _delegated()
        if base is None or memory is None:
            return None
        path = base / f"tlcore-{name}"
        try:
            if "memory" not in (base / "cgroup.subtree_control").read_text().split():
                (base / "cgroup.subtree_control").write_text("+memory")
            path.mkdir(exist_ok=True)
            (path / "memory.max").write_text(str(memory))
            (path / "memory.oom.group").write_text("1")
        except OSError:
            with contextlib.suppress(OSError):
                path.rmdir()
            return None
        with contextlib.suppress(OSError):  # kernels without swap accounting have no such file
            (path / "memory.swap.max").write_text("0")
        return cls(path)

    def exceeded(self) -> bool:
        """Whether the kernel ended a process of the group because its memory was used up."""
        with contextlib.suppress(OSError, ValueError):
            events = dict(line.split() for line in (self.path / "memory.events").read_text().splitlines())
            return int(events.get("oom_kill", 0)) > 0
        return False

    def remove(self) -> None:
        """Give it back; all of its processes have ended."""
        with contextlib.suppress(OSError):
            self.path.rmdir()


def out_of_memory_kills() -> int:
    """How many processes the kernel has ended on this machine since it started because memory was used up."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def allocation_failed(output: bytes) -> bool:
    """Whether the last lines that a process wrote say that it ended because an allocation failed."""
    return any(sign in output for sign in NO_MEMORY)


def _setting(name: str, default: float) -> float:
    """A number from the environment, 0 for no limit; the default where it is not one."""
    with contextlib.suppress(ValueError):
        return max(float(os.environ.get(name) or default), 0.0)
    return default


def _own_cgroup() -> Path:
    """The folder of this process's cgroup v2; the root where it is not known."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                return CGROUPS / line[3:].strip("/")
    return CGROUPS


def _delegated() -> Path | None:
    if named := os.environ.get("TLCORE_CGROUP"):
        return Path(named)
    own = _own_cgroup()
    if own == CGROUPS:
        return None
    with contextlib.suppress(OSError, AttributeError):
        if os.getxattr(own.parent, "user.delegate") == b"1":
            return own.parent
    return None
