"""Explain one answer of a finished run or of a model, as a job of the worker."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tlcore.bundle.open import Bundle
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.data.dataset import Dataset
from tlcore.execution.job_kinds.predict import bundle_path
from tlcore.models.loading import load
from tlcore.models.local_folders import from_folder
from tlcore.models.source_model import SourceModel
from tlcore.tasks.image_classification import gradcam
from tlcore.tasks.shared import word_attributions

MOST = 100_000  # characters of a text

if TYPE_CHECKING:
    from tlcore.store import Store
    from tlcore.store.tables import Job


def explain(store: Store, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
    """Where in a picture, or which words of a text (``text`` in ``job.input``), spoke for an answer."""
    return (_words if "text" in job.input else _picture)(store, job, progress)


def _words(store: Store, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
    """Integrated gradients: the output's ``words`` are [[piece, weight], …] for ``explained``.

    ``job.input``: the bundle as ``run`` or ``model`` (ids) or ``bundle`` (a path), ``text``, and ``label`` if wanted,
    else the predicted one is explained.
    """
    progress(0.1, sentence("Opening the model"))
    bundle = Bundle.open(bundle_path(store, job.input))
    labels = bundle.labels
    model, tokenizer = word_attributions.opened(
        bundle.folder, from_folder(bundle.folder, "bundle", bundle.manifest.name), bundle.manifest.processor
    )
    progress(0.5, sentence("Looking at the words"))
    label = labels.index(job.input["label"]) if job.input.get("label") in labels else None
    return word_attributions.explain(model, tokenizer, str(job.input["text"])[:MOST], labels, label)


def _picture(store: Store, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
    """Grad-CAM of a test picture: writes ``picture.jpg`` and ``gradcam.jpg`` into the job's folder.

    ``job.input``: ``run``, ``id`` (of the picture in the dataset) and, if wanted, ``label`` to explain (else the
    predicted one). Where the network has no map of places, ``gradcam`` is null.
    """
    run = store.runs.get(job.input["run"])
    if run is None or run.report is None or run.dataset is None:
        raise UnusableInput(sentence("This run has no report yet, so there is nothing to explain."), code="run")
    report, folder = run.report, store.runs.folder(run.id)
    dataset = Dataset.open(store, run.dataset, run.owner)
    rows = dataset.rows[dataset.rows["id"] == job.input["id"]]
    if rows.empty:
        raise UnusableInput(
            sentence("There is no picture {id} in this run's data.", id=job.input["id"]), code="picture"
        )
    labels = report["labels"]
    label = labels.index(job.input["label"]) if job.input.get("label") in labels else None
    progress(0.1, sentence("Opening the model"))
    weights = folder / "arms" / "transfer" / f"seed-{report['packed']['seed']}" / "weights"
    model = load(weights, _source(report["source"]), report["processor"]["size"]).eval()
    progress(0.6, sentence("Looking at the picture"))
    temperature = (report.get("calibration") or {}).get("temperature", 1.0)
    picture = dataset.file(rows["file"].iloc[0])
    shown, warm, explained = gradcam.explain(model, picture, report["processor"], labels, label, temperature)
    out = store.jobs.folder(job.id)
    (out / "picture.jpg").write_bytes(gradcam.jpeg(shown))
    if warm is not None:
        (out / "gradcam.jpg").write_bytes(gradcam.jpeg(warm))
    explained |= {
        "picture": "picture.jpg",
        "gradcam": None if warm is None else "gradcam.jpg",
        "id": job.input["id"],
        "truth": rows["label"].iloc[0],
    }
    (out / "explanation.json").write_text(json.dumps(explained, ensure_ascii=False))
    return explained


def _source(report: dict[str, Any]) -> SourceModel:
    """The source as the report names it: the trained weights are opened without it being here any more."""
    return SourceModel(
        id=report["id"],
        title=report["title"],
        hub_id=report["hub_id"],
        revision=report["revision"],
        architecture=report["architecture"],
        parameters=report["parameters"],
        source_task=Sentence.model_validate(report["task"]),
        source_data=Sentence.model_validate(report["data"]),
        licence=report["licence"],
    )
