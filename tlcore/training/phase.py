"""Inputs and result of the training of one phase."""

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
    """The inputs of one training. ``phase`` is a `train_phase` of the Plan."""

    task: Task
    model: Any
    examples: Mapping[str, Any]
    target: dict[str, Any]
    phase: dict[str, Any]
    rate: float
    epochs: int
    patience: int | None  # epochs without a better validation score before stopping; None: never
    seed: int
    batch_size: int
    accumulation: int
    machine: Any
    checkpoint: Checkpoint
    metric: Metric
    minutes: float | None = None
    streams: Mapping[str, Any] = field(default_factory=dict)  # auxiliary examples for the phase or its hooks, by name
    sets: Mapping[str, Any] = field(default_factory=dict)  # the datasets of the streams
    # auxiliary tasks for hooks (`training.auxiliary_tasks.AuxiliaryTask`)
    auxiliary: Mapping[str, Any] = field(default_factory=dict)
    keep: bool = False  # keep the final state in the checkpoint, for later phases
    on_step: Callable[[int], None] = lambda n: None
    on_epoch: Callable[..., None] = lambda **values: None

    def validated(self, model: Any, device: str) -> dict[str, float]:
        """The task's metrics and the mean loss on the validation subset used after each epoch."""
        examples = inference.evaluation_subset(self.task, self.examples["validation"], "validation")
        size = max(1, self.batch_size // self.accumulation)
        return inference.score(self.task, model, examples, self.target, size, device)


@dataclass
class Trained:
    """The best state by validation data, and the training that produced it."""

    score: tuple[float, float]  # headline metric (higher is better), then minus the loss
    best_epoch: int
    epochs: int
    seconds: float
    examples_per_second: float | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)  # report sentences as JSON
    measured: dict[str, Any] = field(default_factory=dict)  # by the hooks, under their ids

    def then(self, after: Trained) -> Trained:
        """This phase combined with the next one; the state is that of the later."""
        return replace(
            after,
            best_epoch=self.epochs + after.best_epoch,
            epochs=self.epochs + after.epochs,
            seconds=self.seconds + after.seconds,
            history=[*self.history, *after.history],
            notes=[*self.notes, *after.notes],
            measured={**self.measured, **after.measured},
        )
