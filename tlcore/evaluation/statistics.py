"""Scores with intervals, and the verdict on whether transfer helps.

Intervals of an arm, and of the difference between two arms, come from a bootstrap nested in seeds: test units are drawn
with replacement (rows of one patient or product together), and the trained seeds are drawn with replacement for each
arm independently (Davison & Hinkley, Bootstrap Methods and their Application, 1997, section 3.8; Saravanan et al.,
arXiv 2007.07797). Both arms and all their seeds use the same drawn units, so the comparison is paired. A bootstrap over
the test set alone finds a difference between two runs of the *same* recipe in a fifth to a third of all cases, because
retraining with another seed moves the score by more than the test set explains (benchmarks/aa.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

import numpy as np

from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation.records import Metric, Records, Scorer

Verdict = Literal["transfer-helps", "no-clear-difference", "negative-transfer"]
DRAWS = 2000
LEVEL = 0.95
DISCORDANCE, DEVIATION = (
    0.2,
    0.01,
)  # assumed before training: share of units with disagreement, SD of accuracy over seeds
CHUNK = 2_000_000  # bootstrap weights in memory at once: 16 MB


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval, in the metric's own units (shares 0-1)."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """Transfer minus scratch baseline; above 0 means that transfer is better, for every metric.

    ``verdict`` is None where an arm has one seed: its interval covers the test set only, not the recipe.
    """

    estimates: dict[str, Estimate]
    headline: str
    verdict: Verdict | None
    p: float = 1.0  # two-sided, of the headline difference; >= 0.05 where its 95 % interval includes 0

    def to_json(self) -> dict[str, Any]:
        """The difference as stored in a report."""
        return {
            "value": self.value,
            "interval": list(self.interval),
            "metrics": {name: estimate.value for name, estimate in self.estimates.items()},
            "intervals": {name: list(estimate.interval) for name, estimate in self.estimates.items()},
        }

    @property
    def value(self) -> float:
        return self.estimates[self.headline].value

    @property
    def interval(self) -> tuple[float, float]:
        return self.estimates[self.headline].interval


def resampling_weights(unit: np.ndarray, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Bootstrap weights in chunks (some draws, n): how often each row is drawn; rows of one unit are drawn together."""
    _, inverse = np.unique(np.asarray(unit), return_inverse=True)
    units = int(inverse.max()) + 1
    shares = np.full(units, 1 / units)
    step = max(1, CHUNK // len(inverse))
    for start in range(0, draws, step):
        counts = rng.multinomial(units, shares, size=min(step, draws - start))
        yield counts[:, inverse].astype(np.float64)


def scores(task: Scorer, records: Sequence[Records], target: dict) -> dict[str, np.ndarray]:
    """Each metric of each seed, (seeds,), without resampling."""
    found = [task.aggregate(one, np.ones((1, len(one))), target) for one in records]
    return {metric.id: np.array([float(f[metric.id][0]) for f in found]) for metric in task.metrics}


def intervals(
    task: Scorer, records: Sequence[Records], target: dict, *, draws: int = DRAWS, seed: int = 0
) -> dict[str, Estimate]:
    """The mean of each metric over seeds, with its 95 % interval for another test set and other seeds.

    ``records`` holds one Records for each seed, on the same rows in the same order. With one seed the interval covers
    only another test set.
    """
    rng = np.random.default_rng(seed)
    found = scores(task, records, target)
    drawn = _drawn(task, [records], target, draws, rng)[0]
    units = len(np.unique(records[0].unit))
    out = {}
    for metric in task.metrics:
        each = found[metric.id]
        low, high = ends(_nested(drawn[metric.id], each, rng, _freedom(each)))
        if metric.share:
            low, high = never_certain(low, high, units)
        if metric.least is not None:  # the seeds' part of the interval is symmetric and may exceed the range
            low = max(low, metric.least)
        out[metric.id] = Estimate(float(each.mean()), (low, high))
    return out


def difference(
    task: Scorer,
    transfer: Sequence[Records],
    baseline: Sequence[Records],
    target: dict,
    *,
    headline: Metric | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Difference:
    """Transfer minus scratch baseline for each metric, and the verdict on the headline metric.

    The sign is flipped where lower is better. The headline is the task's first metric unless ``headline`` is given.
    Raises ValueError where the two arms are not scored on the same rows.
    """
    rng = np.random.default_rng(seed)
    ours, theirs = scores(task, transfer, target), scores(task, baseline, target)
    drawn_ours, drawn_theirs = _drawn(task, [transfer, baseline], target, draws, rng)
    headline, out = headline or task.metrics[0], {}
    for metric in task.metrics:
        sign = 1.0 if metric.higher_is_better else -1.0
        mine, its = ours[metric.id], theirs[metric.id]
        df = _freedom(mine, its)
        spread = _nested(drawn_ours[metric.id], mine, rng, df) - _nested(drawn_theirs[metric.id], its, rng, df)
        value = sign * float(mine.mean() - its.mean())
        low, high = ends(sign * spread)
        if metric.share:  # the seeds' part of the interval is symmetric and may exceed the range
            low, high = max(low, -1.0), min(high, 1.0)
        out[metric.id] = Estimate(value, (low, high))
        if metric is headline:
            units = drawn_ours[metric.id].mean(axis=0) - drawn_theirs[metric.id].mean(axis=0)
            p = max(p_value(spread), _t_test(value, units, len(np.unique(transfer[0].unit)), mine, its))
    verdict = None if min(len(transfer), len(baseline)) < 2 else verdict_of(out[headline.id], headline)
    return Difference(out, headline.id, verdict, p)


def verdict_of(estimate: Estimate, metric: Metric) -> Verdict:
    """The verdict on a difference: clear if its interval excludes 0 and it is at least the smallest of interest."""
    low, high = estimate.interval
    if low > 0 and estimate.value >= metric.smallest:
        return "transfer-helps"
    if high < 0 and estimate.value <= -metric.smallest:
        return "negative-transfer"
    return "no-clear-difference"


def visible_difference(
    n: int, seeds: int, discordance: float = DISCORDANCE, seed_deviation: float = DEVIATION
) -> float:
    """The smallest true accuracy difference that n test units and ``seeds`` seeds detect with 80 % power.

    ``discordance`` is the share of units on which the arms disagree, ``seed_deviation`` the standard deviation of the
    accuracy over seeds. 0.84 is the normal quantile of 80 % power.
    """
    variance = discordance / n + 2 * seed_deviation**2 / seeds
    return (1.96 + 0.84) * sqrt(variance)


def foreseen(n: int, seeds: int) -> Sentence:
    """The difference detectable with n test examples and ``seeds`` seeds, with its assumptions; for the Plan."""
    return sentence(
        "With {n} test examples and {seeds} seeds a difference under {points} points cannot be seen (assuming that the "
        "two models disagree on {discordance} % of the examples, and that accuracy varies by {deviation} point from "
        "seed to seed).",
        n=n,
        seeds=seeds,
        points=round(100 * visible_difference(n, seeds, DISCORDANCE, DEVIATION), 1),
        discordance=round(100 * DISCORDANCE),
        deviation=round(100 * DEVIATION, 1),
    )


def visible(transfer: Sequence[Records], baseline: Sequence[Records]) -> float | None:
    """`visible_difference` with the discordance and the standard deviation over seeds observed in these records.

    None with one seed, or where records have no predictions.
    """
    if min(len(transfer), len(baseline)) < 2 or "prediction" not in transfer[0].columns:
        return None
    ours, theirs = (
        np.stack([one.columns["truth"] == one.columns["prediction"] for one in arm]) for arm in (transfer, baseline)
    )
    discordance = float(np.mean([np.mean(a != b) for a in ours for b in theirs]))
    deviation = sqrt((ours.mean(axis=1).var(ddof=1) + theirs.mean(axis=1).var(ddof=1)) / 2)
    seeds = min(len(transfer), len(baseline))
    return visible_difference(len(np.unique(transfer[0].unit)), seeds, max(discordance, 0.02), deviation)


def in_plain_words(value: float, interval: tuple[float, float]) -> Sentence:
    """A share as examples out of a hundred; the interval's ends are rounded outwards."""
    low, high = int(np.floor(100 * interval[0] + 1e-9)), int(np.ceil(100 * interval[1] - 1e-9))
    about = min(max(round(100 * value), low), high)
    return sentence(
        "Of 100 new examples, about {right} right; between {low} and {high}.", right=about, low=low, high=high
    )


def _drawn(
    task: Scorer, arms: Sequence[Sequence[Records]], target: dict, draws: int, rng: np.random.Generator
) -> list[dict[str, np.ndarray]]:
    """For each arm each metric as (seeds, draws), with the same drawn units for every arm and seed.

    Raises ValueError where the records are not on the same rows.
    """
    first = arms[0][0]
    for arm in arms:
        for one in arm:
            if list(one.ids) != list(first.ids):
                raise ValueError("the records to compare are not on the same rows")
    parts: list[list[list[dict[str, np.ndarray]]]] = [[[] for _ in arm] for arm in arms]
    for weights in resampling_weights(first.unit, draws, rng):
        for a, arm in enumerate(arms):
            for s, one in enumerate(arm):
                parts[a][s].append(task.aggregate(one, weights, target))
    return [
        {m.id: np.stack([np.concatenate([p[m.id] for p in seed]) for seed in arm]) for m in task.metrics}
        for arm in parts
    ]


def _nested(drawn: np.ndarray, found: np.ndarray, rng: np.random.Generator, df: float) -> np.ndarray:
    """Add the variation over seeds to the bootstrap: (seeds, draws) and the observed scores (seeds,) to (draws,).

    Each draw is the mean over seeds on the drawn units, shifted by the mean deviation of k seeds drawn from k. Drawing
    k from k underestimates the variance by a factor of (k - 1) / k, and a few seeds estimate it with only ``df``
    degrees of freedom. So deviations are inflated by sqrt(k / (k - 1)) and by the ratio of Student's t to the normal
    quantile. Identical seeds (a linear head fitted on features) add nothing.
    """
    seeds, draws = drawn.shape
    mean = drawn.mean(axis=0)
    if seeds == 1:
        return mean
    deviation = (found - found.mean())[rng.integers(0, seeds, size=(seeds, draws))].mean(axis=0)
    return mean + deviation * sqrt(seeds / (seeds - 1)) * _t_975(df) / 1.96


def _freedom(*arms: np.ndarray) -> float:
    """Degrees of freedom of the seeds' variance (Welch 1947); an arm with identical seeds adds none."""
    parts = [(arm.var(ddof=1) / len(arm), len(arm) - 1) for arm in arms if len(arm) > 1]
    total = sum(variance for variance, _ in parts)
    return total**2 / sum(v**2 / df for v, df in parts) if total > 0 else np.inf


def _t_test(value: float, drawn: np.ndarray, n: int, *arms: np.ndarray) -> float:
    """Two-sided p of a difference by Student's t, also usable far in the tails, where draws of three seeds from three
    are uninformative.

    Combines the variance over ``n`` drawn units and that over the seeds of each arm, with Welch's degrees of freedom.
    """
    from scipy.special import stdtr

    parts = [(float(drawn.var(ddof=1)), max(1, n - 1))]
    parts += [(float(arm.var(ddof=1)) / len(arm), len(arm) - 1) for arm in arms if len(arm) > 1]
    total = sum(variance for variance, _ in parts)
    if total <= 0:
        return 1.0 if value == 0 else 0.0
    df = total**2 / sum(variance**2 / freedom for variance, freedom in parts)
    return float(2 * stdtr(df, -abs(value) / sqrt(total)))


def _t_975(df: float) -> float:
    """The 97.5 % quantile of Student's t, interpolated in 1 / df."""
    known = np.array([1, 2, 3, 4, 5, 6, 8, 10, 15, 30, 1e9])
    value = np.array([12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.306, 2.228, 2.131, 2.042, 1.96])
    return float(np.interp(-1 / max(df, 1.0), -1 / known, value))


def ends(drawn: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def p_value(drawn: np.ndarray) -> float:
    """The level at which the percentile interval of the draws reaches 0 (Efron & Tibshirani 1993, ch. 15)."""
    beyond = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return min(1.0, 2 * (beyond + 1) / (len(drawn) + 1))


def never_certain(low: float, high: float, units: int) -> tuple[float, float]:
    """The interval of a share, clipped to 0-1 and never of zero width.

    Where every unit is right (or wrong) there is nothing to resample; the exact binomial bound of ``units`` successes
    in a row then replaces that end (Clopper & Pearson, 1934).
    """
    low, high = max(low, 0.0), min(high, 1.0)
    exact = ((1 - LEVEL) / 2) ** (1 / units)
    if low > 1 - 1e-12:
        low = exact
    if high < 1e-12:
        high = 1 - exact
    return low, high
