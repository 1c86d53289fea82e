"""Batching, outputs of a model on a split, and their metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tlcore.evaluation.records import Metric
    from tlcore.tasks.contract import Task


STRETCH = 50  # batches within which examples are sorted by length


class First:
    """The first ``n`` examples of a split; all where ``n`` is None."""

    def __init__(self, examples: Any, n: int | None):
        self._examples, self._n = examples, len(examples) if n is None else min(n, len(examples))

    def __len__(self) -> int:
        return self._n

    def __getattr__(self, name: str) -> Any:
        """Per-example sequences cut to the first ``n``; other attributes unchanged."""
        value = getattr(object.__getattribute__(self, "_examples"), name)
        whole = isinstance(value, np.ndarray | list) and len(value) == len(self._examples)
        return value[: self._n] if whole else value


def evaluation_subset(task: Task, examples: Any, split: str) -> Any:
    """The part of a split that is scored during training; the test split is never reduced."""
    return examples if split == "test" else First(examples, task.evaluation_subset)


def in_batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    """The order cut into batches of ``size``; the last one may be smaller."""
    return [order[i : i + size] for i in range(0, len(order), size)]


def longest_first(examples: Any, order: np.ndarray) -> np.ndarray:
    """The indices of ``order`` sorted longest first where examples have ``lengths``, else unchanged.

    Batches of similar lengths waste little on padding.
    """
    return order[np.argsort(-examples.lengths[order], kind="stable")] if hasattr(examples, "lengths") else order


def length_buckets(examples: Any, order: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Training batches of ``size``, bucketed by length where examples have ``lengths``.

    Each stretch of the order, at most `STRETCH` batches and a quarter of all examples, is sorted by length; then the
    batches are shuffled (as in transformers' ``group_by_length``).
    """
    if not hasattr(examples, "lengths"):
        return in_batches(order, size)
    stretches = in_batches(order, size * min(STRETCH, max(1, len(order) // (4 * size))))
    batches = [batch for stretch in stretches for batch in in_batches(longest_first(examples, stretch), size)]
    return [batches[place] for place in rng.permutation(len(batches))]


def in_place(rows: list[np.ndarray], order: np.ndarray) -> np.ndarray:
    """Batches of rows processed in ``order``, joined and restored to the original order."""
    taken = np.concatenate(rows)
    out = np.empty_like(taken)
    out[order] = taken
    return out


def outputs(task: Task, model: Any, examples: Any, batch_size: int, device: str) -> np.ndarray:
    """The model's outputs on a split, (n, …) as returned by ``task.outputs``, in the split's order."""
    import torch

    model.eval()
    rows, places = [], longest_first(examples, np.arange(len(examples)))
    with torch.inference_mode():
        for batch in examples.batches(in_batches(places, batch_size), None, device):
            rows.append(task.outputs(model, batch, task.loss(model, batch)[1]))
    return in_place(rows, places)


def score(
    task: Task, model: Any, examples: Any, target: dict[str, Any], batch_size: int, device: str
) -> dict[str, float]:
    """The task's metrics and the mean loss on examples."""
    import torch

    model.eval()
    rows, losses, places = [], 0.0, longest_first(examples, np.arange(len(examples)))
    with torch.inference_mode():
        for batch in examples.batches(in_batches(places, batch_size), None, device):
            loss, given = task.loss(model, batch)
            rows.append(task.outputs(model, batch, given))
            losses += float(loss) * len(rows[-1])
    return {**metrics(task, in_place(rows, places), examples, target), "loss": losses / len(examples)}


def metrics(task: Task, out: np.ndarray, examples: Any, target: dict[str, Any]) -> dict[str, float]:
    """The task's metrics from outputs on a split, with weight 1 for each example."""
    records = task.evaluate(out, examples, target)
    return {k: float(v[0]) for k, v in task.aggregate(records, np.ones((1, len(records))), target).items()}


def order(metric: Metric, seen: Mapping[str, float]) -> tuple[float, float]:
    """Sort key of model states, higher is better: the headline metric, then minus the loss."""
    return seen[metric.id] * (1 if metric.higher_is_better else -1), -seen["loss"]
