"""Domain shift between labelled training examples and an unlabelled dataset, in a source's frozen features.

The newest result is cached as ``cache/evidence/shift/<data, set, source>.json``; a page reads it without torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, Field

from tlcore import modalities, strategies
from tlcore.core import atomic_files, machine
from tlcore.core.i18n import Sentence, sentence
from tlcore.guidance import feature_pass
from tlcore.guidance.linear_probe import wilson
from tlcore.store.store import LOCAL_OWNER
from tlcore.training import features
from tlcore.training.hooks import dan, domain_batches

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.models.loading import OpenSource
    from tlcore.store import Store
    from tlcore.tasks.contract import Task

VERSION = 1
MOST = 500  # examples of each dataset that are compared, drawn at random
FEWEST = 10  # examples of each dataset below which nothing is measured
SHUFFLES = 200  # permutations for the null distribution of MMD
SMALL = 0.5  # proxy-A-distance up to which both count as one domain: classifier accuracy below 63 %
ADAPT, PRETRAIN = "domain-adaptation", "pre-training-then-fine-tuning"


class Compared(BaseModel):
    """Distance between two domains; intervals are 95 %."""

    n: int  # examples of each that were compared
    right: float  # accuracy of a linear domain classifier, 0-1
    right_interval: list[float]
    proxy_a: float  # 0-2
    interval: list[float]
    mmd: float  # squared MMD, unbiased estimate
    mmd_chance: float  # 95 % quantile of squared MMD under permutation of the domain labels


class Shift(BaseModel):
    """The domain shift of an unlabelled dataset; ``why`` is the reason if nothing was measured."""

    name: str  # of the unlabelled dataset
    size: int  # number of examples, those that are also in the labelled dataset excluded
    strategies: list[str] = Field(default_factory=list)  # those of ADAPT and PRETRAIN that the task supports
    compared: Compared | None = None
    why: Sentence | None = None

    @property
    def measurable(self) -> bool:
        """Whether the domain classifier is better than chance."""
        return self.compared is not None and self.compared.interval[0] > 0

    @property
    def offers(self) -> list[str]:
        """Strategies the unlabelled dataset is useful for.

        Domain adaptation if there is a measurable shift; pre-training if both datasets are of the same kind.
        """
        if self.compared is None:
            return []
        same_kind = not self.measurable or self.compared.proxy_a < SMALL
        return [name for name in [ADAPT] * self.measurable + [PRETRAIN] * same_kind if name in self.strategies]


def measure(
    dataset: Dataset,
    other: Dataset,
    task: Task,
    source: OpenSource,
    processor: dict[str, Any],
    cache: Path,
    progress: Callable[..., None] = lambda share, message=None, **more: None,
) -> Shift:
    """Compare the training examples of ``dataset`` with ``other``, from the cache or by one feature pass.

    Labels of ``other`` are not used. Its examples that are also in ``dataset``, above all test examples, are excluded
    (contamination check).
    """
    key_parts = {**processor, "other": other.fingerprint, "version": VERSION}
    key = features.cache_key(dataset.fingerprint, source.content_digest, key_parts)
    path = _path(cache, dataset.fingerprint, other.fingerprint, source.source.id)
    known = _read(path)
    if known.get("key") == key:
        return Shift.model_validate(known["shift"]).model_copy(update={"name": other.info.name})
    rows = other.split("train")
    rows = rows[~modalities.of(task).contaminated(rows, dataset.rows)]
    found = Shift(
        name=other.info.name,
        size=len(rows),
        strategies=[one for one in (ADAPT, PRETRAIN) if strategies.find(one).refuse(task, None) is None],
    )
    train = dataset.split("train")
    if not task.has_convex_head:
        found.why = sentence("for this task no features of the source model are kept.")
    elif min(len(rows), len(train)) < FEWEST:
        found.why = sentence(
            "there are {n} examples that are not among yours, and {train} of yours to train on; "
            "{fewest} of each are needed.",
            n=len(rows),
            train=len(train),
            fewest=FEWEST,
        )
    else:
        few = other.with_train(rows["id"].sample(min(MOST, len(rows)), random_state=0))
        found.compared = compare(*_features(dataset, few, task, source, processor, cache, progress))
    # other owners may have the same dataset under another name
    shared = found.model_copy(update={"name": other.fingerprint})
    atomic_files.write(path, json.dumps({"key": key, "shift": shared.model_dump(mode="json")}))
    return found


def kept(store: Store, fingerprint: str, other: str, source_id: str, owner: str | None = None) -> Shift | None:
    """The newest measurement of a dataset, an unlabelled dataset and a source; None if there is none. No torch.

    The name is the one that ``owner`` gave the unlabelled dataset.
    """
    stored = _read(_path(store.home / "cache", fingerprint, other, source_id)).get("shift")
    row = store.datasets.get(other, owner or LOCAL_OWNER)
    return Shift.model_validate({**stored, "name": row.name if row else other}) if stored else None


def in_words(shift: Shift) -> list[Sentence]:
    """Sentences about the measured shift and what the unlabelled dataset can be used for."""
    compared, name = shift.compared, shift.name
    if compared is None:
        return [sentence("“{name}” was not compared with your labelled examples: {why}", name=name, why=shift.why)]
    low, high = compared.right_interval
    found = [
        sentence(
            "A linear head on the frozen features tells “{name}” from your labelled examples in {right} % of cases "
            "({low} to {high}; 50 is chance): proxy-A-distance {distance} of 2 ({least} to {most}); MMD² {mmd}, where "
            "chance alone seldom gives more than {chance}. {n} examples of each were compared.",
            name=name,
            n=compared.n,
            right=round(100 * compared.right, 1),
            low=round(100 * low, 1),
            high=round(100 * high, 1),
            distance=round(compared.proxy_a, 2),
            least=round(compared.interval[0], 2),
            most=round(compared.interval[1], 2),
            mmd=round(compared.mmd, 3),
            chance=round(compared.mmd_chance, 3),
        )
    ]
    if ADAPT not in shift.strategies:
        found.append(sentence("Domain adaptation is there for tasks with one class an example."))
    elif shift.measurable:
        found.append(
            sentence(
                "That is a shift: an accuracy on examples like your labelled ones says little of “{name}”. If the "
                "model is to work there, domain adaptation learns from both; what it gains is not known beforehand. "
                "Labels for some of these examples, kept for testing, would tell.",
                name=name,
            )
        )
    else:
        found.append(sentence("No shift can be seen, so that domain adaptation has nothing to bring together."))
    if PRETRAIN in shift.offers:
        found.append(
            sentence(
                "“{name}” holds {size} examples of the same kind as yours: pre-training, then fine-tuning, learns from "
                "them before it sees your labels. It takes the most time.",
                name=name,
                size=shift.size,
            )
        )
    return found


def _features(
    dataset: Dataset,
    other: Dataset,
    task: Task,
    source: OpenSource,
    processor: dict[str, Any],
    cache: Path,
    progress: Callable[..., None],
) -> list[np.ndarray]:
    """Features (n, d) of the training examples and of the other dataset; the former are cached if measured before."""
    target = task.fit_target(dataset)
    model, _ = task.source_model(source, target, size=processor["size"])
    model.eval().to(machine.detect().device)
    found = []
    for one in (dataset, other):
        examples = task.examples(one, processor, target, cache / "pictures", source)
        key = features.cache_key(one.fingerprint, source.content_digest, processor, one.cached_as)
        found.append(
            feature_pass.passed(task, model, source, {"train": examples["train"]}, cache, key, progress)["train"]
        )
    return found


def compare(ours: np.ndarray, theirs: np.ndarray) -> Compared:
    """Proxy-A-distance and MMD of an equal number of features (n, d) of each, drawn at random."""
    n = min(MOST, len(ours), len(theirs))
    a, b = (rows[np.random.default_rng(seed).permutation(len(rows))[:n]] for seed, rows in enumerate((ours, theirs)))
    right, accuracy = domain_batches.domain_accuracy(a, b)
    interval = wilson(right, accuracy)
    mmd, chance = discrepancy(a, b)
    return Compared(
        n=n,
        right=right,
        right_interval=interval,
        proxy_a=domain_batches.distance(right),
        interval=[domain_batches.distance(end) for end in interval],
        mmd=mmd,
        mmd_chance=chance,
    )


def discrepancy(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """The unbiased estimate of MMD² (Gretton et al. 2012, equation 3) and its 95 % quantile under permutation.

    Kernels are those of `hooks.dan`; the permutation is of the domain labels.
    """
    import torch

    rows, n = np.concatenate([ours, theirs]).astype(np.float64), len(ours)
    square = (rows**2).sum(axis=1)
    squared_distances = np.maximum(square[:, None] + square - 2 * rows @ rows.T, 0.0)
    kernel = dan.kernel(torch.from_numpy(squared_distances)).numpy()
    np.fill_diagonal(kernel, 0.0)
    rng, total = np.random.default_rng(0), len(rows)
    first = np.zeros((total, 1 + SHUFFLES))  # 1: assigned to the first dataset
    first[:n, 0] = 1
    for column in range(1, 1 + SHUFFLES):
        first[rng.permutation(total)[:n], column] = 1
    m, second = total - n, 1 - first
    within, across = kernel @ first, kernel @ second
    each = (
        (first * within).sum(axis=0) / (n * (n - 1))
        + (second * across).sum(axis=0) / (m * (m - 1))
        - 2 * (first * across).sum(axis=0) / (n * m)
    )
    return float(each[0]), float(np.quantile(each[1:], 0.95))


def _path(cache: Path, fingerprint: str, other: str, source_id: str) -> Path:
    source = hashlib.sha256(source_id.encode()).hexdigest()[:24]
    return cache / "evidence" / "shift" / f"{fingerprint}-{other}-{source}.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
