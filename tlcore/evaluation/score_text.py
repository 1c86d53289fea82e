"""Scores and differences as text: shares in per cent and points, others in their own units."""

from __future__ import annotations

from collections.abc import Sequence

from tlcore.core.i18n import Sentence, number, percent, sentence, t
from tlcore.evaluation.records import Metric

NOTHING = "–"
LOWER, HIGHER = sentence("lower"), sentence("higher")


def value(score: float | None, share: bool) -> str:
    if score is None:
        return NOTHING
    return percent(score) if share else number(score, digits(score))


def span(pair: Sequence[float], share: bool) -> str:
    """The interval of a score."""
    return t("{low} to {high}", low=value(pair[0], share), high=value(pair[1], share))


def signed_difference(difference: float | None, share: bool) -> str:
    """A difference with its sign, in points for shares."""
    if difference is None:
        return NOTHING
    sign = "+" if difference > 0 else ""
    if share:
        return t("{points} points", points=sign + number(100 * difference, 1))
    return sign + number(difference, digits(difference))


def difference_span(pair: Sequence[float], share: bool) -> str:
    """The interval of a difference."""
    low, high = (number(100 * end, 1) if share else number(end, digits(end)) for end in pair)
    return t("{low} to {high}", low=low, high=high)


def digits(score: float) -> int:
    """Decimals of a score that is not a share: three significant digits, or no decimals from 100 up."""
    size = abs(score)
    return 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 else 3


def rounded(score: float, share: bool) -> float:
    """A score or difference rounded for a sentence; shares in per cent."""
    return round(100 * score, 1) if share else round(score, digits(score))


def way(difference: float, metric: Metric) -> Sentence:
    """``lower`` or ``higher``: the direction of the score itself for a difference that is above 0 where better."""
    return HIGHER if (difference > 0) == metric.higher_is_better else LOWER


def amount(difference: float, metric: Metric) -> Sentence | float:
    """The absolute difference for a sentence: in points for shares, else in the metric's own units."""
    size = abs(rounded(difference, metric.share))
    return sentence("{points} points", points=size) if metric.share else size


def usual(metric: Metric) -> bool:
    """Whether the metric is a share and higher is better, as for most metrics."""
    return metric.share and metric.higher_is_better
