"""Progress of a running training: finished share, speed, remaining time, curves. A cancel is raised here, too."""

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
        self.done = 0.0  # passes finished or skipped
        self.worked = 0.0  # passes made by this attempt
        self.now: dict[str, Any] = {}
        self.sentence = sentence("Preparing")
        self.begun = self.stretch = time.monotonic()  # start of this attempt and of the present step
        self.examples = 0  # since the present step began

    def announce(self, message: Sentence, **now: Any) -> None:
        """Set the present step: arm, seed, trial, phase, epoch, epochs."""
        self.sentence, self.now = message, now
        self.stretch, self.examples = time.monotonic(), 0
        self._tell()

    def step(self, examples: int, weight: float = 1.0) -> None:
        """Count ``examples`` more through the network; ``weight`` 1 is a forward and backward pass."""
        self.examples += examples
        passes = weight * examples / max(1, self.plan["n_train"])
        self.done += passes
        self.worked += passes
        self._tell()

    def finish(self, until: float) -> None:
        """Count work as done that early stopping, a cache or an earlier attempt skipped."""
        self.done = max(self.done, until)
        self._tell()

    def point(self, *, arm: str, seed: int, trial: str, phase: int, epoch: int, seconds: float, **values: float):
        """Store one point of a curve. Raises AttemptLost if another attempt has taken over."""
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
        """Remaining seconds at this attempt's pace; an upper bound because of early stopping."""
        elapsed = time.monotonic() - self.begun
        return round(elapsed * (self.total - self.done) / self.worked) if self.worked > 0.5 and elapsed > 3 else None
