"""The context of all trainings of a run: task, data, source model, plan and folders."""

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
    """The context shared by all arms."""

    task: Task
    dataset: Dataset
    source: OpenSource
    target: dict[str, Any]
    plan: dict[str, Any]
    folder: Path  # the run's folder
    cache: Path  # the workspace's cache folder
    watch: Watch
    sets: Mapping[str, Dataset] = field(default_factory=dict)  # auxiliary datasets, by stream name
    # folder of the run whose shared pre-training is reused; None: this run's own
    before: Path | None = None

    def __post_init__(self) -> None:
        self.machine = machine.detect()
        self.processor = self.plan["processor"]
        self.given = self.sets  # as given; ``sets`` are decontaminated
        self.sets = {name: auxiliary.decontaminate(one, self.dataset, self.task) for name, one in self.given.items()}
        self.metric: Metric = next(m for m in self.task.metrics if m.id == self.plan["metric"])
        self.examples: Mapping[str, Any] = self.task.examples(
            self.dataset, self.processor, self.target, self.cache / "pictures", self.source
        )

    @functools.cached_property
    def streams(self) -> Mapping[str, Any]:
        """The training examples of the auxiliary datasets, by name, without regard to their labels."""
        cache = self.cache / "pictures"
        return {
            name: self.task.examples(dataset, self.processor, self.target, cache, self.source)["train"]
            for name, dataset in self.sets.items()
        }

    @functools.cached_property
    def auxiliary(self) -> dict[str, AuxiliaryTask]:
        """The auxiliary tasks, by name."""
        return auxiliary_tasks.opened(
            self.plan, self.task, self.dataset, self.sets, self.cache / "pictures", self.source
        )

    def beside(self, side: str | None) -> TrainingContext:
        """The context of the single-task baseline of auxiliary task ``side``; ``self`` if it is None."""
        if side is None:
            return self
        one = self.auxiliary[side]
        return replace(self, dataset=one.dataset, target=one.target, sets={})

    def model(self, pretrained: bool, seed: int) -> Any:
        return self.task.model(self.source, self.target, pretrained, size=self.processor["size"], seed=seed)
