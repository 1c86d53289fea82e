"""Batch prediction as a job of the worker."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.bundle.open import Bundle, Row, set_aside_csv
from tlcore.core import atomic_files
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.report.predictions import share
from tlcore.runtime.predict_images import cell

if TYPE_CHECKING:
    from tlcore.store import Store
    from tlcore.store.tables import Job


def predict(store: Store, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
    """Predict pictures or texts into ``predictions.csv`` and ``set_aside.csv`` in the job's folder.

    ``job.input``: ``path`` (what to predict; relative ones count from the job's folder), and the bundle as ``run`` or
    ``model`` (ids) or ``bundle`` (a path). The output names both files, how many rows each has, and counts by label.
    """
    folder = store.jobs.folder(job.id)
    bundle = Bundle.open(bundle_path(store, job.input))
    path = folder / job.input["path"]
    # What was uploaded lies in a folder of the studio's; the person knows the file's own name.
    named = ((path.name if one[0] == str(path) else one[0], *one[1:]) for one in bundle.found_in([path]))
    inputs = list(named) if path.is_dir() else named
    return {
        "file": "predictions.csv",
        "set_aside_file": "set_aside.csv",
        **write(bundle, inputs, folder / "predictions.csv", folder / "set_aside.csv", progress),
    }


def ask(store: Store, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
    """Predict a few inputs that were typed on a page, in the order in which they were given.

    ``job.input``: the bundle as for `predict`, ``inputs``, and ``settings`` (knobs of the bundle's kind). The output's
    ``rows`` have prediction, confidence and, where one was set aside, reason.
    """
    progress(None, sentence("Opening the model"))
    bundle = Bundle.open(bundle_path(store, job.input))
    bundle.choose(job.input.get("settings") or {})
    return {
        "rows": [
            {
                "prediction": row.prediction,
                "confidence": row.confidence,
                "reason": row.reason.model_dump() if row.reason else None,
            }
            for row in bundle.predict(job.input["inputs"])
        ]
    }


def bundle_path(store: Store, asked: dict[str, Any]) -> Path:
    """The bundle of a run, of a model of the library, or at a path. Raises UnusableInput where there is none."""
    if run := asked.get("run"):
        path = store.runs.folder(str(run)) / "bundle.zip"
    elif model := asked.get("model"):
        path = store.models.bundle(str(model))
    else:
        path = Path(str(asked["bundle"]))
    if not path.exists():
        raise UnusableInput(sentence("The model to predict with is not there any more."), code="bundle")
    return path


def write(
    bundle: Bundle, inputs: Any, output: Path, set_aside: Path, progress: Callable[..., None] | None = None
) -> dict[str, Any]:
    """Predict ``inputs`` (as ``found_in`` gives them) into two CSV files, in bounded memory. Returns the counts."""
    total = len(inputs) if isinstance(inputs, list) else None
    counts: dict[str, int] = {}
    rejected: list[Row] = []
    done = 0
    with atomic_files.atomic_path(output) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["input", "prediction", "confidence", *map(cell, bundle.labels)])
        for row in bundle.stream(inputs):
            done += 1
            if row.prediction is None:
                rejected.append(row)
            else:
                if bundle.labels:
                    counts[row.prediction] = counts.get(row.prediction, 0) + 1
                sure = "" if row.confidence is None else share(row.confidence)
                writer.writerow([cell(row.input), cell(row.prediction), sure, *map(share, row.probability)])
            if progress and done % 16 == 0:
                progress(done / total if total else None, bundle.kind.done(done))
    atomic_files.write(set_aside, set_aside_csv(rejected))
    return {"n": done - len(rejected), "set_aside": len(rejected), "counts": counts}
