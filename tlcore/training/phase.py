"""What the training of one phase needs, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tlcore.evaluation.records import Metric
from tlcore.tasks.contract import Task
from tlcore.tasks.shared import inference
from tlcore.training.checkpoint import Checkpoint


@dataclass
class Training:
    """What one training needs. ``phase`` is a `train_phase` of the Plan."""

    task: Task
    model: Any
    examples: Mapping[str, Any]
    target: dict[str, Any]
    phase: dict[str, Any]
    rate: float
    epochs: int
    patience: int | None  # epochs without a better validation score before it stops; None: never
    seed: int
    batch_size: int
    accumulation: int
    machine: Any
    checkpoint: Checkpoint
    metric: Metric
    minutes: float | None = None
    streams: Mapping[str, Any] = field(default_factory=dict)  # further examples, for the phase or its hooks, by name
    sets: Mapping[str, Any] = field(default_factory=dict)  # the datasets that the streams are of
    sides: Mapping[str, Any] = field(default_factory=dict)  # further tasks, for hooks (`training.auxiliary_tasks.Side`)
    keep: bool = False  # the state at the end stays in the checkpoint, for the phases that come after
    on_step: Callable[[int], None] = lambda n: None
    on_epoch: Callable[..., None] = lambda **values: None

    def validated(self, model: Any, device: str) -> dict[str, float]:
        """The task's metrics and the mean loss on as many validation examples as the task judges after an epoch."""
        examples = inference.evaluation_subset(self.task, self.examples["validation"], "validation")
        size = max(1, self.batch_size // self.accumulation)
        return inference.score(self.task, model, examples, self.target, size, device)


@dataclass
class Trained:
    """The best state by validation data, and how it was reached."""

    score: tuple[float, float]  # headline metric (higher is better), then minus the loss
    best_epoch: int
    epochs: int
    seconds: float
    examples_per_second: float | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)  # sentences for the report, dumped
    measured: dict[str, Any] = field(default_factory=dict)  # by the hooks, under their ids

    def then(self, after: Trained) -> Trained:
        """This phase and the one that went on from it: the state is that of the later one."""
        return replace(
            after,
            best_epoch=self.epochs + after.best_epoch,
            epochs=self.epochs + after.epochs,
            seconds=self.seconds + after.seconds,
            history=[*self.history, *after.history],
            notes=[*self.notes, *after.notes],
            measured={**self.measured, **after.measured},
        )
