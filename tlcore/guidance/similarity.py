"""Similarity of the data to what a source model was trained on, without the source's data.

Three parts, each 0 (as far as pictures made by code) to 1 (as near as the source's own data), and their mean:

* ``statistics``: Bhattacharyya's distance between the normal distributions that batch-norm layers kept from the
  source's training and those that the data give, averaged over channels, then layers;
* ``head``: the free energy of the source's own head (Liu et al. 2020, arXiv 2010.03759);
* ``spread``: the participation ratio of the features' covariance, (sum of eigenvalues)^2 / sum of their squares.

The far end is measured through the very same network: pictures that a task makes by code (`Task.far`). The near end of
the first part is a distance of zero; those of the other two are ratios to the far end in ``calibration.json``, which
``benchmarks/guidance/calibrate_similarity.py`` measured on natural photographs and networks that know them. Texts have
parts of their own (`guidance.text_similarity`).
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from tlcore.training.features import Moments

OF_TEXTS = ("fertility", "surprise")  # parts whose scale is not that of pictures
DRAWS = 200
MOST = 500  # examples that the spread is measured on; the time grows with the square


class Part(BaseModel):
    """One part: its value 0-1 with a 95 % interval, and the raw numbers it comes from."""

    id: str  # "statistics" | "head" | "spread" | "fertility" | "surprise"
    value: float
    interval: list[float]
    raw: dict[str, float] = Field(default_factory=dict)  # "here", "far", "near"; and what else is told


class Similarity(BaseModel):
    """The mean of the parts that could be measured. Its interval takes their errors to go together (the wide way)."""

    value: float | None
    interval: list[float] | None
    parts: list[Part]


@functools.cache
def calibration() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("calibration.json").read_text())


def similarity(
    moments: Moments | None, features: np.ndarray, logits: np.ndarray | None, reference: dict[str, dict[str, float]]
) -> Similarity:
    """Of training examples: ``features`` (n, d), the source head's ``logits`` (n, Z) or None, and the far end
    as `far_end` gives it for each kind of picture made by code."""
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
        drawn = 2 * here - drawn  # resampling adds as much distance again as the sample did: mirrored
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
    """The similarity that these parts give together."""
    if not parts:
        return Similarity(value=None, interval=None, parts=[])
    mean = [float(np.mean([part.interval[end] for part in parts])) for end in (0, 1)]
    return Similarity(value=float(np.mean([part.value for part in parts])), interval=mean, parts=parts)


def far_end(moments: Moments | None, features: np.ndarray, logits: np.ndarray | None) -> dict[str, float]:
    """The three raw measures of one kind of pictures made by code; what the network does not have is left out."""
    levels = {} if moments is None else {"statistics": distance(moments)}
    if logits is not None:
        levels["head"] = float(energies(logits).mean())
    spread = participation(features)
    return levels | ({} if spread is None else {"spread": spread})


def distance(moments: Moments, weights: np.ndarray | None = None) -> float:
    """Bhattacharyya's distance of source and data, the mean over channels, then layers; ``weights`` (blocks,) sum to 1.

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
    """Minus the free energy of each example, log sum exp of its logits (n, Z) about their mean.

    Softmax does not tell a constant added to all logits; about the mean the energy does not either.
    """
    scaled = logits.astype(np.float64)
    scaled = scaled - scaled.mean(axis=1, keepdims=True)
    top = scaled.max(axis=1)
    return top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))


def softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def confidence(logits: np.ndarray) -> float:
    """Mean probability of the likeliest source class. Told, not used: networks are as sure of noise as of their own."""
    return float(softmax(logits).max(axis=1).mean())


def participation(features: np.ndarray, rng: np.random.Generator | None = None) -> Any:
    """The participation ratio of the features' covariance, without the bias of few examples; None where they do not
    differ. With ``rng`` an array of `DRAWS` bootstrap draws.

    The sum of squared eigenvalues is estimated from pairs of different examples only (an unbiased U-statistic).
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
    """The far end: the geometric mean over the kinds of pictures made by code."""
    levels = [kind[part] for kind in reference.values() if kind.get(part, 0) > 0]
    return float(np.exp(np.mean(np.log(levels)))) if levels else None


def between(value: Any, far_level: float, near: float) -> Any:
    return (value - far_level) / (near - far_level)


def part(id: str, value: float, drawn: np.ndarray, **raw: float) -> Part:
    low, high = np.clip(np.quantile(drawn, [0.025, 0.975]), 0, 1)
    value = float(np.clip(value, 0, 1)) + 0.0  # and no minus nought
    return Part(
        id=id,
        value=value,
        interval=[float(min(low, value)), float(max(high, value))],
        raw={name: float(number) for name, number in raw.items()},
    )
