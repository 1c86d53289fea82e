"""Checkpoints: written atomically, and read without running code from the file."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tlcore.core import atomic_files


class Checkpoint:
    """The state of one training in one file.

    It is due at most every ``every`` seconds, and so rarely that saving takes at most a tenth of the time.
    """

    def __init__(self, path: Path, every: float | None = None):
        self.path = path
        self.every = float(os.environ.get("TLCORE_CHECKPOINT_SECONDS", 5)) if every is None else every
        self.saved_at, self.took = time.monotonic(), 0.0

    def due(self) -> bool:
        return time.monotonic() - self.saved_at >= max(self.every, 10 * self.took if self.every else 0.0)

    def save(self, state: dict[str, Any]) -> None:
        """Save a state: tensors, numbers, strings and containers of them."""
        import torch

        begun = time.monotonic()
        with atomic_files.atomic_path(self.path) as draft, draft.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        self.saved_at = time.monotonic()
        self.took = self.saved_at - begun

    def load(self) -> dict[str, Any] | None:
        """The state, or None if there is none or it cannot be read."""
        import torch

        if not self.path.exists():
            return None
        try:
            return torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # damaged file: restart this training instead of failing the run
            print(f"checkpoint {self.path} cannot be read and is left aside: {error}")
            return None
