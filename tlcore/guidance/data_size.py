"""Size of the dataset: usable examples, doubtful labels, and the expected gain from more labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, Field

from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation import power_law
from tlcore.guidance import linear_probe

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset

EXACT, NEAR = ("duplicate", "leakage", "conflict"), "near-duplicate"
NAMED = 200  # doubtful labels listed, the most doubtful first
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)  # shares of the probe's training data
REPEATS = 3  # random nested subsets for each size below the full one
DRAWS = 300
WORTH = 0.01  # lowest certain accuracy gain from twice the labels that makes more labels worthwhile


class Suspect(BaseModel):
    """An example whose label differs from the prediction of the cross-validated probe."""

    id: str
    file: str
    label: str
    suggested: str
    own: float  # probability of the given label
    confidence: float  # probability of the suggested label


class LabelNoise(BaseModel):
    examined: int
    count: int
    share: float
    interval: list[float]  # 95 %, of the share
    suspects: list[Suspect] = Field(default_factory=list)  # at most NAMED


class Point(BaseModel):
    """Accuracy on unseen examples of a probe trained on ``n`` examples."""

    n: float
    value: float
    interval: list[float]


class LearningCurve(BaseModel):
    """A fitted learning curve. ``fit``: accuracy(n) = 1 - (c + a n^-b).

    ``now`` and ``doubled`` are points on that curve, ``gain`` is their difference. Intervals are 95 %, from the
    bootstrap over resampling units (examples or groups) and draws.
    """

    points: list[Point]
    fit: dict[str, float]
    now: Point
    doubled: Point
    gain: float
    gain_interval: list[float]
    worth: bool | None  # whether doubling the labels is worthwhile; None: undecided
    sentence: Sentence


class Size(BaseModel):
    """Facts about the amount of data. None: not measured."""

    usable: int
    per_split: dict[str, int]
    per_class: dict[str, int]  # training examples
    imbalance: float
    set_aside: int
    exact_duplicates: int  # files rejected as copies
    near_duplicates: int  # examples that look almost the same as another one
    label_noise: LabelNoise | None = None
    learning_curve: LearningCurve | None = None


def facts(dataset: Dataset, per_class: dict[str, int], imbalance: float) -> Size:
    """Facts that need no network: counts and findings of the upload check."""
    found = {finding.code: finding.count for finding in dataset.info.findings}
    near = dataset.rows["near"].notna().sum() if "near" in dataset.rows else found.get(NEAR, 0)
    return Size(
        usable=sum(dataset.info.n.values()),
        per_split=dataset.info.n,
        per_class=per_class,
        imbalance=imbalance,
        set_aside=dataset.info.set_aside,
        exact_duplicates=sum(found.get(code, 0) for code in EXACT),
        near_duplicates=int(near),
    )


def label_noise(
    probabilities: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    ids: Sequence[str],
    files: Sequence[str],
    units: np.ndarray,
) -> LabelNoise:
    """Labels doubted by confident learning (Northcutt et al. 2021, arXiv 1911.00068; cleanlab).

    ``probabilities`` (n, K) are cross-validated: no example is predicted by a probe trained on its label.
    """
    from cleanlab.filter import find_label_issues

    seen = np.unique(labels)  # cleanlab needs examples of every class
    places = {int(label): at for at, label in enumerate(seen)}
    clipped = np.maximum(probabilities[:, seen], 1e-9)
    clipped = clipped / clipped.sum(axis=1, keepdims=True)
    index = np.array([places[int(label)] for label in labels])
    doubted = find_label_issues(index, clipped, return_indices_ranked_by="self_confidence", n_jobs=1)
    doubted = [int(i) for i in doubted if clipped[i].argmax() != index[i]]
    share, interval = linear_probe.share_interval(np.isin(np.arange(len(labels)), doubted), units)
    suspects = [
        Suspect(
            id=str(ids[i]),
            file=str(files[i]),
            label=names[labels[i]],
            suggested=names[seen[clipped[i].argmax()]],
            own=float(clipped[i, index[i]]),
            confidence=float(clipped[i].max()),
        )
        for i in doubted[:NAMED]
    ]
    return LabelNoise(examined=len(labels), count=len(doubted), share=share, interval=interval, suspects=suspects)


def learning_curve(
    x: np.ndarray,
    labels: np.ndarray,
    units: np.ndarray,
    fold: np.ndarray,
    whole: np.ndarray,
    classes: int,
    dimensions: int,
    n_now: int,
) -> LearningCurve | None:
    """Accuracy of the probe at up to five sizes, on examples it was not trained on; None below 20 examples.

    ``x`` (n, p): the probe's input. ``whole`` (n,) bool: whether the cross-validated probe trained on all other folds
    is right; it is the largest size and already known. ``n_now``: the number of labels at which the curve is evaluated.
    The smaller subsets are nested, stratified by class, and do not split resampling units.
    """
    n = len(labels)
    if n < 20:
        return None
    count = len(np.unique(fold))
    full = n * (count - 1) / count
    shares = [share for share in SHARES if share * full >= max(2 * classes, 8)]
    if len(shares) < 3:
        shares = [1 / 4, 1 / 2, 1.0]
    hits = np.zeros((len(shares), n))
    hits[-1] = whole
    for repeat in range(REPEATS):
        for held in range(count):
            rest, out = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
            if not len(out):
                continue
            order = _nested(labels[rest], units[rest], (repeat, held))
            for at, share in enumerate(shares[:-1]):
                part = rest[order[: max(2, round(share * len(rest)))]]
                predictions = linear_probe.fit(x[part], labels[part], classes, dimensions)(x[out])
                hits[at, out] += (predictions.argmax(axis=1) == labels[out]) / REPEATS
    sizes = np.array([share * full for share in shares])
    means, draws = hits.mean(axis=1), _bootstrap(hits, units)
    return _read(sizes, means, draws, n_now)


def _read(sizes: np.ndarray, means: np.ndarray, draws: np.ndarray, n_now: int) -> LearningCurve:
    """Fit the curve to the means and to every bootstrap draw; evaluate it at ``n_now`` and twice that."""
    at = np.array([n_now, 2 * n_now], float)
    weights = 1 / (draws.var(axis=0) + 1e-4)
    law = power_law.fit(sizes, 1 - means[:, None], weights)
    now, doubled = np.clip(1 - law.error(at), 0, 1)[0]
    drawn = np.clip(1 - power_law.fit(sizes, 1 - draws.T, weights).error(at), 0, 1)
    gain, gains = doubled - now, drawn[:, 1] - drawn[:, 0]
    low, high = _interval(gains)
    worth = True if low >= WORTH else False if high < WORTH else None
    floor, factor, exponent = float(law.a[0]), float(law.b[0]), float(law.c[0])
    return LearningCurve(
        points=[
            Point(n=float(s), value=float(m), interval=_interval(draws[:, i]))
            for i, (s, m) in enumerate(zip(sizes, means, strict=True))
        ],
        fit={"a": factor * law.unit**exponent, "b": exponent, "c": floor},
        now=Point(n=n_now, value=float(now), interval=_interval(drawn[:, 0])),
        doubled=Point(n=2 * n_now, value=float(doubled), interval=_interval(drawn[:, 1])),
        gain=float(gain),
        gain_interval=[low, high],
        worth=worth,
        sentence=_said(n_now, gain, low, high, worth),
    )


def _nested(labels: np.ndarray, units: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """An order of the examples (n,): every prefix is stratified by class and keeps units together."""
    rng = np.random.default_rng((7, *key))
    _, unit = np.unique(units, return_inverse=True)
    rank = rng.permutation(int(unit.max()) + 1)[unit]
    order = np.lexsort((rank, labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        mine = order[labels[order] == label]
        place[mine] = (np.arange(len(mine)) + rng.random()) / len(mine)
    first = np.full(int(unit.max()) + 1, np.inf)
    np.minimum.at(first, unit, place)
    return np.lexsort((place, first[unit]))


def _bootstrap(hits: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Mean hits (draws, sizes) over resampled units; all sizes of one draw share the units."""
    _, unit = np.unique(units, return_inverse=True)
    count = int(unit.max()) + 1
    weights = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=DRAWS).astype(float)
    total = np.stack([np.bincount(unit, row, minlength=count) for row in hits], axis=1)
    return (weights @ total) / (weights @ np.bincount(unit, minlength=count))[:, None]


def _interval(values: np.ndarray) -> list[float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return [float(low), float(high)]


def _said(n: int, gain: float, low: float, high: float, worth: bool | None) -> Sentence:
    params = {"n": n, "gain": round(100 * gain, 1), "low": round(100 * low, 1), "high": round(100 * high, 1)}
    if worth:
        return sentence(
            "With twice the {n} labels a linear head should gain about {gain} points of accuracy ({low} to {high}): "
            "more labels are worth it.",
            **params,
        )
    if worth is None:
        return sentence(
            "With twice the {n} labels a linear head should gain about {gain} points of accuracy ({low} to {high}): "
            "these data leave open whether more labels are worth it.",
            **params,
        )
    return sentence(
        "With twice the {n} labels a linear head should gain only about {gain} points of accuracy ({low} to {high}): "
        "more labels like these would change little.",
        **params,
    )
