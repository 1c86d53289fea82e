"""Random crops, flips and colour changes of a batch, on the batch's device.

All random numbers come from (seed, epoch, example) through a counter-based generator, never a global one, so a killed
and resumed run sees the same images, whatever the batch size (Salmon et al. 2011 on counter-based generators).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

DRAWS = 8  # random numbers for one example
VIEW_DRAWS = 11  # random numbers for one contrastive view
LEAST_OF_A_VIEW = 0.2  # smallest crop as a share of the area; SimCLR's 8 % of a small image shows too little
# RGB to YIQ (NTSC 1953): brightness and two colour axes; rotating these two changes the hue.
YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


def uniform(seed: int, epoch: int, examples: np.ndarray, draws: int = DRAWS) -> np.ndarray:
    """Numbers in [0, 1), shape (examples, draws), a pure function of the arguments (splitmix64)."""
    with np.errstate(over="ignore"):
        key = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(epoch) * np.uint64(0xD1B54A32D192ED03)
        z = (
            examples.astype(np.uint64)[:, None] * np.uint64(0xABC98388FB8FAC03)
            + np.arange(1, draws + 1, dtype=np.uint64)[None] * np.uint64(0x8CB92BA72F3D8DD7)
            + key
        )
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def augment(canvases: torch.Tensor, size: int, numbers: np.ndarray, flip: bool) -> torch.Tensor:
    """Random resized crop, flip, brightness and colour: canvases (n, 3, S', S') float in 0-1 to (n, 3, size, size).

    ``numbers`` is (n, DRAWS) from `uniform`. Crops keep 35-100 % of the area at aspect ratios 3/4 to 4/3.
    """
    import torch

    u = numbers
    out = _crop(canvases, size, u, least=0.35, flip=flip)

    def factor(column: int) -> torch.Tensor:
        return torch.from_numpy((0.8 + 0.4 * u[:, column]).astype(np.float32)).to(out.device).view(-1, 1, 1, 1)

    out = out * factor(5)
    grey = out.mean(1, keepdim=True)
    out = grey + (out - grey) * factor(6)
    middle = out.mean((1, 2, 3), keepdim=True)
    return (middle + (out - middle) * factor(7)).clamp(0, 1)


def contrast(canvases: torch.Tensor, size: int, numbers: np.ndarray, flip: bool) -> torch.Tensor:
    """One strongly augmented view (n, 3, size, size) of each canvas, for contrastive learning.

    As in SimCLR for small images (Chen et al. 2020, arXiv 2002.05709, appendix A and B.9, without blur): crop, flip,
    with probability 0.8 brightness, contrast, saturation and hue (strength 0.5), and grey with probability 0.2.
    ``numbers`` is (n, VIEW_DRAWS) from `uniform`.
    """
    import torch

    u = numbers
    out = _crop(canvases, size, u, least=LEAST_OF_A_VIEW, flip=flip)

    def column(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(out.device).view(-1, 1, 1, 1)

    changed = (out * column(0.6 + 0.8 * u[:, 5])).clamp(0, 1)
    middle = changed.mean((1, 2, 3), keepdim=True)
    changed = (middle + (changed - middle) * column(0.6 + 0.8 * u[:, 6])).clamp(0, 1)
    grey = changed.mean(1, keepdim=True)
    changed = (grey + (changed - grey) * column(0.6 + 0.8 * u[:, 7])).clamp(0, 1)
    changed = _turned(changed, 2 * np.pi * 0.1 * (2 * u[:, 8] - 1)).clamp(0, 1)
    out = torch.where(column((u[:, 9] < 0.8) * 1.0) > 0, changed, out)
    return torch.where(column((u[:, 10] < 0.2) * 1.0) > 0, out.mean(1, keepdim=True).expand_as(out), out)


def _crop(canvases: torch.Tensor, size: int, u: np.ndarray, *, least: float, flip: bool) -> torch.Tensor:
    """Random resized crops of at least ``least`` of the area, at aspect ratios 3/4 to 4/3.

    Half of them are mirrored where ``flip``. Uses the first five columns of ``u``.
    """
    import torch
    from torch.nn import functional

    area = least + (1 - least) * u[:, 0]
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
    return functional.grid_sample(canvases, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _turned(pictures: torch.Tensor, angles: np.ndarray) -> torch.Tensor:
    """Images with their hue rotated by ``angles`` (n,) in radians; brightness is unchanged."""
    import torch

    there = np.array(YIQ)
    turn = np.zeros((len(angles), 3, 3))
    turn[:, 0, 0] = 1.0
    turn[:, 1, 1] = turn[:, 2, 2] = np.cos(angles)
    turn[:, 1, 2], turn[:, 2, 1] = -np.sin(angles), np.sin(angles)
    whole = torch.from_numpy((np.linalg.inv(there) @ turn @ there).astype(np.float32)).to(pictures.device)
    return torch.einsum("nij,njhw->nihw", whole, pictures)


def evaluation_view(canvases: torch.Tensor, size: int) -> torch.Tensor:
    """Centre crops (n, 3, size, size) of canvases (n, 3, S', S')."""
    edge = (canvases.shape[-1] - size) // 2
    return canvases[:, :, edge : edge + size, edge : edge + size]


def normalise(batch: torch.Tensor, processor: dict[str, Any]) -> torch.Tensor:
    """Pixels in 0-1 normalised with the source model's mean and standard deviation."""
    mean = batch.new_tensor(processor["mean"]).view(1, 3, 1, 1)
    std = batch.new_tensor(processor["std"]).view(1, 3, 1, 1)
    return (batch - mean) / std
