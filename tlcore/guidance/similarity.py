"""Similarity of the data to a source model's training data, without access to those data.

Three parts and their mean, each from 0 (generated pictures) to 1 (the source's own data):

* ``statistics``: Bhattacharyya distance between the normal distributions stored by the source's batch-norm layers and
  those of the data, averaged over channels, then layers;
* ``head``: free energy of the source's native head (Liu et al. 2020, arXiv 2010.03759);
* ``spread``: participation ratio of the features' covariance, (sum of eigenvalues)^2 / sum of their squares.

The value 0 is the out-of-distribution reference, measured through the same network on generated pictures
(`Task.out_of_distribution`). The value 1 is a distance of zero for the first part; for the other two it is a ratio to
the reference in ``calibration.json``, measured by ``benchmarks/guidance/calibrate_similarity.py`` on natural
photographs and networks trained on them. Texts have other parts (`guidance.text_similarity`).
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from tlcore.training.features import Moments

OF_TEXTS = ("fertility", "surprise")  # parts with the scale of texts, not of pictures
DRAWS = 200
MOST = 500  # examples used for the spread; the time is quadratic in their number


class Part(BaseModel):
    """One part: its value 0-1 with a 95 % interval, and the raw numbers behind it."""

    id: str  # "statistics" | "head" | "spread" | "fertility" | "surprise"
    value: float
    interval: list[float]
    raw: dict[str, float] = Field(default_factory=dict)  # "here", "far", "near" and further numbers


class Similarity(BaseModel):
    """The mean of the measured parts. Its interval assumes fully correlated errors, the widest case."""

    value: float | None
    interval: list[float] | None
    parts: list[Part]


@functools.cache
def calibration() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("calibration.json").read_text())


def similarity(
    moments: Moments | None, features: np.ndarray, logits: np.ndarray | None, reference: dict[str, dict[str, float]]
) -> Similarity:
    """Similarity of training examples.

    ``features`` (n, d); ``logits`` (n, Z) of the source's native head, or None; ``reference``: the out-of-distribution
    reference, `far_end` for each kind of generated picture.
    """
    rng = np.random.default_rng(0)
    near = calibration()["near"]
    parts = []
    if moments is not None and (end := _level(reference, "statistics")):
        here = distance(moments)
        drawn = np.array(
            [
                distance(moments, rng.multinomial(b, np.full(b, 1 / b)) / b)
                for b in [len(moments.mean)]
                for _ in range(DRAWS)
            ]
        )
        # bias correction: resampling adds as much distance as the sample itself did, so the draws are mirrored
        drawn = 2 * here - drawn
        parts.append(part("statistics", 1 - here / end, 1 - drawn / end, here=here, far=end, near=0.0))
    n = len(features)
    if logits is not None and (end := _level(reference, "head")):
        each = energies(logits)
        drawn = rng.multinomial(n, np.full(n, 1 / n), size=DRAWS) @ each / n
        to = near["head"] * end
        parts.append(
            part(
                "head",
                between(each.mean(), end, to),
                between(drawn, end, to),
                here=float(each.mean()),
                far=end,
                near=to,
                confidence=confidence(logits),
            )
        )
    if n >= 8 and (end := _level(reference, "spread")):
        some = features if n <= MOST else features[rng.permutation(n)[:MOST]]
        here, drawn = participation(some), participation(some, rng)
        to = near["spread"] * end
        if here is not None:
            parts.append(
                part(
                    "spread",
                    between(np.log(here), np.log(end), np.log(to)),
                    between(np.log(drawn), np.log(end), np.log(to)),
                    here=here,
                    far=end,
                    near=to,
                    dimensions=features.shape[1],
                )
            )
    return mean_of(parts)


def mean_of(parts: list[Part]) -> Similarity:
    """The similarity as the mean of these parts."""
    if not parts:
        return Similarity(value=None, interval=None, parts=[])
    mean = [float(np.mean([part.interval[end] for part in parts])) for end in (0, 1)]
    return Similarity(value=float(np.mean([part.value for part in parts])), interval=mean, parts=parts)


def out_of_distribution_reference(
    moments: Moments | None, features: np.ndarray, logits: np.ndarray | None
) -> dict[str, float]:
    """The out-of-distribution reference of one kind of generated picture: up to three raw measures.

    Measures that the network does not support are left out.
    """
    levels = {} if moments is None else {"statistics": distance(moments)}
    if logits is not None:
        levels["head"] = float(energies(logits).mean())
    spread = participation(features)
    return levels | ({} if spread is None else {"spread": spread})


def distance(moments: Moments, weights: np.ndarray | None = None) -> float:
    """Bhattacharyya distance of source and data, mean over channels, then layers; ``weights`` (blocks,) sum to 1.

    1/4 (m - s)^2 / (vm + vs) + 1/2 ln((vm + vs) / (2 sqrt(vm vs))) for means m, s and variances vm, vs.
    """
    if weights is None:
        weights = np.full(len(moments.mean), 1 / len(moments.mean))
    mean = weights @ moments.mean.astype(np.float64)
    here = np.maximum(weights @ moments.square.astype(np.float64) - mean**2, 0.0) + 1e-5
    source = moments.source_var.astype(np.float64) + 1e-5
    both = here + source
    each = 0.25 * (mean - moments.source_mean) ** 2 / both + 0.5 * np.log(both / (2 * np.sqrt(here * source)))
    total = np.bincount(moments.layer, each)
    return float((total / np.maximum(np.bincount(moments.layer), 1)).mean())


def energies(logits: np.ndarray) -> np.ndarray:
    """Minus the free energy (n,) of each example: log sum exp of its centred logits (n, Z).

    Softmax is invariant to a constant added to all logits; centring makes the energy invariant as well.
    """
    scaled = logits.astype(np.float64)
    scaled = scaled - scaled.mean(axis=1, keepdims=True)
    top = scaled.max(axis=1)
    return top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))


def softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def confidence(logits: np.ndarray) -> float:
    """Mean probability of the likeliest source class. Reported only: networks are confident on noise, too."""
    return float(softmax(logits).max(axis=1).mean())


def participation(features: np.ndarray, rng: np.random.Generator | None = None) -> Any:
    """The participation ratio of the features' covariance, corrected for small samples; None if all are equal.

    With ``rng``, an array of `DRAWS` bootstrap draws. The sum of squared eigenvalues is estimated from pairs of
    different examples (an unbiased U-statistic).
    """
    x = features.astype(np.float64) - features.mean(axis=0)
    gram = x @ x.T
    own, squares = np.diag(gram).copy(), gram**2
    np.fill_diagonal(squares, 0.0)
    n = len(x)
    p = np.full((1, n), 1 / n) if rng is None else rng.multinomial(n, np.full(n, 1 / n), size=DRAWS) / n
    pairs = ((p @ squares) * p).sum(axis=1) / (1 - (p**2).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.maximum(1.0, (p @ own) ** 2 / pairs)
    if rng is not None:
        return np.where(np.isfinite(ratio), ratio, 1.0)
    return float(ratio[0]) if np.isfinite(ratio[0]) and own.sum() > 0 else None


def _level(reference: dict[str, dict[str, float]], part: str) -> float | None:
    """The out-of-distribution reference of a part: geometric mean over kinds of generated pictures."""
    levels = [kind[part] for kind in reference.values() if kind.get(part, 0) > 0]
    return float(np.exp(np.mean(np.log(levels)))) if levels else None


def between(value: Any, reference_level: float, near: float) -> Any:
    return (value - reference_level) / (near - reference_level)


def part(id: str, value: float, drawn: np.ndarray, **raw: float) -> Part:
    low, high = np.clip(np.quantile(drawn, [0.025, 0.975]), 0, 1)
    value = float(np.clip(value, 0, 1)) + 0.0  # turns -0.0 into 0.0
    return Part(
        id=id,
        value=value,
        interval=[float(min(low, value)), float(max(high, value))],
        raw={name: float(number) for name, number in raw.items()},
    )
