"""What a person sees of a running training: share done, speed, time left, curves. Also where a cancel is noticed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tlcore.strategies.plan import work_of
from tlcore.training import machine
from tlcore.words import Sentence, say

if TYPE_CHECKING:
    from tlcore.store import Store

Progress = Callable[..., None]  # progress(share | None, Sentence, **more); raises Cancelled


class Watch:
    """Counts work in passes over the training set, so that arms and phases add up to one share."""

    def __init__(self, progress: Progress, store: Store, run_id: str, plan: dict[str, Any]):
        self.progress, self.store, self.run_id, self.plan = progress, store, run_id, plan
        self.total = sum(work_of(plan, arm) for arm in plan["arms"]) + 0.5
        self.device = machine.found().said
        self.done = 0.0  # passes finished, or known not to be needed
        self.now: dict[str, Any] = {}
        self.sentence = say("Preparing")
        self.clock = _Clock()

    def say(self, sentence: Sentence, **now: Any) -> None:
        """What is being done now: arm, seed, trial, phase, epoch, epochs."""
        self.sentence, self.now = sentence, now
        self.clock = _Clock()
        self._tell()

    def step(self, examples: int, weight: float = 1.0) -> None:
        """So many examples more have gone through the network; ``weight`` 1 is forward and backward."""
        self.clock.add(examples)
        self.done += weight * examples / max(1, self.plan["n_train"])
        self._tell()

    def finish(self, until: float) -> None:
        """Work that early stopping, a cache or an earlier attempt made needless counts as done."""
        self.done = max(self.done, until)
        self._tell()

    def point(self, *, arm: str, seed: int, trial: str, phase: int, epoch: int, seconds: float, **values: float):
        """One point of a curve, straight into the store."""
        self.store.runs.add_points([
            {"run_id": self.run_id, "arm": arm, "seed": seed, "trial": trial, "phase": phase, "epoch": epoch,
             "seconds": round(seconds, 3), "values": values}
        ])  # fmt: skip

    def _tell(self) -> None:
        share = min(0.99, self.done / self.total)
        self.progress(
            share, self.sentence, **self.now, examples_per_second=self.clock.rate,
            seconds_left=self.clock.left(share), device=self.device, memory=machine.peak_memory(self.plan["device"]),
        )  # fmt: skip


class _Clock:
    """Examples a second over the present stretch, and the time left from the share done since the start."""

    started = time.monotonic()

    def __init__(self) -> None:
        self.begun, self.examples = time.monotonic(), 0

    def add(self, examples: int) -> None:
        self.examples += examples

    @property
    def rate(self) -> float | None:
        elapsed = time.monotonic() - self.begun
        return round(self.examples / elapsed, 1) if self.examples and elapsed > 0.2 else None

    def left(self, share: float) -> float | None:
        elapsed = time.monotonic() - self.started
        return round(elapsed * (1 - share) / share) if share > 0.02 and elapsed > 3 else None
