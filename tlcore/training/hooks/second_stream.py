"""Batches from a second set of examples, beside those that the loop goes through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.errors import RunFailed
from tlcore.core.i18n import sentence

if TYPE_CHECKING:
    from tlcore.training.hooks.contract import At
    from tlcore.training.phase import Training


def needed(training: Training, name: str) -> Any:
    """The examples of a stream. Raises RunFailed where the run has none of that name."""
    if name not in training.streams or not len(training.streams[name]):
        raise RunFailed(
            sentence("This strategy needs a second set of examples ({name}), which is not there.", name=name),
            code="no-stream",
        )
    return training.streams[name]


def draw(examples: Any, count: int, at: At, device: str, view: int = 0) -> Any:
    """The ``count`` examples that go with a batch of the loop: a function of the seed and of where it stands alone,
    without repeats until all were seen in the epoch. They are augmented as training examples are; another ``view``
    augments the same ones differently.
    """
    n = len(examples)
    order = np.random.default_rng((at.seed, at.epoch, n)).permutation(n)
    chunk = order[(at.seen + np.arange(min(count, n))) % n]
    return next(iter(examples.batches([chunk], (at.seed + view, at.epoch), device)))
