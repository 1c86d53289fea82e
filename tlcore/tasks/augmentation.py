"""Random crops, flips and colours of a whole batch at once, on the device where the batch is.

Every number is drawn from (seed, epoch, example) by a counter-based generator, never from a global one: a run that was
killed and resumed sees the same pictures, whatever the batch size (Salmon et al. 2011 on counter-based generators).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

DRAWS = 8


def uniform(seed: int, epoch: int, examples: np.ndarray, draws: int = DRAWS) -> np.ndarray:
    """Numbers in [0, 1), shape (examples, draws), a pure function of the arguments (splitmix64)."""
    with np.errstate(over="ignore"):
        key = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(epoch) * np.uint64(0xD1B54A32D192ED03)
        z = (examples.astype(np.uint64)[:, None] * np.uint64(0xABC98388FB8FAC03)
             + np.arange(1, draws + 1, dtype=np.uint64)[None] * np.uint64(0x8CB92BA72F3D8DD7) + key)  # fmt: skip
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def augment(canvases: torch.Tensor, size: int, numbers: np.ndarray, flip: bool) -> torch.Tensor:
    """Canvases (n, 3, S', S') float in 0-1 to (n, 3, size, size): a random resized crop, a flip, light and colour.

    ``numbers`` is (n, DRAWS) from `uniform`. Crops keep 35-100 % of the area at aspect ratios 3/4 to 4/3.
    """
    import torch
    from torch.nn import functional

    u = numbers
    area = 0.35 + 0.65 * u[:, 0]
    ratio = np.exp(np.log(4 / 3) * (2 * u[:, 1] - 1))
    wide = np.minimum(1.0, np.sqrt(area * ratio))
    high = np.minimum(1.0, np.sqrt(area / ratio))
    theta = np.zeros((len(u), 2, 3), dtype=np.float32)
    theta[:, 0, 0] = wide * np.where(u[:, 4] < 0.5, -1, 1) if flip else wide
    theta[:, 1, 1] = high
    theta[:, 0, 2] = (2 * u[:, 2] - 1) * (1 - wide)
    theta[:, 1, 2] = (2 * u[:, 3] - 1) * (1 - high)
    grid = functional.affine_grid(
        torch.from_numpy(theta).to(canvases.device), [len(u), 3, size, size], align_corners=False
    )
    out = functional.grid_sample(canvases, grid, mode="bilinear", padding_mode="reflection", align_corners=False)

    def factor(column: int) -> torch.Tensor:
        return torch.from_numpy((0.8 + 0.4 * u[:, column]).astype(np.float32)).to(out.device).view(-1, 1, 1, 1)

    out = out * factor(5)
    grey = out.mean(1, keepdim=True)
    out = grey + (out - grey) * factor(6)
    middle = out.mean((1, 2, 3), keepdim=True)
    return (middle + (out - middle) * factor(7)).clamp(0, 1)


def evaluation_view(canvases: torch.Tensor, size: int) -> torch.Tensor:
    """The centre crop (n, 3, size, size) of canvases (n, 3, S', S')."""
    edge = (canvases.shape[-1] - size) // 2
    return canvases[:, :, edge : edge + size, edge : edge + size]


def normalise(batch: torch.Tensor, processor: dict[str, Any]) -> torch.Tensor:
    """Pixels in 0-1 made what the source model was trained on: minus mean, over standard deviation."""
    mean = batch.new_tensor(processor["mean"]).view(1, 3, 1, 1)
    std = batch.new_tensor(processor["std"]).view(1, 3, 1, 1)
    return (batch - mean) / std
