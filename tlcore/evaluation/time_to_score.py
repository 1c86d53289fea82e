"""Training time of each arm until it first reaches a validation score, from the stored learning curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from tlcore.evaluation.records import Metric

KEYS = (("transfer", "transfer"), ("twin", "baseline"))


def best_common(report: dict[str, Any], metric: Metric) -> float | None:
    """The best validation score (mean over seeds) that every arm reaches; None where an arm has no score."""
    means = [_mean(report[key], metric) for _, key in KEYS if report.get(key)]
    known = [mean for mean in means if mean is not None]
    if not known or len(known) < len(means):
        return None
    return min(known) if metric.higher_is_better else max(known)


def reached(points: pd.DataFrame, report: dict[str, Any], metric: Metric, score: float) -> dict[str, dict[str, Any]]:
    """For each arm ``seconds`` (mean over the seeds that reached the score), ``seeds`` (their number) and ``of`` (all).

    ``seconds`` is training time only; ``seconds_search`` is all of the hyperparameter search. An arm without points (a
    linear head fitted on features) reaches its score when it finishes. Seconds before the first point, such as the
    frozen pass, are included.
    """
    out = {}
    for arm, key in KEYS:
        if not report.get(key):
            continue
        times = [_first(points, arm, seed, metric, score) for seed in report[key]["per_seed"]]
        got = [seconds for seconds in times if seconds is not None]
        out[arm] = {
            "seconds": float(np.mean(got)) if got else None,
            "seeds": len(got),
            "of": len(times),
            "seconds_search": report[key]["seconds_search"],
        }
    return out


def _first(points: pd.DataFrame, arm: str, seed: dict[str, Any], metric: Metric, score: float) -> float | None:
    def good(value: float) -> bool:
        return value >= score - 1e-9 if metric.higher_is_better else value <= score + 1e-9

    column = f"validation_{metric.id}"
    if not points.empty and column in points:
        own = points[(points["arm"] == arm) & (points["seed"] == seed["seed"]) & (points["trial"] == "final")]
        own = own[own[column].notna()].sort_values(["phase", "epoch"])
        if not own.empty:
            before = max(0.0, seed["seconds"] - float(own["seconds"].iloc[-1]))
            hits = own[[good(value) for value in own[column]]]
            return None if hits.empty else before + float(hits["seconds"].iloc[0])
    value = seed["validation"].get(metric.id)
    return seed["seconds"] if value is not None and good(value) else None


def _mean(arm: dict[str, Any], metric: Metric) -> float | None:
    values = [seed["validation"].get(metric.id) for seed in arm.get("per_seed") or []]
    return float(np.mean(values)) if values and None not in values else None
