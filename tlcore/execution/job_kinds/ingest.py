"""The jobs that read what a person uploads, beside the web process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore import tasks
from tlcore.core.i18n import sentence
from tlcore.data import auxiliary, samples
from tlcore.data.staging import stage

if TYPE_CHECKING:
    from tlcore.store.store import Store
    from tlcore.store.tables import Job


def take_set(store: Store, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
    """Read a further set (``job.input``: "set", "path", "task", "columns") and keep it as a dataset. Returns its
    fingerprint and name, how many examples it has and how many were set aside. Raises UnusableInput, and Cancelled
    through ``progress``.
    """
    asked = job.input
    dataset = auxiliary.read_set(
        asked["set"],
        asked["path"],
        task=tasks.find(asked["task"]),
        store=store,
        owner=job.owner,
        columns=asked.get("columns"),
        progress=progress,
        resolved=True,
    )
    info = dataset.info
    return {"fingerprint": info.fingerprint, "name": info.name, "n": sum(info.n.values()), "set_aside": info.set_aside}


def check_upload(store: Store, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
    """Stage what ``job.input`` names ({"path"} or {"sample"}, with "task", "columns", "group", "name") into
    the job's folder.

    Returns counts for the page; everything else is read by `Staged.open`. A second attempt begins anew.
    Raises UnusableInput, and Cancelled through ``progress``.
    """
    asked, folder, known_as = job.input, store.jobs.folder(job.id), None
    if sample := asked.get("sample"):
        found = samples.find(sample)
        progress(0.0, sentence("Preparing the sample {name}", name=found.title))
        source: Any = found.write(folder / "upload")
        name = asked.get("name") or str(found.title)
    else:  # the page has resolved the path, and seen that this person may name it
        source, name = asked["path"], asked.get("name")
        if Path(source).is_relative_to(store.home):  # the studio put it there, under a name of its own
            known_as = name
    staged = stage(
        source,
        task=tasks.find(asked["task"]),
        folder=folder,
        columns=asked.get("columns"),
        group=asked.get("group"),
        name=name,
        known_as=known_as,
        progress=progress,
        resolved=not sample,
    )
    return {
        "n": len(staged.rows),
        "usable": staged.usable,
        "classes": len(staged.labels),
        "set_aside": staged.info.set_aside,
        "errors": sum(f.level == "error" for f in staged.findings),
        "warnings": sum(f.level == "warning" for f in staged.findings),
        "name": staged.info.name,
    }
