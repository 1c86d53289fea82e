"""Scores of multi-label classification."""

from __future__ import annotations

from typing import Any

import numpy as np

from tlcore.evaluation import thresholds
from tlcore.evaluation.records import Records

THRESHOLD = 0.5


def evaluate(outputs: np.ndarray, examples: Any, target: dict[str, Any]) -> Records:
    """Truth and prediction (n, labels) of each text from logits.

    ``unknown`` (n,) counts its labels that no training text has. A group is one resampling unit. A label is predicted
    at or above its threshold in ``target``, or at 0.5 where there are no thresholds.
    """
    from_ = np.array([one["threshold"] for one in target.get("thresholds", ())] or [THRESHOLD])
    columns = {
        "truth": examples.labels,
        "prediction": outputs >= np.log(from_ / (1 - from_)),
        "unknown": examples.unknown,
    }
    return Records(ids=examples.ids, unit=np.asarray(examples.groups), columns=columns)


def aggregate(records: Records, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Macro-F1 (over the labels that occur in the truth), micro-F1 (over all decisions) and exact match (share of texts
    with exactly the right labels), for each row of weights (draws, n).

    A label that no training text has is never predicted: it counts as missed in micro-F1, and its text as wrong.
    """
    truth, predicted = records.columns["truth"], records.columns["prediction"]
    unknown = records.columns["unknown"]
    weights = np.atleast_2d(weights).astype(np.float64)
    hits, marked, there = weights @ (truth & predicted), weights @ predicted, weights @ truth  # (draws, labels)
    known = (there + marked > 0) & truth.any(axis=0)
    each = np.where(known, 2 * hits / np.maximum(there + marked, 1e-12), 0.0)
    every = marked.sum(axis=1) + there.sum(axis=1) + weights @ unknown
    exact = (truth == predicted).all(axis=1) & (unknown == 0)
    return {
        "macro-f1": each.sum(axis=1) / np.maximum(known.sum(axis=1), 1),
        "micro-f1": 2 * hits.sum(axis=1) / np.maximum(every, 1e-12),
        "exact-match": (weights @ exact) / np.maximum(weights.sum(axis=1), 1e-12),
    }


def with_thresholds(outputs: np.ndarray, validation: Any, target: dict[str, Any]) -> dict[str, Any]:
    """The target with a threshold for each label, fitted on a model's logits on validation data.

    Unchanged where there are no validation data.
    """
    if not len(outputs):
        return target
    shares = 1 / (1 + np.exp(-np.clip(outputs.astype(np.float64), -500, 500)))
    return {**target, "thresholds": thresholds.of_labels(shares, validation.labels, target["labels"])}


def by_label(records: Records, target: dict[str, Any]) -> dict[str, Any]:
    """Scores for each label, and the number of texts with a label that no training text has."""
    truth, predicted = records.columns["truth"], records.columns["prediction"]
    rows = counted(target["labels"], (truth & predicted).sum(axis=0), predicted.sum(axis=0), truth.sum(axis=0))
    for row, one in zip(rows, target.get("thresholds", ()), strict=False):
        row["threshold"] = one["threshold"]
    return {
        "per_class": rows,
        "unknown_label": int((records.columns["unknown"] > 0).sum()),
    }


def counted(labels: list[str], hits: np.ndarray, marked: np.ndarray, there: np.ndarray) -> list[dict[str, Any]]:
    """Rows (label, n, precision, recall, f1) from counts (labels,); None where the denominator is 0."""

    def share(part: float, whole: float) -> float | None:
        return float(part / whole) if whole else None

    return [
        {
            "label": label,
            "n": int(n),
            "precision": share(hit, m),
            "recall": share(hit, n),
            "f1": share(2 * hit, m + n) if n else None,
        }
        for label, hit, m, n in zip(labels, hits, marked, there, strict=True)
    ]


def overlap(records: Records) -> np.ndarray:
    """F1 of the predicted label set of each text (n,); 1 where both sets are empty."""
    truth, predicted = records.columns["truth"], records.columns["prediction"]
    there = truth.sum(axis=1) + records.columns["unknown"]
    total = predicted.sum(axis=1) + there
    return np.where(total > 0, 2 * (truth & predicted).sum(axis=1) / np.maximum(total, 1), 1.0)
