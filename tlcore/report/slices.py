"""Scores of the packed model on slices of the test set: by a column of the data, or by clusters.

Clusters are k-means on the frozen source's features of the test examples if they are cached, else on the model's
outputs; labels are not used. Each slice's score is compared with that of all test examples on the same bootstrap draws.
The p-values are adjusted by Holm's method, since some of many slices look weak by chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation import statistics
from tlcore.evaluation.per_class import payload
from tlcore.modalities.text.languages import NAMES
from tlcore.report.several_runs import holm
from tlcore.training.features import cache_key

if TYPE_CHECKING:
    import pandas as pd

    from tlcore.evaluation.records import Records
    from tlcore.report.context import RunContext
    from tlcore.tasks.contract import Task
    from tlcore.training.result import ArmResult

FEWEST = 10  # least resampling units inside a listed slice, and outside of it
MOST_VALUES = 12  # of a column whose values are slices
EACH, MOST_CLUSTERS = 25, 8  # examples per cluster, about
TYPICAL = 4  # examples that represent a cluster
DRAWS, DRAWS_EACH = 1000, 50  # in all, and at least per slice: many slices need finer p-values
# Columns that do not describe the content of an example. Classes have their own table.
NOT_ABOUT = {
    "id",
    "file",
    "text",
    "label",
    "split",
    "sha256",
    "group",
    "cluster",
    "near",
    "row",
    "bytes",
    "spans",
    "question",
    "answer",
}
OWN = {
    "width": sentence("width in pixels"),
    "height": sentence("height in pixels"),
    "grey": sentence("grey"),
    "rotated": sentence("rotated"),
    "characters": sentence("length in characters"),
    "converted": sentence("converted from another format"),
    "language": sentence("language"),
    "answerable": sentence("answerable"),
    "title": sentence("article"),
}
YES, NO = sentence("yes"), sentence("no")
VALUES = {"language": NAMES, "answerable": {"yes": YES, "no": NO}}
Part = tuple[dict[str, Any], np.ndarray]


def build(context: RunContext, packed: ArmResult, records: Records) -> dict[str, Any]:
    """The slices: ``rows`` (weakest first), ``by`` (clusters by ``features``, ``outputs`` or None) and ``fewest``.

    Keys of a row: kind (``column`` or ``cluster``), name, n, units, score, interval, difference from all test examples
    {value, interval}, p, adjusted, weak, and ``examples`` (typical ones; empty for a column).
    """
    rows = context.dataset.split("test")
    parts = list(by_column(rows))
    features = _features(context, len(rows))
    by = "features" if features is not None else "outputs"
    points = packed.outputs("test") if features is None else features
    if len(rows) >= 2 * EACH and not points.dtype.names:
        parts += by_cluster(points, rows)
    else:
        by = None
    kept = large_enough(parts, records.unit)
    return {"by": by, "fewest": FEWEST, "rows": score(context.task, records, kept, context.target)}


def large_enough(parts: list[Part], unit: np.ndarray) -> list[Part]:
    """The slices with at least `FEWEST` resampling units inside and outside."""
    return [part for part in parts if all(len(np.unique(unit[at])) >= FEWEST for at in (part[1], ~part[1]))]


def by_column(rows: pd.DataFrame) -> Iterator[Part]:
    """Slices by the values of a column, or by terciles of a numeric column: (description, mask (n,) bool)."""
    from pandas.api import types

    for name in rows.columns:
        values = rows[name]
        if name in NOT_ABOUT or values.map(type).isin([list, dict, np.ndarray]).any() or values.nunique() < 2:
            continue
        title = OWN.get(str(name), str(name))
        if types.is_numeric_dtype(values) and not types.is_bool_dtype(values) and values.nunique() > MOST_VALUES:
            ends = np.unique(np.quantile(values.dropna(), [0, 1 / 3, 2 / 3, 1]))
            for i, (low, high) in enumerate(pairwise(ends)):
                inside = ((values >= low if i == 0 else values > low) & (values <= high)).to_numpy()
                title_of_slice = sentence("{column} {low} to {high}", column=title, low=_short(low), high=_short(high))
                yield _about("column", title_of_slice), inside
        elif values.nunique() <= MOST_VALUES:
            for value in sorted(values.dropna().unique(), key=str):
                shown = (
                    (YES if value else NO)
                    if isinstance(value, bool | np.bool_)
                    else VALUES.get(str(name), {}).get(value, str(value))
                )
                title_of_slice = sentence("{column}: {value}", column=title, value=shown)
                yield _about("column", title_of_slice), (values == value).to_numpy()


def by_cluster(points: np.ndarray, rows: pd.DataFrame) -> list[Part]:
    """Slices by k-means clusters of ``points`` (n, …), named after their most central example: (description, mask)."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    x = points.reshape(len(points), -1).astype(np.float32)
    spread = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(spread < 1e-6, 1.0, spread)
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-6)
    count = int(np.clip(len(x) // EACH, 2, MOST_CLUSTERS))
    with threadpool_limits(1):
        found = KMeans(count, n_init=3, max_iter=100, random_state=0).fit(x)
    out = []
    for place in range(count):
        inside = found.labels_ == place
        away = np.where(inside, np.linalg.norm(x - found.cluster_centers_[place], axis=1), np.inf)
        nearest = [i for i in np.argsort(away, kind="stable")[:TYPICAL] if inside[i]]
        if nearest:
            examples = [{"id": rows["id"].iloc[i], **payload(rows.iloc[i])} for i in nearest]
            out.append((_about("cluster", sentence("like {example}", example=examples[0]["id"]), examples), inside))
    return out


def score(
    task: Task, records: Records, parts: list[Part], target: dict[str, Any], *, draws: int = DRAWS, seed: int = 0
) -> list[dict[str, Any]]:
    """The row of each slice, weakest first.

    ``weak``: the adjusted p-value is under 0.05, and the score is worse by the smallest difference of interest or more.
    """
    metric = task.metrics[0]
    sign = 1.0 if metric.higher_is_better else -1.0
    rng = np.random.default_rng(seed)
    masks = [np.ones(len(records)), *(mask.astype(float) for _, mask in parts)]
    ones = np.ones((1, len(records)))
    values = [float(task.aggregate(records, ones * mask, target)[metric.id][0]) for mask in masks]
    drawn: list[list[np.ndarray]] = [[] for _ in masks]
    for weights in statistics.resampling_weights(records.unit, max(draws, DRAWS_EACH * len(parts)), rng):
        for i, mask in enumerate(masks):
            with np.errstate(invalid="ignore", divide="ignore"):
                found = task.aggregate(records, weights * mask, target)[metric.id]
            # NaN: the draw has no example of the slice.
            drawn[i].append(np.where((weights * mask).any(axis=1), found, np.nan))
    every = [np.concatenate(one) for one in drawn]
    rows = []
    for (about, mask), value, each in zip(parts, values[1:], every[1:], strict=True):
        differences = sign * (each - every[0])
        known = differences[np.isfinite(differences)]
        units = len(np.unique(records.unit[mask]))
        low, high = statistics.ends(each[np.isfinite(each)])
        if metric.share:
            low, high = statistics.never_certain(low, high, units)
        rows.append(
            {
                **about,
                "n": int(mask.sum()),
                "units": units,
                "score": value,
                "interval": [low, high],
                "difference": {"value": sign * (value - values[0]), "interval": list(statistics.ends(known))},
                "p": statistics.p_value(known),
            }
        )
    for row, adjusted in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["adjusted"] = adjusted
        row["weak"] = adjusted < 1 - statistics.LEVEL and row["difference"]["value"] <= -metric.smallest
    return sorted(rows, key=lambda row: row["difference"]["value"])


def _features(context: RunContext, n: int) -> np.ndarray | None:
    """The frozen source's features (n, …) of the test examples from the feature cache; None if they are not there."""
    data = context.dataset
    key = cache_key(data.fingerprint, context.source.content_digest, context.processor, data.cached_as)
    path = context.store.home / "cache" / "features" / f"{key}-test.npz"
    try:
        with np.load(path) as kept:
            features = kept["features"]
    except FileNotFoundError:
        return None
    return features if len(features) == n else None


def _about(kind: str, name: Sentence, examples: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"kind": kind, "name": name.model_dump(), "examples": examples or []}


def _short(value: float) -> float:
    return round(float(value), 3)
