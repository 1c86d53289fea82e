"""Deleting a dataset, with everything that shows or names an example of it.

What goes at once: the owner's row with the name and the rejected rows; checked uploads that hold any of its examples,
and the files that they were read from where they lie in the workspace; datasets that were joined from it; in the
owner's runs made from it the figures, predictions, logs and cached features, and in their reports, bundles and
published models every example that is shown or named. With the last owner go the folder and every entry of the cache.

What stays: scores, curves, weights and bundles of the runs, which say that their data were deleted, and files outside
of the workspace.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from sqlalchemy import delete, or_, select

from tlcore.bundle import redaction as bundle_redaction
from tlcore.core import atomic_files
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.data.confirm import placing
from tlcore.data.dataset import Dataset
from tlcore.report import redaction
from tlcore.store import attempts, cache
from tlcore.store.tables import TERMINAL, Job, Model, Project, Run

if TYPE_CHECKING:
    from tlcore.store import Store

FEATURES = "arms/*/features"  # below the folder of a run: what an arm keeps for itself
UPLOADED = ("check-upload", "take-set")  # kinds of jobs that read an upload


@dataclass(frozen=True)
class DatasetUse:
    """Who uses a dataset: of the owner's own what and how much, of others only whether."""

    projects: int  # whose draft names it
    runs: int  # that were made from it
    unfinished: int  # jobs on it that have not ended
    joined: int  # datasets that were joined from it
    shared: bool  # others hold the same content


def use_of(store: Store, fingerprint: str, owner: str) -> DatasetUse:
    """What deleting would reach."""
    runs = _runs(store, fingerprint, owner)
    return DatasetUse(
        projects=sum(_names(project.draft, fingerprint) for project in store.projects.all(owner)),
        runs=len(runs),
        unfinished=len(_unfinished(store, fingerprint, owner, {run.id for run in runs})),
        joined=len(_joined(store, fingerprint, owner)),
        shared=any(other != owner for other in store.datasets.owners(fingerprint)),
    )


def delete_dataset(store: Store, fingerprint: str, owner: str) -> None:
    """Delete a dataset of ``owner``. Called again after it was cut short, it goes on.

    Raises UnusableInput where the owner does not have it, or while a job of theirs works on it.
    """
    row = store.datasets.get(fingerprint, owner)
    if row is None:
        raise UnusableInput(
            sentence("There is no dataset {fingerprint} in this workspace.", fingerprint=fingerprint), code="dataset"
        )
    runs = _runs(store, fingerprint, owner)
    if _unfinished(store, fingerprint, owner, {run.id for run in runs}):
        raise UnusableInput(
            sentence("A run or a job that has not ended uses these data. Stop it, or wait until it has ended."),
            code="dataset-in-use",
        )
    for joined in _joined(store, fingerprint, owner):
        delete_dataset(store, joined, owner)
    for run in runs:
        _redact_run(store, run)
    gone = _delete_jobs(store, fingerprint, owner, {run.id for run in runs}, _contents(store, fingerprint))
    _forget_in_drafts(store, fingerprint, owner, gone)
    with placing(store):
        shared = any(other != owner for other in store.datasets.owners(fingerprint))
        if shared and row.details is None:
            _scrub(store.datasets.folder(fingerprint))
        if not shared:
            cache.forget(store.home, fingerprint)
            _remove(store.datasets.folder(fingerprint))
        store.datasets.remove(fingerprint, owner)


def _runs(store: Store, fingerprint: str, owner: str) -> list[Run]:
    """The owner's runs that were made from it, as their data or as a further set."""
    with store.transaction() as session:
        runs = session.scalars(select(Run).where(Run.owner == owner)).all()
    return [run for run in runs if run.dataset == fingerprint or _names([run.spec, run.plan], fingerprint)]


def _names(value: Any, fingerprint: str) -> bool:
    return f'"{fingerprint}"' in json.dumps(value)


def _unfinished(store: Store, fingerprint: str, owner: str, runs: set[str]) -> list[str]:
    query = select(Job).where(Job.owner == owner, Job.state.not_in(TERMINAL))
    with store.transaction() as session:
        jobs = session.scalars(query).all()
    return [j.id for j in jobs if j.id in runs or j.input.get("run") in runs or _names(j.input, fingerprint)]


def _joined(store: Store, fingerprint: str, owner: str) -> list[str]:
    """The owner's datasets that were joined from it."""
    rows = [store.datasets.get(row.fingerprint, owner) for row in store.datasets.all(owner)]
    return [row.fingerprint for row in rows if row and fingerprint in (row.details or {}).get("parts", [])]


def _contents(store: Store, fingerprint: str) -> set[str]:
    """The digests of its examples."""
    return _digests(store.datasets.folder(fingerprint) / "rows.parquet")


def _digests(path: Path) -> set[str]:
    try:
        return set(pd.read_parquet(path, columns=["sha256"])["sha256"])
    except (OSError, ValueError, KeyError):
        return set()


def _redact_run(store: Store, run: Run) -> None:
    """Remove the examples from the folder of a run, its report, its bundle and the models that were published of it."""
    home, folder = store.runs.home(run.id), store.runs.folder(run.id)
    for attempt in attempts.in_order(home):
        if attempt != folder:
            _remove(attempt)
    (home / "log.txt").unlink(missing_ok=True)
    for features in [*folder.glob(FEATURES), *folder.glob(f"savings/*/{FEATURES}")]:
        _remove(features)
    _remove(folder / "figures")
    (folder / "predictions.csv").unlink(missing_ok=True)
    values: dict[str, Any] = {"data_deleted": run.data_deleted or time.time()}
    if run.report and run.data_deleted is None:
        values["report"] = redaction.redact(folder, run.report, store.runs.points(run.id), run.plan)
    if run.report:
        report = values.get("report", run.report)
        changed = {path.name: path.read_bytes() for path in folder.glob("report*.html")}
        changed["report.json"] = json.dumps({**report, "bundle": None}, indent=1, ensure_ascii=False).encode()
        with store.transaction() as session:
            models = session.scalars(select(Model.id).where(Model.run_id == run.id)).all()
        for bundle in [folder / "bundle.zip", *map(store.models.bundle, models)]:
            if bundle.is_file():
                bundle_redaction.redact(bundle, changed)
    store.runs.set(run.id, **values)


def _delete_jobs(store: Store, fingerprint: str, owner: str, runs: set[str], contents: set[str]) -> set[str]:
    """Delete the owner's ended jobs that read it or explained one of its examples, with their files; their ids."""
    kinds = or_(Job.kind.in_(UPLOADED), Job.kind == "explain")
    with store.transaction() as session:
        jobs = session.scalars(select(Job).where(Job.owner == owner, Job.state.in_(TERMINAL), kinds)).all()
    gone = set()
    for job in jobs:
        folder = store.home / "staging" / job.id
        if job.kind == "explain":
            concerns = job.input.get("run") in runs
        else:
            read = (job.output or {}).get("fingerprint") == fingerprint
            concerns = read or not contents.isdisjoint(_digests(folder / "rows.parquet"))
        if concerns:
            _remove_upload(store.home, job.input.get("path"))
            _remove(folder)
            gone.add(job.id)
    with store.transaction() as session:
        session.execute(delete(Job).where(Job.id.in_(gone)))
    return gone


def _remove_upload(home: Path, path: str | None) -> None:
    """The file that was uploaded, where it still lies in the workspace; other files on the server are not the
    studio's.
    """
    if not path:
        return
    file = Path(path).resolve()
    for base in ((home / "tmp").resolve(), (home / "staging" / "uploads").resolve()):
        if file != base and file.is_relative_to(base):
            _remove(base / file.relative_to(base).parts[0])


def _forget_in_drafts(store: Store, fingerprint: str, owner: str, jobs: Iterable[str]) -> None:
    """No draft names the data, their corrections or the jobs that read them any more."""
    gone = {fingerprint, *jobs}
    with store.transaction() as session:
        for project in session.scalars(select(Project).where(Project.owner == owner)):
            draft = dict(project.draft)
            data = dict(draft.get("data") or {})
            if fingerprint == data.get("dataset") or draft.get("check") in gone:
                draft.pop("corrections", None)
                data.pop("corrections", None)
            draft["data"] = {key: value for key, value in data.items() if value not in (fingerprint,)} or None
            draft["taking"] = {k: v for k, v in (draft.get("taking") or {}).items() if v not in gone} or None
            if draft.get("check") in gone:
                draft["check"] = None
            kept = {key: value for key, value in draft.items() if value is not None}
            if kept != project.draft:
                project.draft = kept


def _scrub(folder: Path) -> None:
    """Remove the details of its first owner from a shared folder that holds them."""
    path = folder / "dataset.json"
    if path.exists():
        atomic_files.write(path, Dataset(folder).shared.model_dump_json(indent=1))
    (folder / "set_aside.json").unlink(missing_ok=True)


def _remove(path: Path) -> None:
    """Remove a file or folder; where something of it cannot be removed, that is an OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
