"""Training results for the report: one for each arm and seed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tlcore.core import atomic_files, stored_files
from tlcore.core.i18n import Sentence

RESULT = ("arm", "seed", "seconds", "validation", "notes")  # keys of every stored result


@dataclass
class ArmResult:
    """One trained model. Its files are in ``folder``, ``arms/<arm>/seed-<k>`` of the run."""

    arm: str  # "transfer" | "twin" | "plainer" | "alone-<k>"
    seed: int
    folder: Path
    seconds: float  # training with the chosen settings
    seconds_search: float  # learning-rate (or regularisation) search; counted once, on the first seed
    epochs: int | None  # trained; None for a linear head fitted on features
    best_epoch: int | None
    learning_rate: float | None
    validation: dict[str, float]  # validation metrics of the best state
    train: dict[str, float]  # training metrics without augmentation, for the over-fitting gap
    batch_size: int
    accumulation: int
    peak_memory: int  # bytes
    device: str
    examples_per_second: float | None
    notes: list[Sentence] = field(default_factory=list)  # e.g. that batches were halved for lack of memory
    measured: dict[str, Any] = field(default_factory=dict)  # by the strategy's hooks, under their ids
    shared: dict[str, Any] = field(default_factory=dict)  # of the shared pre-training: `shared_phases.begin_with`

    @property
    def weights(self) -> Path:
        """The packed weights: a folder with ``config.json`` and ``model.safetensors`` as timm/transformers load it."""
        return self.folder / "weights"

    def outputs(self, split: str) -> np.ndarray:
        """The outputs (n, classes) of the reloaded packed weights on ``test`` or ``validation``, in split order."""
        return stored_files.read_array(self.folder / f"outputs-{split}.npy", stored_files.RUN)

    def save(self) -> None:
        plain: dict[str, Any] = {k: v for k, v in self.__dict__.items() if k != "folder"}
        plain["notes"] = [note.model_dump() for note in self.notes]
        atomic_files.write(
            self.folder / "result.json", json.dumps(plain, indent=1)
        )  # written last: marks the training as done

    @classmethod
    def load(cls, folder: Path) -> ArmResult:
        """The result saved in ``folder``. Raises UnusableInput if its file is damaged."""
        plain = stored_files.read_object(folder / "result.json", stored_files.RUN, RESULT)
        plain["notes"] = [Sentence.model_validate(note) for note in plain["notes"]]
        return cls(folder=folder, **plain)
