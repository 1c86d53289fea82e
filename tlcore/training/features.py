"""The feature cache: a frozen backbone runs once over every example, whoever asks, and its features stay on disk."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tlcore.tasks.contract import Task
from tlcore.training.loop import in_batches
from tlcore.words import say


def cache_key(fingerprint: str, model: str, processor: Mapping[str, Any]) -> str:
    """Data × model × preprocessing; augmentation plays no part, since features are taken without it."""
    told = {k: v for k, v in processor.items() if k != "augmentation"}
    return hashlib.sha256(json.dumps([fingerprint, model, told], sort_keys=True).encode()).hexdigest()[:24]


def extract(
    task: Task, model: Any, examples: Mapping[str, Any], folder: Path, key: str, *, device: str, batch_size: int,
    step: Any = lambda n: None,
) -> tuple[dict[str, np.ndarray], float]:  # fmt: skip
    """Features (n, d) float32 of every split, from disk or by one forward pass, and the seconds that pass took.

    ``step(n)`` is called after each batch. The file is written whole or not at all.
    """
    path = folder / f"{key}.npz"
    if path.exists():
        with np.load(path) as kept:
            if all(len(kept[split]) == len(examples[split]) for split in examples):
                return {split: kept[split] for split in examples}, float(kept["seconds"])
    import torch

    model.eval()
    started = time.perf_counter()
    found: dict[str, np.ndarray] = {}
    with torch.inference_mode():
        for split, these in examples.items():
            rows = [
                _features(task, model, batch, step)
                for batch in these.batches(in_batches(np.arange(len(these)), batch_size), None, device)
            ]
            found[split] = np.concatenate(rows) if rows else np.zeros((0, 1), np.float32)
    seconds = time.perf_counter() - started
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{key}.{os.getpid()}.tmp"
    with draft.open("wb") as file:
        np.savez(file, seconds=np.float64(seconds), **found)
    os.replace(draft, path)
    return found, seconds


def _features(task: Task, model: Any, batch: Any, step: Any) -> np.ndarray:
    rows = task.features(model, batch)
    if rows is None:
        raise ValueError(str(say("This task has no features to keep.")))
    step(len(rows))
    return rows.float().cpu().numpy()
