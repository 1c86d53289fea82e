"""Decision thresholds: precision and recall by threshold, and the threshold for a goal.

Thresholds are chosen on validation data; the test set only shows the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

Goal = Literal["f1", "recall", "cost"]
MOST = 100  # most thresholds of a curve
FEWEST = 20  # fewest validation examples with a label, and without it, to choose its threshold


def thresholds(probability: np.ndarray, most: int = MOST) -> np.ndarray:
    """Candidate thresholds from validation probabilities (n,) of the positive class: at most ``most``, and 0.5."""
    known = np.unique(probability)
    between = (known[1:] + known[:-1]) / 2
    if len(between) > most:
        between = np.quantile(between, np.linspace(0, 1, most))
    return np.unique(np.concatenate([between, [0.5]]))


def curve(probability: np.ndarray, truth: np.ndarray, at: np.ndarray) -> list[dict[str, Any]]:
    """At each threshold the counts tp, fp, fn, tn, and precision, recall, F1 (None where undefined).

    ``probability`` (n,) is of the positive class, ``truth`` (n,) whether an example is positive. Positive is predicted
    at or above the threshold.
    """
    truth = truth.astype(bool)
    out = []
    for threshold in at:
        predicted = probability >= threshold
        tp, fp = int((predicted & truth).sum()), int((predicted & ~truth).sum())
        fn, tn = int((~predicted & truth).sum()), int((~predicted & ~truth).sum())
        out.append(
            {
                "threshold": float(threshold),
                "tp": tp,
                "fp": fp,
                "fn": fn,
                "tn": tn,
                "precision": tp / (tp + fp) if tp + fp else None,
                "recall": tp / (tp + fn) if tp + fn else None,
                "f1": 2 * tp / (2 * tp + fp + fn) if 2 * tp + fp + fn else None,
            }
        )
    return out


def choose(points: Sequence[dict[str, Any]], goal: Goal, value: float = 0.9) -> dict[str, Any] | None:
    """The point of a validation curve for a goal; ties go to the threshold closest to 0.5.

    ``f1``: the best F1. ``recall``: the best precision with a recall of at least ``value``. ``cost``: the lowest cost,
    where a false negative costs as much as ``value`` false positives. None where no point reaches the goal.
    """
    if goal == "recall":
        fit = [p for p in points if p["recall"] is not None and p["recall"] >= value and p["precision"] is not None]
        return max(fit, key=lambda p: (p["precision"], p["recall"], _near(p)), default=None)
    if goal == "cost":
        return min(points, key=lambda p: (p["fp"] + value * p["fn"], -_near(p)), default=None)
    known = [p for p in points if p["f1"] is not None]
    return max(known, key=lambda p: (p["f1"], _near(p)), default=None)


def of_labels(probability: np.ndarray, truth: np.ndarray, labels: Sequence[str]) -> list[dict[str, Any]]:
    """The threshold of each label of a multi-label task, from validation data.

    Rows {label, threshold, own, n, f1, f1_half}. ``probability`` and ``truth`` are (n, labels). A label that at least
    `FEWEST` examples have and as many lack gets its own threshold (``own``), by its F1. All others share one, by
    micro-F1, if together they have as many of both; else theirs is 0.5. A threshold chosen on a few examples overfits
    (Yang 2001, "A study of thresholding strategies for text categorization"). ``n`` is the number of examples with the
    label, ``f1`` the F1 at the threshold, ``f1_half`` the F1 at 0.5.
    """
    there, total = truth.sum(axis=0), len(truth)
    own = (there >= FEWEST) & (total - there >= FEWEST)
    shared = _best(probability[:, ~own].ravel(), truth[:, ~own].ravel())
    rows = []
    for place, label in enumerate(labels):
        shares, known = probability[:, place], truth[:, place]
        threshold = _best(shares, known) if own[place] else shared
        at, half = (curve(shares, known, np.array([one]))[0]["f1"] for one in (threshold, 0.5))
        rows.append(
            {
                "label": label,
                "threshold": threshold,
                "own": bool(own[place]),
                "n": int(there[place]),
                "f1": at,
                "f1_half": half,
            }
        )
    return rows


def _best(probability: np.ndarray, truth: np.ndarray) -> float:
    """The threshold with the best F1; 0.5 where there are too few examples."""
    enough = min(truth.sum(), (~truth).sum()) >= FEWEST
    point = choose(curve(probability, truth, thresholds(probability)), "f1") if enough else None
    return float(np.clip(point["threshold"], 1e-6, 1 - 1e-6)) if point and point["tp"] else 0.5


def _near(point: dict[str, Any]) -> float:
    return -abs(point["threshold"] - 0.5)
