"""Predictions as CSV, with cells escaped so that no spreadsheet runs them as formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core import atomic_files
from tlcore.core.safe_csv import cell
from tlcore.evaluation.per_class import excerpt

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.evaluation.records import Records


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """CSV text with escaped cells; numbers stay numbers."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([cell(name) for name in header])
    writer.writerows([cell(value) for value in row] for row in rows)
    return out.getvalue()


def share(value: float) -> str:
    """A probability (0-1) with six decimals."""
    return f"{float(value):.6f}"


def write_answers(path: Path, answers: Sequence[dict[str, Any]]) -> None:
    """Write one row per test example of a task without classes: ``input, text, truth, prediction, score``."""
    rows = ([one["id"], one.get("text", ""), one["truth"], one["prediction"], share(one["score"])] for one in answers)
    atomic_files.write(path, table(["input", "text", "truth", "prediction", "score"], rows))


def worst_answers(answers: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """At most ``most`` answers with the lowest scores below 1, with excerpts of their texts, for the errors page."""
    order = sorted((one for one in answers if one["score"] < 1), key=lambda one: one["score"])[:most]
    return [
        {**one, **{key: excerpt(one[key]) or "–" for key in ("text", "truth", "prediction") if key in one}}
        for one in order
    ]


def write_predictions(path: Path, records: Records, labels: Sequence[str], dataset: Dataset) -> None:
    """Write one row per test example: ``input, truth, prediction, confidence``, then one probability per class."""
    truth = dataset.split("test")["label"].tolist()
    probability = records.columns["probability"]
    rows = (
        [name, truth[i], labels[guess], share(probability[i, guess]), *map(share, probability[i])]
        for i, (name, guess) in enumerate(zip(records.ids, records.columns["prediction"], strict=True))
    )
    atomic_files.write(path, table(["input", "truth", "prediction", "confidence", *labels], rows))
