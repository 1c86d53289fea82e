"""Metrics, and the per-example statistics from which they are computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tlcore.core.i18n import Sentence


@dataclass(frozen=True)
class Metric:
    """A metric. Differences are signed so that values above 0 mean that transfer is better.

    ``share``: it is a share in 0-1. ``smallest`` is the smallest difference of interest, in the metric's own units.
    ``least`` is its lower bound. ``across``: it is comparable between models with different tokenizers.
    """

    id: str
    title: Sentence
    higher_is_better: bool = True
    share: bool = True
    smallest: float = 0.01
    least: float | None = None
    across: bool = True


@dataclass
class Records:
    """Per-example statistics of one model on one split: the input of metrics and bootstrap.

    ``columns`` are arrays of length n. ``unit`` (n,) is the resampling unit of each row (image, patient, …); rows of
    the same unit are resampled together.
    """

    ids: Sequence[str]
    unit: np.ndarray
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass
class Baseline:
    """A simple baseline on the test set, without training a network; ``reason`` says why it has no records."""

    id: str
    title: Sentence
    records: Records | None
    reason: Sentence | None = None


class Scorer(Protocol):
    """The part of a task used by the statistics."""

    metrics: tuple[Metric, ...]  # the headline metric first

    def evaluate(self, outputs: np.ndarray, examples: Any, target: dict[str, Any]) -> Records:
        """Records of one model's outputs on a split, in the split's order."""

    def aggregate(self, records: Records, weights: np.ndarray, target: dict[str, Any]) -> dict[str, np.ndarray]:
        """Each metric, (draws,), for each row of ``weights`` (draws, n)."""
