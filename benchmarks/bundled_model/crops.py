"""Augmented crops of a pool of pictures without labels: what the bundled image models are distilled on."""

from __future__ import annotations

import io
import math
import tarfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

GROUP = 64  # crops in a group
CIFAR_SHARE = 0.25  # of the crops, the rest are from the photographs
CROP_PX = 128  # smaller crops are made at up to this size, then shrunk


def read_tar(path: Path, px: int) -> tuple[torch.Tensor, torch.Tensor]:
    """All pictures of a tar as uint8 [n, 3, px, px] (stretched to a square) and their width / height."""
    pictures, aspects = [], []
    with tarfile.open(path) as tar:
        for member in sorted((m for m in tar if m.isfile()), key=lambda m: m.name):
            picture = Image.open(io.BytesIO(tar.extractfile(member).read())).convert("RGB")
            aspects.append(picture.width / picture.height)
            if picture.size != (px, px):
                picture = picture.resize((px, px), Image.Resampling.BICUBIC)
            pictures.append(np.asarray(picture).transpose(2, 0, 1))
    return torch.from_numpy(np.stack(pictures)), torch.tensor(aspects)


class Crops:
    """Groups of augmented crops; the same number always gives the same group, at any resolution."""

    def __init__(self, pool: Path, seed: int):
        self.seed = seed
        self.photos, self.photo_aspects = read_tar(pool / "imagenet_samples.tar", 160)
        self.small, _ = read_tar(pool / "cifar10.tar", 32)

    def group(self, number: int, px: int) -> torch.Tensor:
        """Float [64, 3, px, px] in [-1, 1]."""
        rng = torch.Generator().manual_seed(self.seed * 10_000_019 + number)

        def uniform(n: int, low: float, high: float) -> torch.Tensor:
            return torch.rand(n, generator=rng) * (high - low) + low

        def column(values: torch.Tensor) -> torch.Tensor:  # broadcasts over rows and columns
            return values.view(-1, 1, 1)

        sample_px = max(px, min(CROP_PX, px * 3 // 2))
        n_small = round(GROUP * CIFAR_SHARE)
        n_photos = GROUP - n_small
        which = torch.randint(len(self.photos), (n_photos,), generator=rng)
        which_small = torch.randint(len(self.small), (n_small,), generator=rng)
        area = torch.cat([uniform(n_photos, 0.25, 1.0) ** 2, uniform(n_small, 0.6, 1.0) ** 2])
        aspect = torch.exp(uniform(GROUP, -0.35, 0.35))
        source_aspect = torch.cat([self.photo_aspects[which], torch.ones(n_small)])
        width = (area * aspect / source_aspect).sqrt().clamp(max=1.0)  # of the whole picture's width
        height = (area * source_aspect / aspect).sqrt().clamp(max=1.0)
        centre_x, centre_y = uniform(GROUP, -1, 1) * (1 - width), uniform(GROUP, -1, 1) * (1 - height)
        angle = uniform(GROUP, -0.35, 0.35) * (uniform(GROUP, 0, 1) < 0.3)
        mirror = torch.where(uniform(GROUP, 0, 1) < 0.5, -1.0, 1.0)
        cos, sin = angle.cos(), angle.sin()
        at = ((torch.arange(sample_px) * 2 + 1) / sample_px - 1).view(1, 1, -1)
        down = at.view(1, -1, 1)
        grid = torch.empty(GROUP, sample_px, sample_px, 2)
        grid[..., 0] = column(width * cos * mirror) * at - column(width * sin) * down + column(centre_x)
        grid[..., 1] = column(height * sin * mirror) * at + column(height * cos) * down + column(centre_y)
        options = {"align_corners": False, "padding_mode": "reflection"}
        x = torch.cat(
            [
                F.grid_sample(self.photos[which].float(), grid[:n_photos], **options),
                F.grid_sample(self.small[which_small].float(), grid[n_photos:], **options),
            ]
        )
        if px != sample_px:
            x = F.interpolate(x, (px, px), mode="bilinear", antialias=True)
        x = x[torch.randperm(GROUP, generator=rng)]
        self._recolour(x, uniform)
        self._mix(x, uniform)
        return x.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def _recolour(x: torch.Tensor, uniform) -> None:
        """From 0..255 to [-1, 1] with random saturation, tint, contrast and brightness, in place."""
        keep = uniform(GROUP, 0.5, 1.4)
        keep[uniform(GROUP, 0, 1) < 0.12] = 0.0  # grey pictures, as X-rays are
        tint = 1 + uniform(GROUP * 3, -0.12, 0.12).view(GROUP, 3) * (keep > 0).view(-1, 1)
        gain = tint * uniform(GROUP, 0.6, 1.3).view(-1, 1)  # [64, 3]
        mixing = keep.view(-1, 1, 1) * torch.eye(3) + (1 - keep).view(-1, 1, 1) / 3
        mixing = mixing * gain[:, :, None]
        shift = uniform(GROUP, -0.25, 0.25).view(-1, 1) - gain
        flat = x.view(GROUP, 3, -1)
        torch.baddbmm(shift[:, :, None], mixing / 127.5, flat.clone(), out=flat)
        x.clamp_(-1, 1)

    @staticmethod
    def _mix(x: torch.Tensor, uniform) -> None:
        """A fifth of the crops are blended with their neighbour, a fifth get a rectangle of it, in place."""
        px = x.shape[-1]
        fate, share = uniform(GROUP, 0, 1).tolist(), uniform(GROUP, 0.15, 0.85).tolist()
        left, top = uniform(GROUP, 0, 1).tolist(), uniform(GROUP, 0, 1).tolist()
        before = x.clone()
        for i in range(GROUP):
            if fate[i] < 0.2:
                x[i].lerp_(before[i - 1], 1 - share[i])
            elif fate[i] > 0.8:
                side = math.sqrt(1 - share[i])
                x0, y0 = round(left[i] * (1 - side) * px), round(top[i] * (1 - side) * px)
                box = slice(y0, y0 + round(side * px)), slice(x0, x0 + round(side * px))
                x[i][:, *box] = before[i - 1][:, *box]
