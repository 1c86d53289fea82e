"""Where to draw the line between two classes: precision and recall by threshold, and the threshold for a goal.

A threshold is chosen on validation data; the test set only shows what came of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

Goal = Literal["f1", "recall", "cost"]
MOST = 100  # thresholds


def thresholds(probability: np.ndarray, most: int = MOST) -> np.ndarray:
    """Between the validation probabilities (n,) of the positive class: at most ``most``, and one half."""
    known = np.unique(probability)
    between = (known[1:] + known[:-1]) / 2
    if len(between) > most:
        between = np.quantile(between, np.linspace(0, 1, most))
    return np.unique(np.concatenate([between, [0.5]]))


def curve(probability: np.ndarray, truth: np.ndarray, at: np.ndarray) -> list[dict[str, Any]]:
    """At each threshold the counts tp, fp, fn, tn, and precision, recall, F1 (None where undefined).

    ``probability`` (n,) of the positive class, ``truth`` (n,) whether it is one; from the threshold up it is said.
    """
    truth = truth.astype(bool)
    out = []
    for threshold in at:
        said = probability >= threshold
        tp, fp = int((said & truth).sum()), int((said & ~truth).sum())
        fn, tn = int((~said & truth).sum()), int((~said & ~truth).sum())
        out.append({"threshold": float(threshold), "tp": tp, "fp": fp, "fn": fn, "tn": tn,
                    "precision": tp / (tp + fp) if tp + fp else None, "recall": tp / (tp + fn) if tp + fn else None,
                    "f1": 2 * tp / (2 * tp + fp + fn) if 2 * tp + fp + fn else None})  # fmt: skip
    return out


def choose(points: Sequence[dict[str, Any]], goal: Goal, value: float = 0.9) -> dict[str, Any] | None:
    """The point of a validation curve for a goal; of equals the one nearest to one half.

    ``f1``: the best F1. ``recall``: the best precision with a recall of at least ``value``. ``cost``: the least cost,
    a missed positive costing ``value`` false alarms. None where no point reaches the goal.
    """
    if goal == "recall":
        fit = [p for p in points if p["recall"] is not None and p["recall"] >= value and p["precision"] is not None]
        return max(fit, key=lambda p: (p["precision"], p["recall"], _near(p)), default=None)
    if goal == "cost":
        return min(points, key=lambda p: (p["fp"] + value * p["fn"], -_near(p)), default=None)
    known = [p for p in points if p["f1"] is not None]
    return max(known, key=lambda p: (p["f1"], _near(p)), default=None)


def _near(point: dict[str, Any]) -> float:
    return -abs(point["threshold"] - 0.5)


def build(labels: Sequence[str], validation: tuple[np.ndarray, np.ndarray],
          test: tuple[np.ndarray, np.ndarray]) -> dict[str, Any] | None:  # fmt: skip
    """For each of two classes as the positive one ``{"validation": curve, "test": curve}`` at the same thresholds.

    ``validation`` and ``test`` are (probabilities (n, 2), truth (n,)); None unless there are two classes.
    """
    if len(labels) != 2:
        return None
    out = {}
    for place, label in enumerate(labels):
        at = thresholds(validation[0][:, place])
        out[label] = {name: curve(shares[:, place], truth == place, at)
                      for name, (shares, truth) in (("validation", validation), ("test", test))}  # fmt: skip
    return out
