"""The trained model compared with simple baselines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation import score_text, statistics

SCRATCH = sentence("training from scratch")

if TYPE_CHECKING:
    from tlcore.evaluation.records import Baseline, Metric, Records
    from tlcore.tasks.contract import Task


def compare(
    task: Task, baselines: Sequence[Baseline], transfer: Sequence[Records], target: dict[str, Any]
) -> list[dict[str, Any]]:
    """One entry per baseline: id, title, value, interval, metrics, intervals, difference, beaten, reason.

    ``difference`` is transfer minus baseline {value, interval}, by the same seed-nested paired bootstrap as the
    verdict. ``beaten`` is True if its interval is above 0, and None if the baseline has no records; ``reason`` then
    gives the cause. The intervals need no correction for multiple comparisons: all baselines must be beaten.
    """
    headline = task.metrics[0].id
    out = []
    for one in baselines:
        entry: dict[str, Any] = {
            "id": one.id,
            "title": one.title.model_dump(),
            "value": None,
            "interval": None,
            "metrics": {},
            "intervals": {},
            "difference": None,
            "beaten": None,
            "reason": one.reason.model_dump() if one.reason else None,
        }
        if one.records is not None:
            found = statistics.intervals(task, [one.records], target)
            difference = statistics.difference(task, transfer, [one.records], target)
            entry |= {
                "value": found[headline].value,
                "interval": list(found[headline].interval),
                "metrics": {name: estimate.value for name, estimate in found.items()},
                "intervals": {name: list(estimate.interval) for name, estimate in found.items()},
                "difference": {"value": difference.value, "interval": list(difference.interval)},
                "beaten": difference.interval[0] > 0,
            }
        out.append(entry)
    return out


def reference(
    task: Task, report: dict[str, Any], baselines: Sequence[Baseline], scratch: Sequence[Records]
) -> tuple[dict[str, Any], Sequence[Records]]:
    """The reference of the verdict, {id, title}, and its records (one per seed).

    It is the scratch baseline, or, unless ``task.against`` is "twin", the best of scratch baseline and baselines.
    Selecting the best on the test set is conservative: it can only make the reference harder to beat. Baselines have no
    seed, so their records are repeated for each seed of the scratch baseline.
    """
    chosen: tuple[dict[str, Any], Sequence[Records]] = {"id": "twin", "title": SCRATCH.model_dump()}, scratch
    if task.against == "twin":
        return chosen
    headline = task.metrics[0]
    sign = 1.0 if headline.higher_is_better else -1.0
    best = sign * report["baseline"]["value"]
    for one, entry in zip(baselines, report["naive"], strict=True):
        if one.records is not None and sign * entry["value"] > best:
            # A baseline is deterministic: its records are the same for every seed.
            best = sign * entry["value"]
            chosen = {"id": one.id, "title": entry["title"]}, [one.records] * len(scratch)
    return chosen


def hardest(entries: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The baseline whose difference has the lowest lower bound; None if no baseline has records."""
    known = [one for one in entries if one["difference"]]
    return min(known, key=lambda one: one["difference"]["interval"][0]) if known else None


def summary(entries: Sequence[dict[str, Any]], metric: Metric) -> Sentence | None:
    """The comparison with the hardest baseline, as one sentence; None if no baseline has records."""
    closest = hardest(entries)
    if closest is None:
        return None
    if not score_text.usual(metric):
        return _in_its_units(closest, metric)
    value = round(100 * closest["difference"]["value"], 1)
    low, high = (round(100 * end, 1) for end in closest["difference"]["interval"])
    params = {
        "title": closest["title"],
        "percent": round(100 * closest["value"], 1),
        "metric": metric.title,
        "low": low,
        "high": high,
    }
    if closest["beaten"]:
        return sentence(
            "It beats the simple baselines too: {value} points of {metric} above the closest of them ({title}: "
            "{percent} %; 95 % interval of the difference {low} to {high}).",
            value=value,
            **params,
        )
    if high < 0:
        return sentence(
            "A simple baseline does better: {title} reaches {percent} % {metric}, {value} points above the trained "
            "model (95 % interval of the difference {low} to {high}). Look at labels and data before you use this "
            "model.",
            value=-value,
            **params,
        )
    if value < 0:
        return sentence(
            "A simple baseline does as well: {title} reaches {percent} % {metric}, {value} points above the trained "
            "model, which chance may explain (95 % interval of the difference {low} to {high}).",
            value=-value,
            **params,
        )
    return sentence(
        "A simple baseline does as well: {title} reaches {percent} % {metric}; the trained model is {value} points "
        "above it, which chance may explain (95 % interval of the difference {low} to {high}).",
        value=value,
        **params,
    )


def _in_its_units(closest: dict[str, Any], metric: Metric) -> Sentence:
    """The same as `summary`, for a metric that is not a share (0-1) or where lower is better."""
    difference = closest["difference"]
    low, high = (score_text.rounded(end, metric.share) for end in difference["interval"])
    params = {
        "title": closest["title"],
        "score": score_text.rounded(closest["value"], metric.share),
        "metric": metric.title,
        "amount": score_text.amount(difference["value"], metric),
        "way": score_text.way(difference["value"], metric),
        "low": low,
        "high": high,
    }
    if closest["beaten"]:
        return sentence(
            "It beats the simple baselines too: its {metric} is {amount} {way} than that of the closest of them "
            "({title}: {score}; 95 % interval of the improvement {low} to {high}).",
            **params,
        )
    if high < 0:
        return sentence(
            "What needs no training of a network does better: {title} reaches a {metric} of {score}; the trained "
            "model's is {amount} {way} (95 % interval of the improvement {low} to {high}). Look at the data before you "
            "use this model.",
            **params,
        )
    return sentence(
        "What needs no training of a network does as well: {title} reaches a {metric} of {score}; the trained model's "
        "is {amount} {way}, which chance may explain (95 % interval of the improvement {low} to {high}).",
        **params,
    )
