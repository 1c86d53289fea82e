"""Preprocesses pictures to the square canvas of a model. Self-contained: copied into the bundle's predict.py."""

import numpy as np
from PIL import Image


def canvas(image, size, interpolation="bicubic"):
    """The picture as (size, size, 3) uint8: shorter side resized to ``size`` with antialiasing, then centre crop.

    ``image`` is an RGB ``PIL.Image``; ``size`` is in pixels.
    """
    how = {"bicubic": Image.BICUBIC, "bilinear": Image.BILINEAR, "nearest": Image.NEAREST, "lanczos": Image.LANCZOS}
    width, height = image.size
    scale = size / min(width, height)
    wide, high = max(size, round(width * scale)), max(size, round(height * scale))
    # Resample only the crop: the box is the centre square in the coordinates of the original picture.
    left, top = (wide - size) / 2 / wide * width, (high - size) / 2 / high * height
    box = (left, top, left + size / wide * width, top + size / high * height)
    return np.asarray(image.resize((size, size), how.get(interpolation, Image.BICUBIC), box=box))


def pixels(canvases, size, mean, std):
    """Canvases (n, S, S, 3) uint8 as input (n, 3, size, size) float32: centre crop, scaled to 0-1, mean and std."""
    edge = (canvases.shape[1] - size) // 2
    cropped = canvases[:, edge : edge + size, edge : edge + size].astype(np.float32) / 255.0
    return ((cropped - np.float32(mean)) / np.float32(std)).transpose(0, 3, 1, 2)
