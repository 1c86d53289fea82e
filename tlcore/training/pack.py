"""Packs the weights for download, and scores the packed weights."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.tasks.contract import Task
from tlcore.tasks.shared import inference

if TYPE_CHECKING:
    from tlcore.models.loading import OpenSource

TOLERANCE = 1e-4  # relative to the largest output


def pack_and_score(
    task: Task,
    source: OpenSource,
    model: Any,
    labels: list[str],
    processor: dict[str, Any],
    examples: Mapping[str, Any],
    folder: Path,
    kept: Mapping[str, np.ndarray] | None,
    device: str,
    batch_size: int,
) -> tuple[dict[str, np.ndarray], float]:
    """Save the weights to ``folder/weights``, reload them, and return the outputs on every split and a difference.

    All splits but test use the task's evaluation subset. With ``kept`` features (n, d) of a frozen backbone, the
    outputs are those of the reloaded head on the features, and the full network runs on one batch only to check that
    both agree. The difference is the largest between trained and reloaded model (or full network and features),
    relative to the largest output.
    """
    import torch

    validation = examples["validation"]
    task.fit_threshold(model, validation, lambda: inference.outputs(task, model, validation, batch_size, device))
    weights = folder / "weights"
    shutil.rmtree(weights, ignore_errors=True)
    model.to("cpu").eval()
    model.save(weights, labels, task.saved_preprocessing(processor))
    reloaded = task.load(weights, source.source, processor["size"]).to(device, memory_format=torch.channels_last).eval()
    model.to(device, memory_format=torch.channels_last)
    few = inference.First(examples["validation"], batch_size)
    if kept is None:
        out = {
            split: inference.outputs(
                task, reloaded, inference.evaluation_subset(task, these, split), batch_size, device
            )
            for split, these in examples.items()
        }
        reference, compared = inference.outputs(task, model, few, batch_size, device), out["validation"][: len(few)]
    else:
        out = {split: on_features(reloaded, rows, device) for split, rows in kept.items()}
        reference, compared = inference.outputs(task, reloaded, few, batch_size, device), out["validation"][: len(few)]
    return out, largest_difference(reference, compared)


def on_features(model: Any, features: np.ndarray, device: str) -> np.ndarray:
    """The outputs (n, …) of a model's head on precomputed features (n, d)."""
    import torch

    model.to(device).eval()
    with torch.inference_mode():
        return model.classify(torch.from_numpy(features).to(device)).float().cpu().numpy()


def largest_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference of two output arrays, relative to the largest output.

    For a structured array, the largest over its floating-point fields.
    """
    if ours.dtype.names:
        floats = [name for name in ours.dtype.names if ours.dtype[name].base.kind == "f"]
        return max((largest_difference(ours[name], theirs[name]) for name in floats), default=0.0)
    scale = max(1.0, float(np.abs(ours).max(initial=0.0)))
    return float(np.abs(ours - theirs).max(initial=0.0)) / scale
