"""Progress of a job with many trainings: finished share and remaining time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tlcore.core.i18n import Sentence, sentence
from tlcore.training.workload import epochs_of

START = 200.0  # cost of starting a training, in examples


def work_of(plan: dict[str, Any], arm: str) -> float:
    """The work of one training of an arm, in examples: the maximum to train on, plus its start."""
    return epochs_of(plan["arms"][arm]) * plan["n_train"] + START


@dataclass
class Tally:
    """The part of `training.run_progress.Watch` that a training calls, for many trainings without curves.

    ``progress(share, sentence, **more)`` raises Cancelled if the user cancels.
    """

    progress: Callable[..., None]
    total: float = 1.0  # work of all trainings, as counted by `work_of`
    most: float = 0.97  # largest reported share; the rest is for later steps
    before: float = 0.0  # work of finished trainings
    seen: float = 0.0  # work in this training
    worked: float = 0.0  # work done by this attempt
    done: float = 0.0
    now: dict[str, Any] = field(default_factory=dict)
    sentence: Sentence = field(default_factory=lambda: sentence("Preparing"))
    begun: float = field(default_factory=time.monotonic)

    def begin(self, message: Sentence) -> None:
        self.sentence, self.now = message, {}
        self._tell()

    def end(self, work: float) -> None:
        """Finish a training; work skipped by early stopping or an earlier attempt counts as done."""
        self.worked += self.seen + START if self.seen else 0.0
        self.before, self.seen = self.before + work, 0.0
        self._tell()

    def announce(self, message: Sentence, **now: Any) -> None:
        self.now = now
        self._tell()

    def step(self, examples: int, weight: float = 1.0) -> None:
        self.seen += examples * weight
        self._tell()

    def finish(self, until: float) -> None:
        self._tell()

    def point(self, **values: Any) -> None:
        self.now = {**self.now, "epoch": values.get("epoch")}

    def _tell(self) -> None:
        done, worked = self.before + self.seen, self.worked + self.seen
        elapsed = time.monotonic() - self.begun
        left = max(0, round(elapsed * (self.total - done) / worked)) if elapsed > 3 and worked > START else None
        self.progress(min(self.most, done / self.total), self.sentence, **self.now, seconds_left=left)
