"""A finished model's records on the test set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tlcore.evaluation.records import Records
    from tlcore.tasks.contract import Task


def on_test(
    task: Task, outputs: Callable[[str], np.ndarray], examples: Mapping[str, Any], target: dict[str, Any]
) -> Records:
    """Test-set records with thresholds fitted on validation data.

    ``outputs(split)`` returns the model's outputs on a split.
    """
    target_with_thresholds = task.with_thresholds(outputs("validation"), examples["validation"], target)
    return task.evaluate(outputs("test"), examples["test"], target_with_thresholds)
