"""Batches from a second set of examples, drawn beside the training batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.errors import RunFailed
from tlcore.core.i18n import sentence

if TYPE_CHECKING:
    from tlcore.training.hooks.contract import At
    from tlcore.training.phase import Training


def needed(training: Training, name: str) -> Any:
    """The examples of a stream. Raises RunFailed if the run has no such stream or it is empty."""
    if name not in training.streams or not len(training.streams[name]):
        raise RunFailed(
            sentence("This strategy needs a second set of examples ({name}), which is not there.", name=name),
            code="no-stream",
        )
    return training.streams[name]


def draw(examples: Any, count: int, at: At, device: str, view: int = 0) -> Any:
    """``count`` examples to go with a training batch; a function of ``at`` only.

    No example repeats until all were drawn in the epoch. They are augmented like training examples; another ``view``
    gives another augmentation of the same ones.
    """
    n = len(examples)
    order = np.random.default_rng((at.seed, at.epoch, n)).permutation(n)
    chunk = order[(at.seen + np.arange(min(count, n))) % n]
    return next(iter(examples.batches([chunk], (at.seed + view, at.epoch), device)))
