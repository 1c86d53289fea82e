"""Measuring and ranking as jobs of the worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tlcore import models, tasks
from tlcore.core import machine
from tlcore.core.i18n import sentence
from tlcore.core.spec_parts import Options
from tlcore.data.dataset import Dataset
from tlcore.guidance import domain_shift, ranking
from tlcore.guidance.measurement import measure_with

if TYPE_CHECKING:
    from tlcore.store import Store
    from tlcore.store.tables import Job


def measure(store: Store, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
    """Measure a dataset with one source. ``job.input``: ``task``, ``dataset`` (fingerprint), ``source`` and, if wanted,
    ``options`` of the Spec and ``unlabelled`` (fingerprint), a set that the data are compared with. The Evidence is
    found by `guidance.kept`, the shift by `shift.kept`.
    """
    asked = job.input
    task, dataset = tasks.find(asked["task"]), Dataset.open(store, asked["dataset"], job.owner)
    progress(0.0, sentence("Opening the source model"))
    source = models.open_source(
        asked["source"], store, progress=lambda _share, message, **more: progress(None, message)
    )
    processor = task.processor(source.preprocess, _options(asked), dataset, machine.detect().device)
    evidence = measure_with(dataset, task, source, processor, store.home / "cache", progress)
    if asked.get("unlabelled"):
        other = Dataset.open(store, asked["unlabelled"], job.owner)
        domain_shift.measure(dataset, other, task, source, processor, store.home / "cache", progress)
    return {"dataset": dataset.fingerprint, "source": asked["source"], "seconds": evidence.seconds}


def rank(store: Store, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
    """Rank the reachable sources. ``job.input``: ``task``, ``dataset``, ``source`` (ranked too, wherever it lies), and
    ``download`` (also those that the hub would give). The rows are found by `guidance.kept_ranking`.
    """
    asked = job.input
    task, dataset = tasks.find(asked["task"]), Dataset.open(store, asked["dataset"], job.owner)
    refs = [one.id for one in ranking.reachable(task, store, job.owner, download=bool(asked.get("download")))]
    if (own := asked.get("source")) and own not in refs:
        refs.insert(0, own)
    rows = ranking.rank(dataset, task, refs, store, _options(asked), progress)
    return {
        "dataset": dataset.fingerprint,
        "ranked": sum(row["problem"] is None for row in rows),
        "failed": sum(row["problem"] is not None for row in rows),
    }


def _options(asked: dict[str, Any]) -> Options:
    return Options.model_validate(asked.get("options") or {})
