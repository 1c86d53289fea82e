"""Per-class results of a report: confusion matrix, precision and recall, and the worst errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.evaluation.records import Records

MOST_CONFUSED = 10
EXCERPT = 600  # most characters shown of a text


def confusion(records: Records, labels: Sequence[str]) -> list[list[int]]:
    """Counts [truth][prediction]; examples whose label is not in the training data are excluded."""
    truth, prediction = records.columns["truth"], records.columns["prediction"]
    known = truth >= 0
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts, (truth[known], prediction[known]), 1)
    return counts.tolist()


def describe(records: Records, labels: Sequence[str]) -> dict[str, Any]:
    """``confusion``, ``most_confused`` pairs, ``per_class`` scores and ``unknown_label`` of test records."""
    rows = confusion(records, labels)
    counts = np.array(rows)
    pairs = [
        {
            "truth": labels[i],
            "prediction": labels[j],
            "count": int(counts[i, j]),
            "share": float(counts[i, j] / counts[i].sum()),
        }
        for i, j in zip(*np.nonzero(counts), strict=True)
        if i != j
    ]
    pairs.sort(key=lambda pair: (-pair["count"], -pair["share"], pair["truth"], pair["prediction"]))
    right, marked, there = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
    per_class = [
        {
            "label": label,
            "n": int(there[i]),
            "precision": _share(right[i], marked[i]),
            "recall": _share(right[i], there[i]),
            "f1": _share(2 * right[i], marked[i] + there[i]) if there[i] else None,
        }
        for i, label in enumerate(labels)
    ]
    unknown = int((records.columns["truth"] < 0).sum())
    return {
        "confusion": rows,
        "most_confused": pairs[:MOST_CONFUSED],
        "per_class": per_class,
        "unknown_label": unknown,
    }


def worst(records: Records, labels: Sequence[str], dataset: Dataset, most: int) -> list[dict[str, Any]]:
    """The errors with the highest confidence, highest first.

    Each has id, file (relative to ``files/``) or text, truth, prediction and both confidences.
    """
    truth, prediction = records.columns["truth"], records.columns["prediction"]
    probability = records.columns["probability"]
    confidence = probability[np.arange(len(prediction)), prediction]
    wrong = np.flatnonzero(truth != prediction)
    rows = dataset.split("test")
    chosen = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    return [
        {
            "id": records.ids[i],
            **payload(rows.iloc[i]),
            "truth": rows["label"].iloc[i],
            "prediction": labels[prediction[i]],
            "confidence": float(confidence[i]),
            "confidence_truth": float(probability[i, truth[i]]) if truth[i] >= 0 else None,
        }
        for i in chosen
    ]


def payload(row: Any) -> dict[str, str]:
    """What to show of an example: ``file`` relative to ``files/``, or ``text``, shortened."""
    if "file" in row.index:
        return {"file": row["file"]}
    return {"text": excerpt(row["text"])}


def excerpt(text: object) -> str:
    """The first `EXCERPT` characters of a text."""
    shown = str(text)
    return shown if len(shown) <= EXCERPT else shown[: EXCERPT - 1] + "…"


def _share(part: int, whole: int) -> float | None:
    """The quotient; None where the denominator is 0."""
    return float(part / whole) if whole else None
