"""What a person sees of a job of many trainings: the share done and the time left over all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tlcore.core.i18n import Sentence, sentence
from tlcore.training.workload import epochs_of

START = 200.0  # what the start of a training costs, in examples seen


def work_of(plan: dict[str, Any], arm: str) -> float:
    """Of one training of an arm: examples seen at most, and as much again as its start takes."""
    return epochs_of(plan["arms"][arm]) * plan["n_train"] + START


@dataclass
class Tally:
    """The part of `training.run_progress.Watch` that a training speaks to, for many trainings without curves of their own.

    ``progress(share, sentence, **more)`` raises Cancelled where the person asked to stop.
    """

    progress: Callable[..., None]
    total: float = 1.0  # of all trainings, as `work_of` counts
    most: float = 0.97  # the share that is left for what comes after them
    before: float = 0.0  # of the trainings that are done
    seen: float = 0.0  # in this one
    worked: float = 0.0  # by this attempt
    done: float = 0.0
    now: dict[str, Any] = field(default_factory=dict)
    sentence: Sentence = field(default_factory=lambda: sentence("Preparing"))
    begun: float = field(default_factory=time.monotonic)

    def begin(self, message: Sentence) -> None:
        self.sentence, self.now = message, {}
        self._tell()

    def end(self, work: float) -> None:
        """A training is done; what early stopping or an earlier attempt made needless counts as done."""
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
