"""Operating points of classifiers: precision and recall by threshold, and the thresholds of labels in the report.

Thresholds are chosen on validation data; the test set only shows the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation import statistics
from tlcore.evaluation.thresholds import FEWEST, curve, thresholds

if TYPE_CHECKING:
    from tlcore.evaluation.records import Metric, Records, Scorer


def thresholds_table(
    task: Scorer, rows: list[dict[str, Any]], here: Records, half: Records, n_validation: int, target: dict[str, Any]
) -> dict[str, Any]:
    """The report's ``thresholds``: the rows of `of_labels`, compared with a threshold of 0.5 for all labels.

    For 0.5 it has the test metrics, their intervals and the difference of the headline metric, on the same bootstrap
    draws.
    """
    found, difference = statistics.intervals(task, [half], target), statistics.difference(task, [here], [half], target)
    return {
        "labels": rows,
        "n_validation": n_validation,
        "half": {
            "metrics": {name: one.value for name, one in found.items()},
            "intervals": {name: list(one.interval) for name, one in found.items()},
        },
        "difference": {"value": difference.value, "interval": list(difference.interval)},
    }


def summary(thresholds: dict[str, Any], packed: dict[str, Any], metric: Metric) -> Sentence:
    """A sentence on how the label thresholds were chosen and what they changed."""
    rows = thresholds["labels"]
    shared = next((row["threshold"] for row in rows if not row["own"]), None)
    low, high = (round(100 * end, 1) for end in thresholds["difference"]["interval"])
    values = {
        "n": len(rows),
        "own": sum(row["own"] for row in rows),
        "m": thresholds["n_validation"],
        "least": FEWEST,
        "low": low,
        "high": high,
        "metric": metric.title,
        "value": round(100 * packed["metrics"][metric.id], 1),
        "half": round(100 * thresholds["half"]["metrics"][metric.id], 1),
        "shared": round(shared or 0.0, 3),
    }
    if not values["own"] and shared == 0.5:
        return sentence(
            "All labels are given from one half up: the {m} validation texts do not tell a better threshold.", **values
        )
    if shared is None:
        how = sentence(
            "Each label is given from a threshold of its own up, the one with its best F1 on {m} validation texts.",
            **values,
        )
    elif values["own"]:
        how = sentence(
            "{own} of {n} labels are given from a threshold of their own up, the one with the best F1 on {m} "
            "validation texts; the others, which fewer than {least} of these have or lack, share {shared}, the "
            "one with their best micro-F1.",
            **values,
        )
    else:
        how = sentence(
            "All labels are given from a probability of {shared} up, the threshold with the best micro-F1 on {m} "
            "validation texts; one of its own is for labels that at least {least} of these have and lack.",
            **values,
        )
    return sentence(
        "{how} On the test set the packed model's {metric} is {value} % with them and {half} % with one half "
        "for all labels (95 % interval of the difference {low} to {high} points).",
        how=how,
        **values,
    )


def build(
    labels: Sequence[str], validation: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]
) -> dict[str, Any] | None:
    """For each of two classes as the positive one ``{"validation": curve, "test": curve}`` at the same thresholds.

    ``validation`` and ``test`` are (probabilities (n, 2), truth (n,)). None unless there are two classes.
    """
    if len(labels) != 2:
        return None
    out = {}
    for place, label in enumerate(labels):
        at = thresholds(validation[0][:, place])
        out[label] = {
            name: curve(shares[:, place], truth == place, at)
            for name, (shares, truth) in (("validation", validation), ("test", test))
        }
    return out
