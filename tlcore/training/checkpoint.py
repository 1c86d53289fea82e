"""A checkpoint: written whole or not at all, read without running code from it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tlcore.core import atomic_files


class Checkpoint:
    """The state of one training in one file, saved at most every few seconds unless it must be, and seldom enough that
    saving takes a tenth of the time at most.
    """

    def __init__(self, path: Path, every: float | None = None):
        self.path = path
        self.every = float(os.environ.get("TLCORE_CHECKPOINT_SECONDS", 5)) if every is None else every
        self.saved_preprocessing, self.took = time.monotonic(), 0.0

    def due(self) -> bool:
        return time.monotonic() - self.saved_preprocessing >= max(self.every, 10 * self.took if self.every else 0.0)

    def save(self, state: dict[str, Any]) -> None:
        """Tensors, numbers, strings and containers of them."""
        import torch

        begun = time.monotonic()
        with atomic_files.atomic_path(self.path) as draft, draft.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        self.saved_preprocessing = time.monotonic()
        self.took = self.saved_preprocessing - begun

    def load(self) -> dict[str, Any] | None:
        """The state, or None where there is none that can be read."""
        import torch

        if not self.path.exists():
            return None
        try:
            return torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # a torn disk: begin this training again rather than fail the run
            print(f"checkpoint {self.path} cannot be read and is left aside: {error}")
            return None
