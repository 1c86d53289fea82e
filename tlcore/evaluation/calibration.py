"""Calibration errors of confidences, and temperature scaling.

The temperature (Guo et al., arXiv 1706.04599) is fitted on the packed model's validation outputs only and stored in the
bundle. Logits are divided by it before the softmax, in the report and in every prediction. It changes the confidence,
never the predicted class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation import statistics

if TYPE_CHECKING:
    from tlcore.evaluation.records import Records, Scorer

BINS = 15
DRAWS = 1000
FEWEST = 10  # fewest validation examples to fit a temperature
LOWEST, HIGHEST = 0.1, 10.0


def temperature(logits: np.ndarray, truth: np.ndarray) -> tuple[float, Sentence | None]:
    """The temperature with the lowest negative log-likelihood, and None; or 1 and the reason why none is fitted.

    ``logits`` are (n, classes), ``truth`` (n,); examples of an unknown class (-1) are excluded. None is fitted with too
    few examples, or with no wrong one, since higher confidence would then always look better. The likelihood is convex
    in 1 / T.
    """
    known = truth >= 0
    logits, truth = logits[known].astype(np.float64), truth[known]
    if len(truth) < FEWEST:
        return 1.0, sentence("There are only {n} validation examples to calibrate on.", n=len(truth))
    if (logits.argmax(axis=1) == truth).all():
        return 1.0, sentence("No validation example is answered wrongly, so confidence cannot be calibrated on them.")
    from scipy.optimize import minimize_scalar

    def loss(inverse: float) -> float:
        scaled = logits * inverse
        top = scaled.max(axis=1)
        return float(
            np.mean(top + np.log(np.exp(scaled - top[:, None]).sum(axis=1)) - scaled[np.arange(len(truth)), truth])
        )

    found = minimize_scalar(loss, bounds=(1 / HIGHEST, 1 / LOWEST), method="bounded", options={"xatol": 1e-6})
    return float(1 / found.x), None


def bins_of(confidence: np.ndarray, bins: int = BINS) -> np.ndarray:
    """The bin of each example, (n,): bins of equal mass; equal confidences share a bin."""
    edges = np.unique(np.quantile(confidence, np.linspace(0, 1, min(bins, len(confidence)) + 1)[1:-1]))
    return np.searchsorted(edges, confidence, side="left")


def errors(confidence: np.ndarray, right: np.ndarray, weights: np.ndarray, bins: int = BINS) -> dict[str, np.ndarray]:
    """Calibration errors of the predicted classes, (draws,) each, for each row of ``weights`` (draws, n).

    ``ece`` is the expected calibration error over bins of equal mass; it is biased upwards in small bins, where chance
    alone separates confidence and accuracy. ``debiased`` is the root of the squared error minus that bias (Kumar, Liang
    & Ma, arXiv 1909.10155, section 4), at least 0.
    """
    place = bins_of(confidence, bins)
    inside = (place[:, None] == np.unique(place)).astype(np.float64)  # (n, bins)
    mass = weights @ inside
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = np.nan_to_num((weights * right) @ inside / mass)
        stated = np.nan_to_num((weights * confidence) @ inside / mass)
        chance = np.where(mass > 1, accuracy * (1 - accuracy) / (mass - 1), 0.0)
    share = mass / mass.sum(axis=1, keepdims=True)
    squared = (share * ((accuracy - stated) ** 2 - chance)).sum(axis=1)
    return {"ece": (share * np.abs(accuracy - stated)).sum(axis=1), "debiased": np.sqrt(np.maximum(squared, 0.0))}


def brier(probability: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Brier score of each example (n,), the squared error of its probabilities: 0 best, 2 worst (Brier 1950)."""
    wanted = truth[:, None] == np.arange(probability.shape[1])
    return ((probability - wanted) ** 2).sum(axis=1)


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> list[dict[str, Any]]:
    """Confidence and accuracy in bins of equal mass, with the Wilson 95 % interval of the accuracy."""
    place = bins_of(confidence, bins)
    out = []
    for one in np.unique(place):
        here = place == one
        n, share = int(here.sum()), float(right[here].mean())
        centre, spread = share + 1.92 / n, 1.96 * np.sqrt(share * (1 - share) / n + 0.96 / n**2)
        out.append(
            {
                "n": n,
                "confidence": float(confidence[here].mean()),
                "accuracy": share,
                "interval": [
                    max(0.0, float((centre - spread) / (1 + 3.84 / n))),
                    min(1.0, float((centre + spread) / (1 + 3.84 / n))),
                ],
            }
        )
    return out


def describe(before: Records, after: Records, *, draws: int = DRAWS, seed: int = 0) -> dict[str, Any]:
    """Test-set ece, debiased and brier, each with a 95 % interval, ``before`` and ``after`` temperature scaling.

    The bootstrap draws the same test units for both. Resampling adds chance to a calibration error a second time, so
    its interval is shifted by the difference between the value and the mean of the draws.
    """
    rng = np.random.default_rng(seed)
    both = {"before": _answers(before), "after": _answers(after)}
    drawn: dict[str, dict[str, list[np.ndarray]]] = {side: {} for side in both}
    for weights in statistics.resampling_weights(before.unit, draws, rng):
        for side, (confidence, right, squares) in both.items():
            now = errors(confidence, right, weights) | {"brier": weights @ squares / weights.sum(axis=1)}
            for name, values in now.items():
                drawn[side].setdefault(name, []).append(values)
    out: dict[str, Any] = {}
    spread: dict[str, np.ndarray] = {}
    for side, (confidence, right, squares) in both.items():
        value = {name: float(v[0]) for name, v in errors(confidence, right, np.ones((1, len(right)))).items()}
        value["brier"] = float(squares.mean())
        each = {name: np.concatenate(parts) for name, parts in drawn[side].items()}
        out[side] = {name: {"value": value[name], "interval": _centred(value[name], each[name])} for name in value}
        out[side]["reliability"] = reliability(confidence, right)
        spread[side] = each["ece"]
    change = out["after"]["ece"]["value"] - out["before"]["ece"]["value"]
    low, high = np.quantile(spread["after"] - spread["before"], [0.025, 0.975])
    moved = float(np.mean(spread["after"] - spread["before"])) - change
    return out | {"change": {"value": change, "interval": [float(low) - moved, float(high) - moved]}}


def build(
    task: Scorer, outputs: Callable[[str], np.ndarray], examples: Any, target: dict[str, Any]
) -> tuple[dict[str, Any], Records]:
    """The report's ``calibration``, and the packed model's test records with calibrated probabilities.

    ``outputs(split)`` returns the model's outputs, ``examples`` are by split. Tasks whose records have probabilities
    have logits as outputs.
    """
    fitted, reason = temperature(outputs("validation"), examples["validation"].labels)
    before = task.evaluate(outputs("test"), examples["test"], target)
    after = task.evaluate(outputs("test").astype(np.float64) / fitted, examples["test"], target)
    found = describe(before, after)
    return {
        "temperature": fitted,
        "reason": reason.model_dump() if reason else None,
        "bins": BINS,
        "n_validation": len(examples["validation"]),
        "n_test": len(before),
        **found,
    }, after


def summary(calibration: dict[str, Any]) -> Sentence:
    """The result as a sentence, with n and the interval."""
    before, after = calibration["before"]["ece"], calibration["after"]["ece"]
    if calibration["reason"]:
        return sentence(
            "On average the stated confidence and the share that was right are {error} points apart (95 % interval "
            "{low} to {high}, n = {n}). {reason}",
            error=round(100 * before["value"], 1),
            low=round(100 * before["interval"][0], 1),
            high=round(100 * before["interval"][1], 1),
            n=calibration["n_test"],
            reason=calibration["reason"],
        )
    return sentence(
        "On average the stated confidence and the share that was right are {after} points apart (95 % interval {low} "
        "to {high}, n = {n}); before calibration it was {before}. Temperature {temperature}, fitted on {m} validation "
        "examples.",
        after=round(100 * after["value"], 1),
        low=round(100 * after["interval"][0], 1),
        high=round(100 * after["interval"][1], 1),
        n=calibration["n_test"],
        before=round(100 * before["value"], 1),
        temperature=round(calibration["temperature"], 2),
        m=calibration["n_validation"],
    )


def _answers(records: Records) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence in the prediction, correctness (0 or 1) and Brier score of each example, each (n,)."""
    probability, truth = records.columns["probability"], records.columns["truth"]
    answer = records.columns["prediction"]
    confidence = probability[np.arange(len(answer)), answer].astype(np.float64)
    return confidence, (answer == truth).astype(np.float64), brier(probability, truth)


def _centred(value: float, drawn: np.ndarray) -> list[float]:
    low, high = np.quantile(drawn - drawn.mean(), [0.025, 0.975])
    return [max(0.0, value + float(low)), value + float(high)]
