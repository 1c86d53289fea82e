"""Label savings: how many labels training from scratch needs to match transfer.

Both arms are trained on nested subsets of the training data and scored on the same test set. The number of labels at
which the from-scratch curve falls to transfer's error is interpolated between measured sizes, or else extrapolated with
a fitted power law. Intervals come from a bootstrap nested in seeds (`evaluation.statistics`): test units are drawn once
for all trainings. Whole seeds are drawn for each arm, because the subsets of one seed are nested and their errors are
correlated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from tlcore.core import stored_files
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation import score_text, statistics
from tlcore.evaluation.power_law import PowerLaw, crosses, falling, fit
from tlcore.evaluation.records import Metric, Records, Scorer

FORMAT = 1
FILE = "label_savings.json"
MEASURE_AGAIN = sentence("Remove it, and measure the label savings again.")
DRAWS = 1000
BEYOND = 10  # extrapolation limit, as a multiple of the available labels
DRAWN = 40  # points of a plotted curve


@dataclass
class Measured:
    """The trainings of one arm: ``labels`` (sizes,) and the records of each size and seed on the same test rows."""

    labels: np.ndarray
    records: list[list[Records]]  # [size][seed]


def load(folder: Path) -> dict[str, Any] | None:
    """The stored measurement of the run in this folder, or None. Raises UnusableInput if it cannot be read."""
    path = folder / FILE
    return stored_files.read_object(path, MEASURE_AGAIN) if path.exists() else None


def analyse(
    task: Scorer, target: dict[str, Any], transfer: Measured, baseline: Measured, *, draws: int = DRAWS, seed: int = 0
) -> dict[str, Any]:
    """Points, curves and savings as JSON; see docs/report.md. The last size is all available labels.

    Raises UnusableInput for a metric without a best value, from which errors could be counted, and ValueError where the
    records are not on the same test rows.
    """
    metric = task.metrics[0]
    rng = np.random.default_rng(seed)
    errors = _errors(task, metric, target, [transfer, baseline], draws, rng)
    arms, read = {}, {}
    for name, measured, (drawn, found) in zip(("transfer", "twin"), (transfer, baseline), errors, strict=True):
        sizes, seeds = found.shape
        # Transfer is read at one size, the scratch baseline's curve at all sizes.
        freedom = (seeds - 1) * (sizes if name == "twin" else 1)
        read[name] = _Curve.of(measured, found.mean(axis=1), _nested(drawn, found, freedom, rng))
        arms[name] = _arm(task, target, metric, measured, read[name])
    equal = [
        _equal(read["transfer"], read["twin"], place, point["value"])
        for place, point in enumerate(arms["transfer"]["points"])
    ]
    return {"arms": arms, "equal": equal[-1], "sizes": equal, "limit": round(BEYOND * float(baseline.labels[-1]))}


@dataclass
class _Curve:
    """The errors of an arm, observed (sizes, 1) and bootstrapped (sizes, draws), with their fitted power laws."""

    labels: np.ndarray
    found: np.ndarray
    drawn: np.ndarray
    weights: np.ndarray
    law: PowerLaw
    laws: PowerLaw

    @classmethod
    def of(cls, measured: Measured, found: np.ndarray, drawn: np.ndarray) -> _Curve:
        weights = 1 / np.maximum(drawn.var(axis=1), 1e-9)
        return cls(
            measured.labels,
            found[:, None],
            drawn,
            weights,
            fit(measured.labels, found[:, None], weights),
            fit(measured.labels, drawn, weights),
        )

    def reaches(self, error: np.ndarray, drawn: bool) -> np.ndarray:
        """The labels at which the curve falls to ``error``: interpolated, or extrapolated by the power law."""
        points, law = (self.drawn, self.laws) if drawn else (self.found, self.law)
        inside = crosses(self.labels, falling(points, self.weights), error)
        return np.where(np.isfinite(inside), inside, np.maximum(law.reaches(error), self.labels[-1]))


def _errors(
    task: Scorer, metric: Metric, target: dict[str, Any], arms: Sequence[Measured], draws: int, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each arm the bootstrapped errors (sizes, seeds, draws) and the observed errors (sizes, seeds)."""
    first = arms[0].records[0][0]
    flat = [one for arm in arms for size in arm.records for one in size]
    if any(list(one.ids) != list(first.ids) for one in flat):
        raise ValueError("the records of a learning curve are not on the same rows")
    parts: list[list[np.ndarray]] = [[] for _ in flat]
    for weights in statistics.resampling_weights(first.unit, draws, rng):
        for part, one in zip(parts, flat, strict=True):
            part.append(task.aggregate(one, weights, target)[metric.id])
    shapes = [(len(arm.records), len(arm.records[0])) for arm in arms]
    drawn = _as_error(metric, np.stack([np.concatenate(part) for part in parts]))
    found = _as_error(metric, np.array([statistics.scores(task, [one], target)[metric.id][0] for one in flat]))
    units, out, at = len(np.unique(first.unit)), [], 0
    for sizes, seeds in shapes:
        upto = at + sizes * seeds
        of_arm = drawn[at:upto], found[at:upto]
        if metric.share:
            of_arm = _never_certain(*of_arm, units, rng)
        out.append((of_arm[0].reshape(sizes, seeds, -1), of_arm[1].reshape(sizes, seeds)))
        at = upto
    return out


def _never_certain(
    drawn: np.ndarray, found: np.ndarray, units: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Errors (trainings, draws) and (trainings,) of shares, smoothed by one more unit that is half wrong.

    A test set without errors has none to resample, but does not prove that there are none. In each draw the extra unit
    has a random weight and a random share of error, the same for all trainings of an arm (Jeffreys' prior of a share).
    """
    wrong, right = rng.gamma(0.5, size=(2, drawn.shape[1]))
    return (drawn * units + wrong) / (units + wrong + right), (found * units + 0.5) / (units + 1)


def _as_error(metric: Metric, value: np.ndarray) -> np.ndarray:
    """Convert a score to an error that falls towards 0, and back (it is its own inverse). Raises UnusableInput."""
    if not metric.higher_is_better:
        return value
    if metric.share:
        return 1 - value
    raise UnusableInput(
        sentence(
            "Label savings cannot be read off {metric}: it has no best value to count errors from.", metric=metric.title
        ),
        code="metric",
    )


def _nested(drawn: np.ndarray, found: np.ndarray, freedom: int, rng: np.random.Generator) -> np.ndarray:
    """Add the variation over seeds to the bootstrap: (sizes, seeds, draws) and (sizes, seeds) to (sizes, draws).

    Whole seeds are drawn. Deviations are inflated as in `statistics`, because a few seeds underestimate their spread,
    the more so with fewer degrees of freedom.
    """
    seeds = found.shape[1]
    mean = drawn.mean(axis=1)
    if seeds == 1:
        return mean
    taken = rng.integers(0, seeds, size=(seeds, drawn.shape[2]))
    deviation = (found - found.mean(axis=1, keepdims=True))[:, taken].mean(axis=1)
    return mean + deviation * sqrt(seeds / (seeds - 1)) * statistics._t_975(freedom) / 1.96


def _arm(task: Scorer, target: dict[str, Any], metric: Metric, measured: Measured, curve: _Curve) -> dict[str, Any]:
    points = []
    for labels, records in zip(measured.labels, measured.records, strict=True):
        estimate = statistics.intervals(task, records, target, draws=DRAWS)[metric.id]
        scores = statistics.scores(task, records, target)[metric.id]
        points.append(
            {
                "labels": float(labels),
                "value": estimate.value,
                "interval": list(estimate.interval),
                "per_seed": [float(value) for value in scores],
            }
        )
    n = np.geomspace(measured.labels[0], BEYOND * measured.labels[-1], DRAWN)
    ends = np.quantile(curve.laws.error(n), [0.025, 0.975], axis=0)
    low, high = np.sort(_as_error(metric, ends), axis=0)
    law = curve.law
    value = _as_error(metric, law.error(n)[0])
    if metric.share:
        low, high, value = (np.clip(each, 0, 1) for each in (low, high, value))
    off = np.abs(law.error(measured.labels)[0] - curve.found[:, 0])
    return {
        "points": points,
        "fit": {
            "floor": float(law.a[0]),
            "factor": float(law.b[0]),
            "exponent": float(law.c[0]),
            "at": law.unit,
            "off": float(off.max()),
            "poor": bool((off > 2 * curve.drawn.std(axis=1) + metric.smallest).any()),
        },
        "curve": {"labels": n.tolist(), "value": value.tolist(), "low": low.tolist(), "high": high.tolist()},
    }


def _equal(transfer: _Curve, baseline: _Curve, size: int, score: float) -> dict[str, Any]:
    """The labels at which the from-scratch curve reaches transfer's score at one size.

    ``reading`` is ``below`` the smallest size (``needed`` is then that size), ``measured`` between sizes,
    ``extrapolated`` up to ten times the available labels, or ``beyond`` (``needed`` is then None). ``interval`` starts
    at the smallest size or above; its upper end is None where it lies beyond the limit.
    """
    labels, error = float(transfer.labels[size]), transfer.found[size]
    least, most = float(baseline.labels[0]), float(baseline.labels[-1])
    limit = BEYOND * most
    needed = float(baseline.reaches(error, drawn=False)[0])
    spread = np.clip(baseline.reaches(transfer.drawn[size], drawn=True), least, limit)
    low, high = (float(end) for end in np.quantile(spread, [0.025, 0.975]))
    ends = {"below": least, "measured": most, "extrapolated": limit * (1 - 1e-6)}
    reading = next((name for name, end in ends.items() if needed <= end * (1 + 1e-9)), "beyond")
    shown = None if reading == "beyond" else max(needed, least)
    return {
        "labels": labels,
        "score": score,
        "needed": shown,
        "interval": [low, None if high >= limit * (1 - 1e-9) else high],
        "saved": None if shown is None else shown - labels,
        "least": least,
        "reading": reading,
        "outcome": "saves" if low > labels else "costs" if high < labels else "unclear",
    }


# --- as text ------------------------------------------------------------------------------------------------------


def sentences(savings: dict[str, Any]) -> dict[str, Sentence]:
    """Sentences on the savings at all labels, the savings seen without extrapolation, and the method."""
    equal, limit = savings["equal"], savings["limit"]
    out = {"equal": _said(equal, limit)}
    seen = [one for one in savings["sizes"] if one["reading"] == "measured" and one["outcome"] == "saves"]
    if seen:
        one = seen[-1]
        out["seen"] = sentence(
            "Seen, not extrapolated: with {n} labels transfer is where training from scratch is with about {needed} "
            "(95 % interval {range}).",
            n=round(one["labels"]),
            needed=about(one["needed"]),
            range=_range(one, limit),
        )
    if savings["arms"]["twin"]["fit"]["poor"] and equal["reading"] in ("extrapolated", "beyond"):
        share, off = savings["share"], savings["arms"]["twin"]["fit"]["off"]
        amount = score_text.rounded(off, share)
        out["caution"] = sentence(
            "The fitted from-scratch curve misses what was measured by up to {amount}: a continuation of it says "
            "little.",
            amount=sentence("{points} points", points=amount) if share else amount,
        )
    out["how"] = sentence(
        "Both arms were trained on {sizes} nested parts of the training data, {seeds} seeds each, and scored on the "
        "same {n} test examples. Each part is trained by the run's own recipe for that many labels, at the learning "
        "rate that the run's search chose with all of them. Validation and test examples stay whole at every "
        "size and are not counted as labels here.",
        sizes=len(savings["sizes"]),
        seeds=savings["seeds"],
        n=savings["n_test"],
    )
    return out


def _said(one: dict[str, Any], limit: int) -> Sentence:
    n, params = round(one["labels"]), {"range": _range(one, limit)}
    if one["outcome"] == "costs":
        return sentence(
            "Transfer saves no labels here: training from scratch is where transfer is with {n} labels with fewer, "
            "about {needed} (95 % interval {range}).",
            n=n,
            needed=about(one["needed"] or limit),
            **params,
        )
    if one["outcome"] == "unclear" and one["reading"] == "beyond":
        return sentence(
            "Whether transfer saves labels cannot be told: by the fitted curve training from scratch would need more "
            "than {limit} labels to be where transfer is with {n}, but the 95 % interval, {range}, includes {n}.",
            limit=limit,
            n=n,
            **params,
        )
    if one["outcome"] == "unclear":
        return sentence(
            "Whether transfer saves labels cannot be told: training from scratch would need about {needed} labels to "
            "be where transfer is with {n}, but the 95 % interval, {range}, includes {n}.",
            needed=about(one["needed"]),
            n=n,
            **params,
        )
    if one["reading"] == "beyond":
        return sentence(
            "With {n} labels you are where training from scratch would need more than {limit} (95 % interval {range}): "
            "it did not get there with any number up to {n}, nor does its fitted curve when it is continued to ten "
            "times as many.",
            n=n,
            limit=limit,
            **params,
        )
    return sentence(
        "With {n} labels you are where training from scratch would need about {needed} (95 % interval {range}): "
        "about {saved} labels saved. More than {n} were not there to be tried, so this is read off a fitted curve "
        "beyond what was measured.",
        n=n,
        needed=about(one["needed"]),
        saved=about(one["saved"]),
        **params,
    )


def _range(one: dict[str, Any], limit: int) -> Sentence:
    """The interval as text; its ends are limited to the measured or extrapolated range."""
    low, high = one["interval"]
    if low >= limit * (1 - 1e-9):
        return sentence("all above {limit}", limit=limit)
    start: Any = sentence("under {n}", n=round(one["least"])) if low <= one["least"] else about(low)
    end: Any = sentence("more than {n}", n=limit) if high is None else about(high)
    return sentence("{low} to {high}", low=start, high=end)


def about(n: float) -> int:
    """A number of labels rounded to two significant digits."""
    if n == 0:
        return 0
    step = 10 ** max(0, int(np.floor(np.log10(abs(n)))) - 1)
    return int(round(n / step) * step)
