"""Synthetic images unlike any training data: the out-of-distribution reference of the similarity scale."""

from __future__ import annotations

from typing import Any

import numpy as np

# Lit segments of a seven-segment display for the digits 0 … 9, from top to bottom, left before right.
SEGMENTS = (
    "1110111",
    "0010010",
    "1011101",
    "1011011",
    "0111010",
    "1101011",
    "1101111",
    "1010010",
    "1111111",
    "1111011",
)


def reference_pictures(size: int, each: int = 24) -> dict[str, np.ndarray]:
    """Out-of-distribution images by kind, each (each, size, size, 3) float32 in 0-1; deterministic.

    ``noise``: uniform random pixels and colours. ``drawn``: seven-segment digits, white on black.
    """
    rng = np.random.default_rng(0)
    noise = rng.random((each, size, size, 3), dtype=np.float32)
    return {"noise": noise, "drawn": np.stack([_digit(size, i % 10, rng) for i in range(each)])}


def _digit(size: int, digit: int, rng: np.random.Generator) -> np.ndarray:
    """One seven-segment digit, (size, size, 3) float32, at a random position."""
    picture = np.zeros((size, size, 3), np.float32)
    high = int(size * rng.uniform(0.5, 0.85))
    wide, thick = int(high * rng.uniform(0.4, 0.6)), max(1, int(size * rng.uniform(0.05, 0.1)))
    top, left = rng.integers(0, size - high + 1), rng.integers(0, max(1, size - wide + 1))
    middle, right, bottom = top + high // 2, left + wide, top + high
    boxes = (
        (top, top + thick, left, right),
        (top, middle, left, left + thick),
        (top, middle, right - thick, right),
        (middle - thick // 2, middle - thick // 2 + thick, left, right),
        (middle, bottom, left, left + thick),
        (middle, bottom, right - thick, right),
        (bottom - thick, bottom, left, right),
    )
    for lit, (y0, y1, x0, x1) in zip(SEGMENTS[digit], boxes, strict=True):
        if lit == "1":
            picture[y0:y1, x0:x1] = 1.0
    return picture


def batches(processor: dict[str, Any], device: str) -> dict[str, dict[str, Any]]:
    """The images of `far_pictures` as batches for the network: ``pixels`` (k, 3, S, S), normalised."""
    import torch

    from tlcore.tasks.shared.augmentation import normalise

    def tensor(pictures: np.ndarray) -> Any:
        whole = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2)
        return normalise(whole, processor).contiguous(memory_format=torch.channels_last)

    return {kind: {"pixels": tensor(pictures)} for kind, pictures in reference_pictures(processor["size"]).items()}
