"""What nobody needs any more: the runs and jobs of deleted projects, and what ended jobs left in ``staging/``.

A deleted project sweeps at once; a worker sweeps every hour, for what was still running then. Datasets stay, since
those who confirmed them have them listed; so do models in the library, which have files of their own.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, select

from tlcore.store.tables import TERMINAL, Job, Point, Project, Run

if TYPE_CHECKING:
    from pathlib import Path

    from tlcore.store.workspace import Workspace

KEPT = 14 * 24 * 3600  # seconds that the files of an ended job stay: a checked upload waits so long to be confirmed
ARRIVING = "uploads"  # in staging/, kept by `incoming`


def sweep(store: Workspace) -> None:
    """Remove all of it; done by several at once, it is done once."""
    remove_orphans(store)
    clear_staging(store)


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


def _gone(folder: Path) -> bool:
    """Remove a folder; whether nothing is left of it."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()
