"""The input of reports and bundles, built once by the flow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.models.loading import OpenSource
    from tlcore.spec import Spec
    from tlcore.store import Store
    from tlcore.tasks.contract import Task
    from tlcore.training.result import ArmResult


@dataclass
class RunContext:
    """The results of one finished training, before its report is built."""

    store: Store
    run_id: str
    folder: Path
    spec: Spec
    requested_strategy: str
    task: Task
    dataset: Dataset
    source: OpenSource
    target: dict[str, Any]  # {"labels": [...]} for classification
    processor: dict[str, Any]
    plan: dict[str, Any]
    arms: dict[str, list[ArmResult]]  # one result per seed; "transfer" and, unless the spec turns it off, "twin"

    @property
    def owner(self) -> str | None:
        """The owner of the run; None if the store has no such run."""
        run = self.store.runs.get(self.run_id)
        return run.owner if run else None
