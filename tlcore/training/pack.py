"""Weights are packed as they will be downloaded, and scored as they were packed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.tasks.contract import Task
from tlcore.training import loop

if TYPE_CHECKING:
    from tlcore.sources.opening import OpenSource

TOLERANCE = 1e-4  # relative to the largest output


def pack_and_score(
    task: Task, source: OpenSource, model: Any, labels: list[str], processor: dict[str, Any],
    examples: Mapping[str, Any], folder: Path, kept: Mapping[str, np.ndarray] | None, device: str, batch_size: int,
) -> tuple[dict[str, np.ndarray], float]:  # fmt: skip
    """Save the weights to ``folder/weights``, load them back, and give the reloaded model's outputs on every split.

    With ``kept`` features of a frozen backbone the outputs are the reloaded head on those features, and the whole
    network is run on one batch only, to prove the two agree: no example goes through the backbone twice.
    Also returns the largest difference found between trained and reloaded model, relative to the largest output.
    """
    import torch

    weights = folder / "weights"
    shutil.rmtree(weights, ignore_errors=True)
    model.to("cpu").eval()
    model.save(weights, labels, task.saved(processor))
    reloaded = _reload(source, weights, processor).to(device, memory_format=torch.channels_last).eval()
    model.to(device, memory_format=torch.channels_last)
    few = _First(examples["validation"], batch_size)
    if kept is None:
        out = {split: loop.outputs(task, reloaded, these, batch_size, device) for split, these in examples.items()}
        reference, compared = loop.outputs(task, model, few, batch_size, device), out["validation"][: len(few)]
    else:
        out = {split: on_features(reloaded, rows, device) for split, rows in kept.items()}
        reference, compared = loop.outputs(task, reloaded, few, batch_size, device), out["validation"][: len(few)]
    scale = max(1.0, float(np.abs(reference).max()))
    return out, float(np.abs(reference - compared).max()) / scale


def on_features(model: Any, features: np.ndarray, device: str) -> np.ndarray:
    """The outputs (n, …) of a model's head on features (n, d) that were taken before."""
    import torch

    model.to(device).eval()
    with torch.inference_mode():
        return model.classify(torch.from_numpy(features).to(device)).float().cpu().numpy()


def _reload(source: OpenSource, weights: Path, processor: dict[str, Any]) -> Any:
    from tlcore.sources.opening import open_folder

    return open_folder(weights, source.source).build(None, True, image_size=processor["size"])


class _First:
    """The first examples of a split."""

    def __init__(self, examples: Any, n: int):
        self.examples, self.n = examples, min(n, len(examples))

    def __len__(self) -> int:
        return self.n

    def batches(self, *arguments: Any) -> Any:
        return self.examples.batches(*arguments)
