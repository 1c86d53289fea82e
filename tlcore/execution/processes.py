"""Processes of this host: who they are, whether they still live, and how they end."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import signal
import socket
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1


@functools.cache
def host() -> str:
    """This host as ``name-digest``; containers and a rebooted machine count as other hosts, as their pids do."""
    marks = []
    with contextlib.suppress(OSError):
        marks.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    with contextlib.suppress(OSError):
        marks.append(os.readlink("/proc/self/ns/pid"))
    name = socket.gethostname()
    return f"{name[:60].replace(':', '-')}-{hashlib.sha256('|'.join([name, *marks]).encode()).hexdigest()[:8]}"


def started(pid: int) -> float | None:
    """When a process started, in seconds since boot (elsewhere than on Linux: since 1970); None where it is gone.

    With the pid this names one process for ever: pids are used again, pairs are not. Since boot, because the time
    since 1970 moves when the clock is set. A zombie counts as gone.
    """
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else int(fields[19]) / os.sysconf("SC_CLK_TCK")
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def lives(pid: int | None, since: float | None) -> bool:
    """Whether exactly that process still runs on this host."""
    if pid is None or since is None:
        return False
    now = started(pid)
    return now is not None and abs(now - since) < 0.005


def name(pid: int | None = None) -> str:
    """``host:pid:start``, the way a worker signs the jobs that it holds."""
    pid = pid or os.getpid()
    return f"{host()}:{pid}:{started(pid)}"


def parse(worker: str) -> tuple[str, int, float]:
    """``(host, pid, start)`` of a name."""
    where, pid, since = worker.rsplit(":", 2)
    return where, int(pid), float(since)


def die_with(parent: int, how: signal.Signals = signal.SIGKILL) -> None:
    """Let the kernel end this process when its parent's main thread ends (Linux; elsewhere the lease finds it)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(how), 0, 0, 0)
    if os.getppid() != parent:  # it ended before the line above took effect
        os._exit(1)


def end_group(pid: int, since: float, patience: float = 0.0) -> None:
    """End a process and the group that it leads: SIGTERM, then SIGKILL after ``patience`` seconds."""
    if not lives(pid, since):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        group = os.getpgid(pid) == pid
        send = os.killpg if group else os.kill
        if patience:
            send(pid, signal.SIGTERM)
            _wait(pid, since, patience)
        send(pid, signal.SIGKILL)
        _wait(pid, since, 5.0)


def _wait(pid: int, since: float, seconds: float) -> None:
    until = time.monotonic() + seconds
    while lives(pid, since) and time.monotonic() < until:
        time.sleep(0.02)


def give_way(nice: int) -> None:
    """Let others have the processor first.

    Under Linux's autogroup scheduling niceness counts within a session only, and a child has a session of its own: the
    session is made nice too (sched(7)), where the kernel has that file.
    """
    os.nice(nice)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice))
