"""Measures Evidence: by counting, or by one feature pass of the frozen network. Importing it loads no torch."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore import strategies, tasks
from tlcore.core.i18n import Sentence, sentence
from tlcore.data.dataset import Dataset
from tlcore.guidance import data_size as sizes
from tlcore.guidance import evidence_cache
from tlcore.guidance.advice_rule import BASE
from tlcore.guidance.evidence import VERSION, Evidence
from tlcore.guidance.similarity import Part, mean_of
from tlcore.strategies.contract import unsuited
from tlcore.training.features import cache_key

if TYPE_CHECKING:
    from tlcore.models.loading import OpenSource
    from tlcore.models.source_model import SourceModel
    from tlcore.tasks.contract import Task

LARGE = 300_000_000  # parameters above which LoRA is advised instead of training all layers
MOST = 4000  # examples used by the estimators, drawn at random if there are more
LORA = "lora"
SPLITS = ("train", "validation")  # never the test set
Progress = Callable[..., None]


def measure(dataset: Dataset) -> Evidence:
    """Evidence from counts of the training examples. Uses no test data and opens no network."""
    task, train = tasks.find(dataset.info.task), dataset.split("train")
    counts = train["label"].value_counts().sort_index() if task.labelled else {}
    per_class = {str(label): int(n) for label, n in counts.items()}
    n = len(train)
    fewest, most = min(per_class.values(), default=n), max(per_class.values(), default=n)
    return Evidence(
        modality=task.modality,
        n_train=n,
        strategies=advised_strategies(task),
        n_per_class=per_class,
        fewest=fewest,
        imbalance=round(most / fewest, 2),
        set_aside=dataset.info.set_aside,
    )


def with_own_counts(evidence: Evidence, dataset: Dataset) -> Evidence:
    """The Evidence with the counts of this owner's upload.

    Another person with the same content may have measured it after a check that rejected other rows.
    """
    info, size = dataset.info, evidence.size
    if size is not None:
        own = sizes.facts(dataset, size.per_class, size.imbalance)
        size = own.model_copy(update={"label_noise": size.label_noise, "learning_curve": size.learning_curve})
    return evidence.model_copy(update={"set_aside": info.set_aside, "size": size})


def about(evidence: Evidence, task: Task, source: SourceModel) -> Evidence:
    """The Evidence with facts known without opening the source: its parameters and the strategies considered."""
    return evidence.model_copy(update={"parameters": source.parameters, "strategies": advised_strategies(task, source)})


def advised_strategies(task: Task, source: SourceModel | None = None) -> list[str]:
    """The ids of the strategies considered: those of a pilot, scratch, and LoRA for a large language model.

    LoRA then replaces every strategy trained by gradient descent, including a head on the frozen network.
    """
    found = [one.id for one in strategies.serving(task) if one.in_pilot or not one.pretrained]
    if source is None:
        return found
    lora = strategies.find(LORA)
    large = (source.parameters or 0) > LARGE and source.modality not in ("", "image") and not unsuited(lora, source)
    if source.modality in task.native_families or (
        large and not task.has_convex_head
    ):  # no new head, or no convex head
        found = [name for name in found if name != BASE]
    return [*found, LORA] if large else found


def evidence_key(dataset: Dataset, source: OpenSource, processor: dict[str, Any]) -> str:
    """Cache key: dataset × source (id and content) × preprocessing × versions of software and measurements.

    It begins with the dataset's fingerprint.
    """
    key_parts = [cache_key(dataset.fingerprint, source.content_digest, processor), source.source.id, VERSION]
    return f"{dataset.cached_as}-{hashlib.sha256(json.dumps(key_parts).encode()).hexdigest()[:24]}"


def measure_with(
    dataset: Dataset,
    task: Task,
    source: OpenSource,
    processor: dict[str, Any],
    cache: Path,
    progress: Progress = lambda share, message=None, **more: None,
    *,
    thorough: bool = True,
) -> Evidence:
    """Everything measured before training, by one pass of the frozen network over training and validation data.

    ``cache`` is the workspace's cache folder. Features and the Evidence are stored there and reused by runs, pages and
    later calls. Without ``thorough`` the learning curve, doubtful labels and NLEEP are skipped, as in a ranking of many
    sources. Raises the errors of opening and building the source.
    """
    key = evidence_key(dataset, source, processor)
    known = evidence_cache.load(cache, key)
    if known is not None and (known.thorough or not thorough):
        evidence_cache.point(cache, dataset.fingerprint, source.source.id, key)
        return with_own_counts(known, dataset)

    if not task.has_convex_head:
        started = time.perf_counter()
        similarity_found = mean_of(_read(source, dataset))
        evidence = measure(dataset).model_copy(
            update={
                "similarity": similarity_found.value,
                "similarity_interval": similarity_found.interval,
                "similarity_parts": similarity_found.parts,
            }
        )
        return _kept(evidence, source, task, dataset, cache, key, started, True)
    from sklearn import linear_model, mixture  # noqa: F401  (ahead: the limit below reaches only what is loaded)
    from threadpoolctl import threadpool_limits

    from tlcore.guidance import feature_pass

    started = time.perf_counter()
    seen = feature_pass.run_feature_pass(dataset, task, source, processor, cache, progress)
    progress(0.8, sentence("Estimating how well the features tell the classes apart"))
    with threadpool_limits(1):  # on a busy machine, thread synchronisation costs more than several threads gain
        evidence = _estimated(measure(dataset), dataset, task, seen, _read(source, dataset), thorough, progress)
    progress(1.0, sentence("Measured"))
    return _kept(evidence, source, task, dataset, cache, key, started, thorough)


def _kept(
    evidence: Evidence,
    source: OpenSource,
    task: Task,
    dataset: Dataset,
    cache: Path,
    key: str,
    started: float,
    thorough: bool,
) -> Evidence:
    """Complete the Evidence with its source, relevance and duration, and store it in the cache and its index."""
    evidence.source = {"id": source.source.id, "title": source.source.title}
    evidence.relevance = relevance(source.source, task, dataset)
    evidence.thorough = thorough
    evidence.seconds = round(time.perf_counter() - started, 3)
    evidence_cache.save(cache, key, evidence)
    evidence_cache.point(cache, dataset.fingerprint, source.source.id, key)
    return evidence


def relevance(source: Any, task: Task, dataset: Dataset) -> Sentence:
    """A sentence comparing the source's task and data with the target's."""
    labels = dataset.info.labels
    if not task.labelled:
        return sentence(
            "What the source model learned: {source_task}; from: {source_data}. What it is to learn here: {task}.",
            source_task=source.source_task,
            source_data=source.source_data,
            task=task.title,
        )
    return sentence(
        "What the source model learned: {source_task}; from: {source_data}. What it is to learn here: "
        "{task}, {classes} classes ({labels}).",
        source_task=source.source_task,
        source_data=source.source_data,
        task=task.title,
        classes=len(labels),
        labels=[*labels[:6], "…"] if len(labels) > 6 else labels,
    )


def _read(source: OpenSource, dataset: Dataset) -> list[Part]:
    """Similarity parts from the source's tokenizer and language model; empty if there are no texts."""
    from tlcore.guidance import text_similarity

    train = dataset.split("train")
    return text_similarity.parts(source, train["text"].tolist()) if "text" in train else []


def _estimated(
    evidence: Evidence, dataset: Dataset, task: Task, seen: Any, read: list[Part], thorough: bool, progress: Progress
) -> Evidence:
    from tlcore.guidance import linear_probe, transferability
    from tlcore.guidance.similarity import similarity, softmax

    features = seen.features["train"]
    similarity_found = mean_of(
        [*similarity(seen.moments, features, seen.logits(features), seen.out_of_distribution).parts, *read]
    )
    evidence.similarity, evidence.similarity_interval, evidence.similarity_parts = (
        similarity_found.value,
        similarity_found.interval,
        similarity_found.parts,
    )
    evidence.size = sizes.facts(dataset, evidence.n_per_class, evidence.imbalance)
    rows = _rows(dataset, task, seen)
    if rows is None:
        return evidence
    features, labels, ids, units, files, names = rows
    fold = linear_probe.folds(labels, units)
    x, classes, wide = linear_probe.coordinates(features), len(names), features.shape[1]
    predicted = linear_probe.cross_validate(x, labels, fold, classes, wide)
    logits = seen.logits(features)
    evidence.transferability = transferability.estimate(
        features, labels, units, None if logits is None else softmax(logits), predicted, fold, mixture=thorough
    )
    if not thorough:
        return evidence
    progress(0.9, sentence("Looking for doubtful labels, and drawing the learning curve"))
    evidence.size.label_noise = sizes.label_noise(predicted, labels, names, ids, files, units)
    evidence.size.learning_curve = sizes.learning_curve(
        x, labels, units, fold, predicted.argmax(axis=1) == labels, classes, wide, evidence.n_train
    )
    return evidence


def _rows(dataset: Dataset, task: Task, seen: Any) -> tuple[Any, ...] | None:
    """Features, classes, ids, units and files of the examples used by the estimators, and the class names.

    None if the task has no classes, or if there are fewer than 10 examples or 2 classes.
    """
    from tlcore.data.splits import units as units_of

    by_split = [task.classes(seen.examples[split]) for split in SPLITS]
    if any(part is None for part in by_split):
        return None
    features = np.concatenate([seen.features[split] for split in SPLITS])
    labels = np.concatenate(by_split)
    ids = np.array([name for split in SPLITS for name in seen.examples[split].ids], dtype=object)
    keep = np.flatnonzero(labels >= 0)
    if len(keep) > MOST:
        keep = np.sort(np.random.default_rng(0).permutation(keep)[:MOST])
    if len(keep) < 10 or len(np.unique(labels[keep])) < 2:
        return None
    rows = dataset.rows
    unit_of = dict(zip(rows["id"], units_of(rows), strict=True))
    file_of = dict(zip(rows["id"], rows["file"] if "file" in rows else [""] * len(rows), strict=True))
    ids = ids[keep]
    return (
        features[keep],
        labels[keep],
        ids,
        np.array([unit_of[i] for i in ids]),
        [file_of[i] for i in ids],
        seen.target["labels"],
    )
