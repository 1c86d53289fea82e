"""What all trainings of a run share: task, data, source model, plan, and where their files lie."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core import machine
from tlcore.data import auxiliary
from tlcore.evaluation.records import Metric
from tlcore.tasks.contract import Task
from tlcore.training import auxiliary_tasks
from tlcore.training.auxiliary_tasks import AuxiliaryTask
from tlcore.training.run_progress import Watch

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.models.loading import OpenSource


@dataclass
class TrainingContext:
    """What both arms share."""

    task: Task
    dataset: Dataset
    source: OpenSource
    target: dict[str, Any]
    plan: dict[str, Any]
    folder: Path  # of the run
    cache: Path  # of the workspace
    watch: Watch
    sets: Mapping[str, Dataset] = field(default_factory=dict)  # further ones, by the name of their stream
    before: Path | None = None  # of the run whose phases that are done once serve this one too; None: its own

    def __post_init__(self) -> None:
        self.machine = machine.detect()
        self.processor = self.plan["processor"]
        self.given = self.sets  # as the person gave them; ``sets`` are without what would spoil a score
        self.sets = {name: auxiliary.decontaminate(one, self.dataset, self.task) for name, one in self.given.items()}
        self.metric: Metric = next(m for m in self.task.metrics if m.id == self.plan["metric"])
        self.examples: Mapping[str, Any] = self.task.examples(
            self.dataset, self.processor, self.target, self.cache / "pictures", self.source
        )

    @functools.cached_property
    def streams(self) -> Mapping[str, Any]:
        """The examples of the further sets, whatever their labels; those of a split of theirs are left alone."""
        cache = self.cache / "pictures"
        return {
            name: self.task.examples(dataset, self.processor, self.target, cache, self.source)["train"]
            for name, dataset in self.sets.items()
        }

    @functools.cached_property
    def sides(self) -> dict[str, AuxiliaryTask]:
        """What is learned beside the target task, by name."""
        return auxiliary_tasks.opened(
            self.plan, self.task, self.dataset, self.sets, self.cache / "pictures", self.source
        )

    def beside(self, side: str | None) -> TrainingContext:
        """The same for a side task learned alone: its examples, its classes."""
        if side is None:
            return self
        one = self.sides[side]
        return replace(self, dataset=one.dataset, target=one.target, sets={})

    def model(self, pretrained: bool, seed: int) -> Any:
        return self.task.model(self.source, self.target, pretrained, size=self.processor["size"], seed=seed)
