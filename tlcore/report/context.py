"""Everything a report or a bundle is made from, gathered once by the flow."""

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
    """One finished training, before its report."""

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
    arms: dict[str, list[ArmResult]]  # "transfer" and, unless the spec refuses it, "twin"

    @property
    def owner(self) -> str | None:
        """Whose run it is."""
        run = self.store.runs.get(self.run_id)
        return run.owner if run else None
