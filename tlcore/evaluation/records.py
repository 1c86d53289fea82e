"""What scores are made of: metrics, and the statistics of each example that they are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tlcore.core.i18n import Sentence


@dataclass(frozen=True)
class Metric:
    """A score. Differences are always taken so that above 0 means transfer is better.

    ``smallest`` is the smallest difference of interest, in the metric's own units; no score lies below ``least``;
    ``across`` says whether models that cut texts into other tokens can be compared by it.
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
    """Per-unit statistics of one model on one split: all that a metric or a bootstrap needs.

    ``columns`` are arrays of length n; ``unit`` names the unit of resampling of each row (picture, patient, …);
    rows that share a unit are resampled together.
    """

    ids: Sequence[str]
    unit: np.ndarray
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass
class Baseline:
    """What takes one line and no training of a network, on the test set; ``reason`` where it cannot answer."""

    id: str
    title: Sentence
    records: Records | None
    reason: Sentence | None = None


class Scorer(Protocol):
    """The part of a task that statistics need."""

    metrics: tuple[Metric, ...]  # the headline metric first

    def evaluate(self, outputs: np.ndarray, examples: Any, target: dict[str, Any]) -> Records:
        """Records of one model's outputs on a split, in the split's order."""

    def aggregate(self, records: Records, weights: np.ndarray, target: dict[str, Any]) -> dict[str, np.ndarray]:
        """Each metric for each row of ``weights`` (draws × n), as (draws,)."""
