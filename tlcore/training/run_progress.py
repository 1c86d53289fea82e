"""What a person sees of a running training: share done, speed, time left, curves. Also where a cancel is noticed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tlcore.core import machine
from tlcore.core.i18n import Sentence, sentence
from tlcore.training.workload import work_of

if TYPE_CHECKING:
    from tlcore.store import Store
    from tlcore.store.attempts import Fence

Progress = Callable[..., None]  # progress(share | None, Sentence, **more); raises Cancelled


class Watch:
    """Counts work in passes over the training set, so that arms and phases add up to one share."""

    def __init__(self, progress: Progress, store: Store, run_id: str, plan: dict[str, Any], fence: Fence | None = None):
        self.progress, self.store, self.run_id, self.plan, self.fence = progress, store, run_id, plan, fence
        self.total = sum(work_of(plan, arm) for arm in plan["arms"]) + 0.5
        self.device = machine.detect().description
        self.done = 0.0  # passes finished, or known not to be needed
        self.worked = 0.0  # passes that this attempt really made
        self.now: dict[str, Any] = {}
        self.sentence = sentence("Preparing")
        self.begun = self.stretch = time.monotonic()  # of this attempt, and of what is being done now
        self.examples = 0  # since the stretch began

    def announce(self, message: Sentence, **now: Any) -> None:
        """What is being done now: arm, seed, trial, phase, epoch, epochs."""
        self.sentence, self.now = message, now
        self.stretch, self.examples = time.monotonic(), 0
        self._tell()

    def step(self, examples: int, weight: float = 1.0) -> None:
        """So many examples more have gone through the network; ``weight`` 1 is forward and backward."""
        self.examples += examples
        passes = weight * examples / max(1, self.plan["n_train"])
        self.done += passes
        self.worked += passes
        self._tell()

    def finish(self, until: float) -> None:
        """Work that early stopping, a cache or an earlier attempt made needless counts as done."""
        self.done = max(self.done, until)
        self._tell()

    def point(self, *, arm: str, seed: int, trial: str, phase: int, epoch: int, seconds: float, **values: float):
        """One point of a curve, straight into the store. Raises AttemptLost where another attempt trains by now."""
        self.store.runs.add_points(
            [
                {
                    "run_id": self.run_id,
                    "arm": arm,
                    "seed": seed,
                    "trial": trial,
                    "phase": phase,
                    "epoch": epoch,
                    "seconds": round(seconds, 3),
                    "values": values,
                }
            ],
            self.fence,
        )

    def _tell(self) -> None:
        share = min(0.99, self.done / self.total)
        self.progress(
            share,
            self.sentence,
            **self.now,
            examples_per_second=self._rate(),
            seconds_left=self._left(),
            device=self.device,
            memory=machine.peak_memory(self.plan["device"]),
        )

    def _rate(self) -> float | None:
        elapsed = time.monotonic() - self.stretch
        return round(self.examples / elapsed, 1) if self.examples and elapsed > 0.2 else None

    def _left(self) -> float | None:
        """Seconds at most, at the pace of this attempt so far; early stopping makes it less."""
        elapsed = time.monotonic() - self.begun
        return round(elapsed * (self.total - self.done) / self.worked) if self.worked > 0.5 and elapsed > 3 else None
