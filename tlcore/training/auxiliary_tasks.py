"""Auxiliary tasks of a run, learned beside the target task, each with its examples and classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.data import auxiliary
from tlcore.data.dataset import SPLITS

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.models.loading import OpenSource
    from tlcore.tasks.contract import Task


@dataclass(frozen=True)
class AuxiliaryTask:
    """One auxiliary task. ``same_examples``: more labels of the target task's examples, else its own dataset."""

    dataset: Dataset
    target: dict[str, Any]
    examples: Mapping[str, Any]
    same_examples: bool


def named(plan: Mapping[str, Any]) -> list[str]:
    """The names of a Plan's auxiliary tasks, in order; ``extra`` is the second labelled dataset."""
    phases = plan["arms"]["transfer"]["phases"]
    return [name for phase in phases for hook in phase.get("hooks", ()) for name in hook.get("sides", ())]


def opened(
    plan: Mapping[str, Any],
    task: Task,
    dataset: Dataset,
    sets: Mapping[str, Dataset],
    cache: Path,
    source: OpenSource | None,
) -> dict[str, AuxiliaryTask]:
    """The auxiliary tasks of a run by name.

    ``sets`` are decontaminated against the run's examples (`auxiliary.decontaminate`); ``cache`` is the picture cache.
    Raises UnusableInput if an auxiliary task has no labelled example in a split.
    """
    found = {}
    for name in named(plan):
        own = name == "extra" and name in sets
        view = auxiliary.some_left(sets[name]) if own else dataset.with_labels(name)
        if empty := next((split for split in SPLITS if not view.info.n[split]), None):
            raise UnusableInput(
                sentence(
                    "The further task {name} has no labelled example among those for {split}; it needs some in each "
                    "split, with labels that training examples have too.",
                    name=name,
                    split=empty,
                ),
                code="side-empty",
            )
        target = task.fit_target(view)
        examples = task.examples(view, plan["processor"], target, cache, source)
        found[name] = AuxiliaryTask(view, target, examples, same_examples=not own)
    return found
