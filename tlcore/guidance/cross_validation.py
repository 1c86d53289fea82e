"""Validation sets in turn: where one is too small to tell strategies apart, parts of the training data take its place.

With 10 to 30 validation examples a difference between two trained models is mostly noise. In every turn another part
of the training data validates, and all other examples train; no example validates twice, units that belong together
stay together (`Task.nested`), and the test set is left alone. Scores are then those of all turns' examples together
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

ENOUGH = 100  # validation examples: two models that disagree on 20 % of them differ with a standard error of 4.5 points
MOST = 3  # turns, the dataset's own validation set among them: each is one more training of each strategy


def count(train: int, validation: int) -> int:
    """How many validation sets there can be, and are enough: 1 where the dataset's own will do."""
    pieces = round(train / validation) if validation else 0
    return 1 + min(MOST - 1, pieces, ceil(ENOUGH / validation) - 1) if pieces > 1 else 1


def folds(task: Task, dataset: Dataset) -> list[Dataset]:
    """The dataset as it is, then views that validate on other parts, until `ENOUGH` examples have validated."""
    train, n = dataset.split("train"), len(dataset.split("validation"))
    further = count(len(train), n) - 1
    if not further or _strange(task, dataset):
        return [dataset]
    pieces = round(len(train) / n)
    units = task.nested(train, 0)
    ends = np.cumsum([len(unit) for unit in units])
    piece = np.minimum((ends - 1) * pieces // ends[-1], pieces - 1)
    names = train["id"].to_numpy()
    parts = [[unit for unit, at in zip(units, piece, strict=True) if at == turn] for turn in range(further)]
    return [dataset, *(dataset.with_validation(names[np.concatenate(part)]) for part in parts if part)]


def rearranged(features: Mapping[str, np.ndarray], dataset: Dataset, turn: Dataset) -> dict[str, np.ndarray]:
    """Frozen features (n, d) of train and validation of ``dataset``, as they stand in one of its turns.

    Nothing where not every example has some: a task may look at a part of the validation data alone.
    """
    if any(len(rows) != len(dataset.split(split)) for split, rows in features.items()):
        return {}
    of = {
        name: rows
        for split, split_features in features.items()
        for name, rows in zip(dataset.split(split)["id"], split_features, strict=True)
    }
    return {split: np.stack([of[name] for name in turn.split(split)["id"]]) for split in features}


def together(records: list[Records]) -> Records:
    """The records of all turns as those of one validation set."""
    from tlcore.evaluation.records import Records

    return Records(
        ids=[name for one in records for name in one.ids],
        unit=np.concatenate([one.unit for one in records]),
        columns={name: np.concatenate([one.columns[name] for one in records]) for name in records[0].columns},
    )


def _strange(task: Task, dataset: Dataset) -> bool:
    """Whether validation has a class that training has not: no model knows it, so it cannot train one."""
    if not task.labelled:
        return False
    return not set(dataset.split("validation")["label"]) <= set(dataset.split("train")["label"])
