"""What a model gives on the examples of a split, and what it is worth: batches, outputs, metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tlcore.evaluation.records import Metric
    from tlcore.tasks.contract import Task


STRETCH = 50  # batches among which examples change places


class First:
    """The first ``n`` examples of a split; all where ``n`` is None."""

    def __init__(self, examples: Any, n: int | None):
        self._examples, self._n = examples, len(examples) if n is None else min(n, len(examples))

    def __len__(self) -> int:
        return self._n

    def __getattr__(self, name: str) -> Any:
        """What holds of each example, cut; the rest as it is."""
        value = getattr(object.__getattribute__(self, "_examples"), name)
        whole = isinstance(value, np.ndarray | list) and len(value) == len(self._examples)
        return value[: self._n] if whole else value


def evaluation_subset(task: Task, examples: Any, split: str) -> Any:
    """As much of a split as the task scores while it trains; all of the test set."""
    return examples if split == "test" else First(examples, task.evaluation_subset)


def in_batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    """The order cut into pieces of ``size``; the last one may be smaller."""
    return [order[i : i + size] for i in range(0, len(order), size)]


def longest_first(examples: Any, order: np.ndarray) -> np.ndarray:
    """The same places in the order in which looking at them is fastest: where examples have ``lengths``, the longest
    first, so that batches of like lengths waste nothing on padding.
    """
    return order[np.argsort(-examples.lengths[order], kind="stable")] if hasattr(examples, "lengths") else order


def length_buckets(examples: Any, order: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """The order in batches of ``size`` to train on. Where examples have ``lengths``, those within a stretch of it, at
    most `STRETCH` batches and a quarter of all, are put beside others of their length, and the batches are shuffled (as
    transformers' ``group_by_length`` does it).
    """
    if not hasattr(examples, "lengths"):
        return in_batches(order, size)
    stretches = in_batches(order, size * min(STRETCH, max(1, len(order) // (4 * size))))
    batches = [batch for stretch in stretches for batch in in_batches(longest_first(examples, stretch), size)]
    return [batches[place] for place in rng.permutation(len(batches))]


def in_place(rows: list[np.ndarray], order: np.ndarray) -> np.ndarray:
    """Batches of rows that were taken in ``order``, each row at its own place again."""
    taken = np.concatenate(rows)
    out = np.empty_like(taken)
    out[order] = taken
    return out


def outputs(task: Task, model: Any, examples: Any, batch_size: int, device: str) -> np.ndarray:
    """The model's outputs on a split, (n, …) as the task keeps them, in the split's order."""
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
    """The task's metrics of outputs on a split, each example counted once."""
    records = task.evaluate(out, examples, target)
    return {k: float(v[0]) for k, v in task.aggregate(records, np.ones((1, len(records))), target).items()}


def order(metric: Metric, seen: Mapping[str, float]) -> tuple[float, float]:
    """By what states are compared, higher is better: the headline metric, then minus the loss."""
    return seen[metric.id] * (1 if metric.higher_is_better else -1), -seen["loss"]
