"""Scores of single-label classifiers, independent of the modality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tlcore.evaluation.records import Records


def evaluate(outputs: np.ndarray, examples: Any) -> Records:
    """Truth, prediction and probabilities of each example from logits (n, classes); a group is one resampling unit."""
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    probability = np.exp(shifted)
    probability /= probability.sum(axis=1, keepdims=True)
    columns = {"truth": examples.labels, "prediction": outputs.argmax(axis=1), "probability": probability}
    return Records(ids=examples.ids, unit=np.asarray(examples.groups), columns=columns)


def aggregate(records: Records, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Accuracy and macro-F1 (over the classes in the test set) for each row of weights (draws, n)."""
    truth, prediction = records.columns["truth"], records.columns["prediction"]
    weights = np.atleast_2d(weights).astype(np.float64)
    total = weights.sum(axis=1)
    hit = truth == prediction
    found = np.unique(truth[truth >= 0])
    true, marked = truth[:, None] == found, prediction[:, None] == found
    with np.errstate(invalid="ignore", divide="ignore"):
        hits = weights @ (true & marked)  # (draws, classes); below: 2 TP / (2 TP + FP + FN)
        f1 = 2 * hits / (weights @ true + weights @ marked)
        return {"accuracy": (weights @ hit) / total, "macro-f1": np.nanmean(f1, axis=1)}


def solve(features: Mapping[str, np.ndarray], examples: Mapping[str, Any], classes: int) -> dict[str, Any]:
    """A multinomial logistic head on training features; its regularisation is chosen on validation data."""
    from tlcore.models.logistic_head import logistic_head

    return logistic_head(
        features["train"],
        examples["train"].labels,
        features["validation"],
        examples["validation"].labels,
        classes,
    )


def commonest(examples: Mapping[str, Any], classes: int) -> np.ndarray:
    """Logits (n, classes) for the test examples from the training class frequencies alone."""
    counts = np.bincount(examples["train"].labels, minlength=classes)
    shares = np.log((counts + 1) / (counts.sum() + classes))
    return np.tile(shares, (len(examples["test"]), 1))
