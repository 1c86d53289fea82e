"""What nobody needs any more: the runs and jobs of deleted projects, what ended jobs left in ``staging/``, what
processes that were killed left half written, and what the cache has beyond its limit.

A deleted project sweeps at once; a worker sweeps every hour, for what was still running then. Datasets stay, since
those who confirmed them have them listed; so do models in the library, which have files of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, select

from tlcore.core import atomic_files
from tlcore.store import attempts, cache
from tlcore.store.tables import RUNNING, TERMINAL, Job, Point, Project, Run

if TYPE_CHECKING:
    from tlcore.store.workspace import Workspace

KEPT = 14 * 24 * 3600  # seconds that the files of an ended job stay: a checked upload waits so long to be confirmed
ARRIVING = "uploads"  # in staging/, kept by `incoming`
DEAD = 24 * 3600  # seconds without a change after which what a process was writing counts as left behind
UNFINISHED = (".bundle-", ".upload-", ".unpacking-", attempts.UNFINISHED)  # begin the names of folders being written
WRITTEN_TO = ("runs", "sources", "models", "workers", "cache", "tmp", "staging")


def sweep(store: Workspace) -> None:
    """Remove all of it; done by several at once, it is done once."""
    remove_orphans(store)
    clear_staging(store)
    clear_attempts(store)
    clear_pilots(store)
    clear_unfinished(store)
    cache.evict(store)


def remove_orphans(store: Workspace) -> None:
    """Jobs and runs whose project is deleted, with their folders. Left to a later sweep is what has not ended, what
    unfinished work is about (label savings of a run), and what another project's draft names (a duplicate has the
    check of its original).
    """
    project = func.coalesce(Job.project_id, Run.project_id)
    with store.transaction() as session:
        jobs = session.scalars(
            select(Job)
            .outerjoin(Run, Run.id == Job.id)
            .where(Job.state.in_(TERMINAL), project.is_not(None), ~exists().where(Project.id == project))
        ).all()
        needed = {job.input.get("run") for job in session.scalars(select(Job).where(Job.state.not_in(TERMINAL)))}
        drafts = json.dumps(list(session.scalars(select(Project.draft))))
    for job in jobs:
        if job.id in needed or job.id in drafts:
            continue
        # The folder first: a row without a folder is found again, a folder without a row would stay for good.
        if _gone(store.home / ("runs" if job.kind == "run" else "staging") / job.id):
            with store.transaction() as session:
                session.execute(delete(Point).where(Point.run_id == job.id))
                session.execute(delete(Run).where(Run.id == job.id))
                session.execute(delete(Job).where(Job.id == job.id))


def clear_staging(store: Workspace) -> None:
    """Remove the staging folders of jobs that ended some time ago, and those of no job."""
    before = time.time() - KEPT
    folders = {folder.name: folder for folder in (store.home / "staging").iterdir() if folder.name != ARRIVING}
    with store.transaction() as session:
        for job_id, state, finished in session.execute(select(Job.id, Job.state, Job.finished)):
            if job_id in folders and (state not in TERMINAL or (finished or 0.0) >= before):
                del folders[job_id]
    for folder in folders.values():
        with contextlib.suppress(FileNotFoundError):  # another worker sweeps as well
            if folder.stat().st_mtime < before:
                _gone(folder)


def clear_attempts(store: Workspace) -> None:
    """Remove the folders of attempts that are neither a run's own files nor what its next attempt would begin with."""
    before = time.time() - DEAD
    with store.transaction() as session:
        committed = {run_id: files for run_id, files in session.execute(select(Run.id, Run.files))}
    busy = _busy(store)
    for run in (store.home / "runs").iterdir():
        if run.name in busy or run.name not in committed:
            continue
        made, seen = attempts.in_order(run), set()
        for folder in made:  # newest first, of the run's job and of other jobs
            own = attempts.number(folder) > 0
            if own in seen and committed[run.name] != folder.relative_to(run).as_posix():
                with contextlib.suppress(FileNotFoundError):
                    if _changed(folder) < before:
                        _gone(folder)
            seen.add(own)


def clear_pilots(store: Workspace) -> None:
    """Remove what pilot races that never came to their end have trained, where none is under way or waits."""
    before = time.time() - KEPT
    with store.transaction() as session:
        if session.scalar(select(exists().where(Job.kind == "race", Job.state.not_in(TERMINAL)))):
            return
    for folder in (store.home / "cache" / "races").glob("*/"):
        with contextlib.suppress(FileNotFoundError):
            if _changed(folder) < before:
                _gone(folder)


def clear_unfinished(store: Workspace) -> None:
    """Remove what processes that were killed were writing: files and folders on their way to their place."""
    before, busy = time.time() - DEAD, _busy(store)
    for room in WRITTEN_TO:
        for at, folders, names in os.walk(store.home / room):
            place = Path(at)
            if place.parent == store.home / "runs" and place.name in busy:
                folders.clear()
                continue
            found = [name for name in folders if name.startswith(UNFINISHED)]
            folders[:] = [name for name in folders if name not in found]
            for name in (*found, *(name for name in names if atomic_files.is_draft(name))):
                with contextlib.suppress(OSError):
                    if _changed(place / name) < before:
                        _gone(place / name) if name in found else (place / name).unlink()


def _busy(store: Workspace) -> set[str]:
    """The runs that a running job writes to."""
    with store.transaction() as session:
        running = session.scalars(select(Job).where(Job.state == RUNNING))
        return {str(job.input.get("run") or job.id) for job in running}


def _changed(path: Path) -> float:
    """When a file, or a folder or anything in it, was last changed, in seconds since 1970."""
    return max(one.lstat().st_mtime for one in (path, *(path.rglob("*") if path.is_dir() else ())))


def _gone(folder: Path) -> bool:
    """Remove a folder; whether nothing is left of it."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()
