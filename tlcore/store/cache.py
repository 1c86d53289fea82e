"""The workspace's cache: how large it is, how large it may become, and what goes when.

Everything in it can be computed again from datasets and source models. What belongs to a dataset has its fingerprint
as a part of its name (``<fingerprint>-…``), so that it can go with the dataset. Features, pictures, tokens, unpacked
models and half-done races count against the limit, and the least recently used of them go first; measured evidence and
the results of races are small, and stay.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from tlcore.store.tables import RUNNING, Job

if TYPE_CHECKING:
    from tlcore.store.workspace import Workspace

LARGE = ("features", "pictures", "tokens", "sources", "races")  # folders of the cache that the limit is for
NAMED = ("features", "pictures", "tokens", "races", "evidence", "evidence/index", "evidence/shift")  # by fingerprint
SHARE = 0.25  # of the disk that the workspace lies on, where no limit is set
SPARE = 0.05  # of the disk that the cache leaves free
IN_USE = 600.0  # seconds since its last use in which an entry is not evicted
NAMELESS = re.compile(r"[0-9a-f]{24}[-.]")  # features and shifts without a fingerprint: never read again


@dataclass
class Entry:
    """Files that are of use only together."""

    kind: str
    paths: list[Path] = field(default_factory=list)
    size: int = 0  # bytes on the disk
    used: float = 0.0  # when it was written or read last, seconds since 1970


@dataclass(frozen=True)
class Usage:
    size: int  # bytes of all entries that the limit is for
    limit: int  # bytes
    entries: int


def limit(home: Path, size: int) -> int:
    """Bytes that the cache may have: ``TLCORE_CACHE_GB``, else a quarter of the disk, or less where other files leave
    no room for that much. ``size`` is what it has now.
    """
    if given := os.environ.get("TLCORE_CACHE_GB"):
        with contextlib.suppress(ValueError):
            return max(0, int(float(given) * 2**30))
    disk = shutil.disk_usage(home)
    return max(0, min(int(SHARE * disk.total), size + disk.free - int(SPARE * disk.total)))


def usage(home: Path) -> Usage:
    """What the cache has, and what it may have."""
    found = entries(home)
    size = sum(entry.size for entry in found)
    return Usage(size, limit(home, size), len(found))


def entries(home: Path) -> list[Entry]:
    """Everything that the limit is for; the result of a race is left out, its unfinished trainings are not."""
    found: dict[tuple[str, str], Entry] = {}
    for kind in LARGE:
        for path in _listed(home / "cache" / kind):
            if kind == "races" and not path.is_dir():
                continue
            entry = found.setdefault((kind, _stem(kind, path.name)), Entry(kind))
            size, used = _measured(path)
            entry.paths.append(path)
            entry.size, entry.used = entry.size + size, max(entry.used, used)
    return list(found.values())


def touch(*paths: Path) -> None:
    """Note that these files were used now."""
    for path in paths:
        with contextlib.suppress(OSError):
            os.utime(path)


def evict(store: Workspace) -> int:
    """Remove what was used least recently until the cache is within its limit; the bytes that were freed."""
    found = entries(store.home)
    size = sum(entry.size for entry in found)
    most = limit(store.home, size)
    if size <= most:
        return 0
    freed, before = 0, _not_in_use(store)
    for entry in sorted(found, key=lambda one: one.used):
        if size - freed <= most:
            break
        if entry.used < before[entry.kind]:
            freed += _removed(entry)
    return freed


def clear(store: Workspace) -> int:
    """Remove everything that no running job needs; the bytes that were freed."""
    running = _not_in_use(store, 0.0)
    return sum(_removed(entry) for entry in entries(store.home) if entry.used < running[entry.kind])


def forget(home: Path, fingerprint: str) -> None:
    """Remove everything that was computed from a dataset: whatever has its fingerprint as a part of its name, and what
    was kept without one.
    """
    for path in _listed(home / "cache" / "evidence" / "index" / fingerprint):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            _remove(home / "cache" / "evidence" / f"{json.loads(path.read_bytes())['key']}.json")
    for kind in NAMED:
        for path in _listed(home / "cache" / kind):
            nameless = kind in ("features", "evidence/shift") and NAMELESS.match(path.name)
            if nameless or fingerprint in re.split(r"[-.]", path.name):
                _remove(path)


def _not_in_use(store: Workspace, recent: float = IN_USE) -> dict[str, float]:
    """By kind the time of last use from which on an entry may be in use. A job opens its source model again and again,
    and a race goes on from its trainings: those stay as long as a job that was there before them runs. Other entries
    are read whole, or stay readable while they are open.
    """
    now = time.time()
    with store.transaction() as session:
        started = session.scalar(select(func.min(Job.started)).where(Job.state == RUNNING))
    others = now - recent if recent else float("inf")
    whole = others if started is None else min(others, started - 60)
    return {kind: whole if kind in ("sources", "races") else others for kind in LARGE}


def _stem(kind: str, name: str) -> str:
    """What the files of one entry have in common: the features of all splits, say, or pictures and their digests."""
    stem = name.lstrip(".").partition(".")[0]
    return stem.rpartition("-")[0] or stem if kind == "features" else stem


def _listed(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from sorted(folder.iterdir())


def _measured(path: Path) -> tuple[int, float]:
    """Bytes on the disk, and the time of last use, of a file or of all files in a folder."""
    size, used = 0, 0.0
    for one in [path, *(path.rglob("*") if path.is_dir() else ())]:
        with contextlib.suppress(OSError):
            stat = one.stat()
            size += stat.st_blocks * 512 if hasattr(stat, "st_blocks") else stat.st_size
            used = max(used, stat.st_mtime)
    return size, used


def _removed(entry: Entry) -> int:
    for path in entry.paths:
        _remove(path)
    return 0 if any(path.exists() for path in entry.paths) else entry.size


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
