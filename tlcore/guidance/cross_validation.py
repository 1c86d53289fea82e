"""Cross-validation folds for validation sets that are too small to compare strategies.

With 10 to 30 validation examples, a difference between two trained models is mostly noise. In every fold another part
of the training data is the validation set and all other examples train. No example validates twice, resampling units
stay together (`Task.nested`), and the test set is not used. Scores are computed on the examples of all folds together
(cross-validation; Stone 1974).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.evaluation.records import Records
    from tlcore.tasks.contract import Task

ENOUGH = 100  # validation examples: models that disagree on 20 % of them differ with a standard error of 4.5 points
MOST = 3  # folds, including the dataset's own validation set; each one more training per strategy


def count(train: int, validation: int) -> int:
    """The number of folds to use; 1 if the dataset's own validation set is large enough."""
    pieces = round(train / validation) if validation else 0
    return 1 + min(MOST - 1, pieces, ceil(ENOUGH / validation) - 1) if pieces > 1 else 1


def folds(task: Task, dataset: Dataset) -> list[Dataset]:
    """The dataset itself, then views with other validation parts, until `ENOUGH` examples have validated."""
    train, n = dataset.split("train"), len(dataset.split("validation"))
    further = count(len(train), n) - 1
    if not further or _strange(task, dataset):
        return [dataset]
    pieces = round(len(train) / n)
    units = task.nested(train, 0)
    ends = np.cumsum([len(unit) for unit in units])
    piece = np.minimum((ends - 1) * pieces // ends[-1], pieces - 1)
    names = train["id"].to_numpy()
    parts = [[unit for unit, at in zip(units, piece, strict=True) if at == fold] for fold in range(further)]
    return [dataset, *(dataset.with_validation(names[np.concatenate(part)]) for part in parts if part)]


def rearranged(features: Mapping[str, np.ndarray], dataset: Dataset, fold: Dataset) -> dict[str, np.ndarray]:
    """Frozen features (n, d) of train and validation of ``dataset``, rearranged for the fold ``turn``.

    Empty if features are missing for some examples: a task may evaluate only a subset of the validation data.
    """
    if any(len(rows) != len(dataset.split(split)) for split, rows in features.items()):
        return {}
    of = {
        name: rows
        for split, split_features in features.items()
        for name, rows in zip(dataset.split(split)["id"], split_features, strict=True)
    }
    return {split: np.stack([of[name] for name in fold.split(split)["id"]]) for split in features}


def together(records: list[Records]) -> Records:
    """The records of all folds as those of one validation set."""
    from tlcore.evaluation.records import Records

    return Records(
        ids=[name for one in records for name in one.ids],
        unit=np.concatenate([one.unit for one in records]),
        columns={name: np.concatenate([one.columns[name] for one in records]) for name in records[0].columns},
    )


def _strange(task: Task, dataset: Dataset) -> bool:
    """Whether validation has a class that training lacks; such examples cannot be used for training."""
    if not task.labelled:
        return False
    return not set(dataset.split("validation")["label"]) <= set(dataset.split("train")["label"])
