"""What training leaves behind for the report: one result for each arm and seed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tlcore.core import atomic_files, stored_files
from tlcore.core.i18n import Sentence

RESULT = ("arm", "seed", "seconds", "validation", "notes")  # keys that every kept result has


@dataclass
class ArmResult:
    """One trained model. Its files lie in ``folder``, ``arms/<arm>/seed-<k>`` of the run's."""

    arm: str  # "transfer" | "twin"
    seed: int
    folder: Path
    seconds: float  # of training with the chosen settings
    seconds_search: float  # of the learning-rate (or regularisation) search; counted once, on the first seed
    epochs: int | None  # trained; None for a solved head
    best_epoch: int | None
    learning_rate: float | None
    validation: dict[str, float]  # metrics on validation data at the kept state
    train: dict[str, float]  # the same on the training data, without augmentation: for the over-fitting gap
    batch_size: int
    accumulation: int
    peak_memory: int  # bytes
    device: str
    examples_per_second: float | None
    notes: list[Sentence] = field(default_factory=list)  # e.g. that batches were halved for lack of memory
    measured: dict[str, Any] = field(default_factory=dict)  # by the strategy's hooks, under their ids
    shared: dict[str, Any] = field(default_factory=dict)  # of the phases done once for all seeds: `once.begin_with`

    @property
    def weights(self) -> Path:
        """The packed weights: a folder with ``config.json`` and ``model.safetensors`` as timm/transformers load it."""
        return self.folder / "weights"

    def outputs(self, split: str) -> np.ndarray:
        """The outputs (n, classes) of the packed weights, reloaded, on ``test`` or ``validation``, in split order."""
        return stored_files.read_array(self.folder / f"outputs-{split}.npy", stored_files.RUN)

    def save(self) -> None:
        plain: dict[str, Any] = {k: v for k, v in self.__dict__.items() if k != "folder"}
        plain["notes"] = [note.model_dump() for note in self.notes]
        atomic_files.write(
            self.folder / "result.json", json.dumps(plain, indent=1)
        )  # it says that this training is done

    @classmethod
    def load(cls, folder: Path) -> ArmResult:
        """A result that was saved in ``folder``. Raises UnusableInput where its file is damaged."""
        plain = stored_files.read_object(folder / "result.json", stored_files.RUN, RESULT)
        plain["notes"] = [Sentence.model_validate(note) for note in plain["notes"]]
        return cls(folder=folder, **plain)
