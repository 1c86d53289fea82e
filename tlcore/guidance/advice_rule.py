"""The rule behind the advice: the expected score of each strategy, fitted on a measured grid.

For every strategy but feature extraction, a Bayesian linear regression (MacKay 1992) predicts the difference of its
test accuracy from that of feature extraction. The inputs are the examples per class, the headroom above the
cross-validated probe, the product of the two, and the similarity to the source. Feature extraction is expected to reach
the probe's accuracy. Coefficients, their covariance and the training grid are in ``rule-<modality>.json``, one for
pictures and one for texts, written by ``benchmarks/guidance/regret.py``. Does not import torch.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Container
from dataclasses import dataclass, replace
from math import erf, log2, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.i18n import sentence

if TYPE_CHECKING:
    from tlcore.guidance.evidence import Evidence

FITTED_ON = {
    "image": sentence("pictures"),
    "text": sentence("texts"),
}  # modalities with a rule; the others use the first one
BASE = "feature-extraction"
DISCORDANCE, SUPPOSED = 0.2, 10  # disagreement of two strategies' models, and its prior weight in examples
NAMES = ("one", "log2 of examples a class", "headroom", "log2 of examples a class x headroom", "similarity")


@dataclass(frozen=True)
class Situation:
    """The inputs of the rule."""

    per_class: float  # training examples per class, mean
    probe: float  # cross-validated accuracy of a linear head, 0-1
    probe_interval: tuple[float, float]
    classes: int
    similarity: float | None  # 0-1, on the scale of the rule's modality; None counts as the grid's mean
    modality: str = "image"  # selects the rule

    @classmethod
    def of(cls, evidence: Evidence) -> Situation | None:
        """The inputs taken from the evidence; None if the probe was not measured."""
        estimates = evidence.transferability
        if not estimates or not estimates.get("probe"):
            return None
        low, high = estimates["probe"]["interval"]
        classes = len(evidence.n_per_class)
        probe, per_class = estimates["probe"]["value"], evidence.n_train / classes
        if evidence.modality in FITTED_ON:
            return cls(per_class, probe, (low, high), classes, evidence.similarity, evidence.modality)
        # similarity of other modalities is on a different scale
        return cls(per_class, probe, (low, high), classes, None)

    def vector(self, mean_similarity: float) -> np.ndarray:
        """The regression inputs (5,), in the order of NAMES.

        Headroom is the accuracy left above the probe, as a share of the accuracy left above chance.
        """
        chance = 1 / self.classes
        headroom = (1 - self.probe) / (1 - chance)
        size = log2(max(self.per_class, 1.0)) - 5  # 0 at 32 examples per class
        similarity = mean_similarity if self.similarity is None else self.similarity
        return np.array([1.0, size, headroom, size * headroom, similarity - mean_similarity])


@dataclass(frozen=True)
class Expected:
    """A strategy's expected test accuracy, and its gain over feature extraction (both 0-1)."""

    strategy: str
    value: float
    interval: tuple[float, float]  # 80 %
    gain: float
    gain_deviation: float


def file(modality: str) -> Path:
    return Path(__file__).with_name(f"rule-{modality}.json")


@functools.cache
def fitted(modality: str = "image") -> dict[str, Any]:
    """The fitted rule of a modality.

    Keys: "mean_similarity", "strategies" ({id: {"weights", "covariance", "noise"}}), "correlation", "cells", "sets",
    "points".
    """
    return json.loads(file(modality).read_text())


def expect(here: Situation, rule: dict[str, Any] | None = None) -> dict[str, Expected]:
    """The expected score of each strategy in the grid, by id."""
    rule = rule or fitted(here.modality)
    x = here.vector(rule["mean_similarity"])
    probe_deviation = (here.probe_interval[1] - here.probe_interval[0]) / (2 * 1.96)
    predictions = {BASE: (0.0, 0.0)}
    for name, one in rule["strategies"].items():
        deviation = sqrt(one["noise"] ** 2 + float(x @ np.array(one["covariance"]) @ x))
        predictions[name] = (float(x @ np.array(one["weights"])), deviation)
    out = {}
    for name, (gain, deviation) in predictions.items():
        value = min(1.0, max(0.0, here.probe + gain))
        spread = 1.2816 * sqrt(deviation**2 + probe_deviation**2)
        out[name] = Expected(name, value, (max(0.0, value - spread), min(1.0, value + spread)), gain, deviation)
    return out


def best(expected: dict[str, Expected]) -> str:
    """The transfer strategy with the highest expected score; of equal ones the cheapest."""
    order = ordered(expected)
    return max(order, key=lambda name: (round(expected[name].gain, 4), -order.index(name)))


def ordered(known: Container[str]) -> list[str]:
    """The transfer strategies in ``known``, cheapest first (the order of STRATEGIES)."""
    from tlcore.strategies import STRATEGIES

    return [one.id for one in STRATEGIES if one.id in known and one.pretrained]


def risk(expected: dict[str, Expected], strategy: str) -> float | None:
    """Probability that training from scratch beats ``strategy``; None if the grid has no scratch baseline."""
    if "scratch" not in expected:
        return None
    ours, its = expected[strategy], expected["scratch"]
    spread = sqrt(ours.gain_deviation**2 + its.gain_deviation**2)
    return 0.5 * (1 + erf((its.gain - ours.gain) / (spread * sqrt(2)))) if spread else float(its.gain > ours.gain)


def regions(here: Situation, per_class: list[float], similarity: list[float]) -> list[list[str]]:
    """The advised strategy for every (similarity, examples per class), other inputs as in ``here``: rows of a map."""
    rule = fitted(here.modality)
    mean_similarity = rule["mean_similarity"]
    x = np.array(
        [[replace(here, per_class=n, similarity=s).vector(mean_similarity) for n in per_class] for s in similarity]
    )
    gains = {BASE: np.zeros(x.shape[:2])} | {
        name: x @ np.array(one["weights"]) for name, one in rule["strategies"].items()
    }
    names = ordered(gains)
    top = np.argmax(np.round([gains[name] for name in names], 4), axis=0)
    return [[names[i] for i in row] for row in top]


@dataclass(frozen=True)
class PilotScores:
    """Pilot scores of the strategies that reached the last round, on the same ``n`` validation examples."""

    scores: dict[str, float]  # accuracy, 0-1
    errors: dict[str, dict[str, float]]  # standard error of the paired difference of each two strategies
    n: int
    dropped: tuple[str, ...] = ()  # strategies eliminated in earlier rounds

    def variance(self, one: str, other: str) -> float:
        """Variance of the paired difference of two strategies' accuracies.

        It includes `SUPPOSED` prior examples with the usual `DISCORDANCE`: two models that agree on a few examples are
        not necessarily equal.
        """
        seen = self.n**2 * self.errors[one][other] ** 2
        return (seen + SUPPOSED * DISCORDANCE) / (self.n + SUPPOSED) / self.n if one != other else 0.0


def join(expected: dict[str, Expected], raced: PilotScores, rule: dict[str, Any]) -> tuple[dict[str, Expected], str]:
    """The expectation combined with pilot scores, and the strategy to advise.

    The rule is the joint prior of all gains (with their correlation in the grid), the paired differences of validation
    scores are the observations, and the result is a normal posterior. The advice changes only if another strategy leads
    by more than one standard error of the posterior, since a wrong change costs more than a missed one gains. A
    strategy eliminated in the pilot is expected to score at most as high as the best remaining one.
    """
    names = [name for name in expected if name in raced.scores]
    if len(names) < 2:
        return expected, best(expected)
    correlation = rule.get("correlation", {})
    deviation = np.array([expected[name].gain_deviation for name in names])
    correlations = np.array([[1.0 if a == b else correlation.get(a, {}).get(b, 0.0) for b in names] for a in names])
    gain, prior = np.array([expected[name].gain for name in names]), correlations * np.outer(deviation, deviation)
    contrast = np.eye(len(names))[1:] - np.eye(len(names))[0]
    scores = np.array([raced.scores[name] for name in names])
    variances = np.array([[raced.variance(a, b) for b in names] for a in names])
    noise = (variances[1:, :1] + variances[:1, 1:] - variances[1:, 1:]) / 2
    trust = prior @ contrast.T @ np.linalg.inv(contrast @ prior @ contrast.T + noise)
    after = gain + trust @ contrast @ (scores - gain)
    left = prior - trust @ contrast @ prior
    out = dict(expected)
    for name, now, variance in zip(names, after, np.diag(left), strict=True):
        out[name] = _moved(expected[name], float(now), sqrt(max(0.0, float(variance))))
    top = max(float(now) for now in after)
    for name in raced.dropped:
        if name in out and out[name].gain > top:
            out[name] = _moved(out[name], top, out[name].gain_deviation)
    ahead, before = best({name: out[name] for name in names}), best({name: expected[name] for name in names})
    i, j = names.index(ahead), names.index(before)
    lead, error = after[i] - after[j], sqrt(max(0.0, left[i, i] + left[j, j] - 2 * left[i, j]))
    return out, ahead if lead > error else before


def _moved(one: Expected, gain: float, deviation: float) -> Expected:
    """The same strategy with another expected gain and deviation."""
    by = gain - one.gain
    value, low, high = (min(1.0, max(0.0, end + by)) for end in (one.value, *one.interval))
    return Expected(one.strategy, value, (min(low, value), max(high, value)), gain, deviation)
