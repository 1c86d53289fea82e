"""Generated (synthetic) photos of a manufactured surface with and without defects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tlcore.core.i18n import sentence
from tlcore.data.samples.contract import write_zip

SIDE = 64  # pixels
EACH = 68
SEED = 2026
_FINE = 2 * SIDE  # drawn at twice the size, then downsampled, so that thin lines look photographed


class SurfaceDefects:
    id = "surface-defects"
    title = sentence("Surface defects")
    what = sentence(
        "340 generated photos of metal surfaces, 64 × 64 pixels: good, scratch, dent, stain, crack. Made by code, not "
        "by a camera; light, grain, colour and the strength of the defects vary, and some defects are faint."
    )
    task = "image-classification"
    spec = {"source": "bundled/studio-small", "options": {"image_size": 64}, "budget": {"epochs": 20}}  # noqa: RUF012

    def write(self, folder: Path) -> Path:
        """Write a zip of five folders of 68 images."""
        return write_zip(folder / "surface-defects.zip", _pictures())


def _pictures() -> Iterator[tuple[str, Image.Image]]:
    for kind, (label, damage) in enumerate(DEFECTS.items()):
        for number in range(EACH):
            rng = np.random.default_rng((SEED, kind, number))
            yield f"{label}/{label}-{number:03d}.png", picture(rng, damage)


def picture(rng: np.random.Generator, damage: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Image.Image:
    """One synthetic photo, RGB, SIDE × SIDE: a surface (grey values around 0.5), its damage, light and camera noise."""
    surface = damage(_surface(rng), rng)
    lit = surface * _light(rng)
    tint = 1 + rng.normal(0, 0.03, 3)
    photo = np.clip(lit[..., None] * tint, 0, 1)
    image = Image.fromarray((255 * photo).astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BOX)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.0, 0.6)))
    noisy = np.asarray(image, dtype=np.float32) + rng.normal(0, rng.uniform(1, 4), (SIDE, SIDE, 1))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def _surface(rng: np.random.Generator) -> np.ndarray:
    """Brushed (streaks in one direction) or cast (grainy) metal, sometimes with harmless handling marks."""
    n = 3 * _FINE // 2  # larger, so that rotation leaves no empty corners
    grain = rng.normal(0, 1, (n, n))
    if rng.random() < 0.65:
        streaks = _blurred(grain, 0.4, rng.uniform(6, 25))
        surface = streaks * rng.uniform(0.02, 0.045)
    else:
        width = rng.uniform(0.8, 2.0)
        surface = _blurred(grain, width, width) * rng.uniform(0.015, 0.04)
    turned = Image.fromarray(surface.astype(np.float32)).rotate(rng.uniform(0, 180), Image.Resampling.BILINEAR)
    cut = (n - _FINE) // 2
    surface = np.asarray(turned)[cut : cut + _FINE, cut : cut + _FINE] + rng.uniform(0.4, 0.62)
    for _ in range(rng.poisson(0.8)):
        mark = _stroke(rng, rng.uniform(4, 14), 1.0, 0.3)
        surface = surface + mark * rng.uniform(-0.06, 0.06)
    return surface


def _light(rng: np.random.Generator) -> np.ndarray:
    """Light from one side, and darker corners."""
    y, x = np.mgrid[-1 : 1 : _FINE * 1j, -1 : 1 : _FINE * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    slope = rng.uniform(0.0, 0.25) * (x * np.cos(angle) + y * np.sin(angle))
    cx, cy, wide = *rng.uniform(-1, 1, 2), rng.uniform(0.4, 1.2)
    lamp = rng.uniform(0, 0.3) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / wide**2)
    return (1 + slope + lamp - rng.uniform(0, 0.15) * (x**2 + y**2)) * rng.uniform(0.8, 1.2)


def _good(surface: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return surface


def _scratch(surface: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One to three nearly straight lines, all bright or all dark."""
    sign = rng.choice([-1, 1])
    for _ in range(rng.integers(1, 4)):
        line = _stroke(rng, rng.uniform(60, 130), rng.uniform(1.5, 4.0), 0.03)
        surface = surface + sign * rng.uniform(0.15, 0.4) * line
    return surface


def _crack(surface: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A dark jagged line that branches."""
    canvas = Image.new("L", (_FINE, _FINE))
    draw = ImageDraw.Draw(canvas)
    tips = [(*rng.uniform(0.25, 0.75, 2) * _FINE, rng.uniform(0, 2 * np.pi), rng.uniform(40, 90))]
    tips.append((tips[0][0], tips[0][1], tips[0][2] + np.pi + rng.normal(0, 0.4), rng.uniform(25, 70)))
    while tips:
        x, y, angle, left = tips.pop()
        while left > 0:
            step = rng.uniform(3, 8)
            angle += rng.normal(0, 0.5)
            to = (x + step * np.cos(angle), y + step * np.sin(angle))
            draw.line([(x, y), to], fill=255, width=int(rng.choice([2, 3, 4])))
            (x, y), left = to, left - step
            if rng.random() < 0.16 and left > 12:
                tips.append((x, y, angle + rng.choice([-1, 1]) * rng.uniform(0.5, 1.2), left * rng.uniform(0.3, 0.7)))
    line = np.asarray(canvas.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9)))) / 255
    return surface - rng.uniform(0.2, 0.45) * line


def _dent(surface: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A round dent: one side bright, the other dark."""
    shape, height = _bump(rng, rng.uniform(12, 26), 0.3)
    angle = rng.uniform(0, 2 * np.pi)
    slope_y, slope_x = np.gradient(shape)
    shade = slope_x * np.cos(angle) + slope_y * np.sin(angle)
    return surface + shade / max(np.abs(shade).max(), 1e-6) * height * rng.uniform(0.6, 1.0)


def _stain(surface: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An irregular dark patch, sometimes with a darker rim."""
    shape, depth = _bump(rng, rng.uniform(12, 28), 0.5)
    wobble = _blurred(rng.normal(0, 1, shape.shape), 6, 6)
    patch = 1 / (1 + np.exp(-(shape - 0.45 + 0.12 * wobble) * rng.uniform(12, 30)))
    rim = np.abs(np.gradient(patch)[0]) + np.abs(np.gradient(patch)[1])
    return surface * (1 - depth * patch) - rng.uniform(0, 0.5) * depth * rim


def _bump(rng: np.random.Generator, size: float, flat: float) -> tuple[np.ndarray, float]:
    """A soft oval bump of height 1 at a random place, and the strength of the defect."""
    y, x = np.mgrid[0:_FINE, 0:_FINE]
    cy, cx = rng.uniform(0.22, 0.78, 2) * _FINE
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(1 - flat, 1)
    u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
    v = ((y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)) / stretch
    return np.exp(-(u**2 + v**2) / (2 * size**2)), float(rng.uniform(0.18, 0.42))


def _stroke(rng: np.random.Generator, length: float, width: float, bend: float) -> np.ndarray:
    """A line of about ``length`` pixels with a slight bend; values from 0 to 1."""
    canvas = Image.new("L", (_FINE, _FINE))
    x, y = rng.uniform(0.2, 0.8, 2) * _FINE
    angle, points = rng.uniform(0, 2 * np.pi), []
    x, y = x - np.cos(angle) * length / 2, y - np.sin(angle) * length / 2
    for _ in range(12):
        points.append((x, y))
        angle += rng.normal(0, bend)
        x, y = x + np.cos(angle) * length / 11, y + np.sin(angle) * length / 11
    ImageDraw.Draw(canvas).line(points, fill=255, width=max(1, round(width)))
    return np.asarray(canvas.filter(ImageFilter.GaussianBlur(0.5 + 0.2 * width))) / 255


def _blurred(values: np.ndarray, down: float, across: float) -> np.ndarray:
    """Gaussian smoothing by ``down`` and ``across`` pixels, then scaled to standard deviation 1."""
    fy, fx = np.fft.fftfreq(values.shape[0])[:, None], np.fft.rfftfreq(values.shape[1])[None, :]
    keep = np.exp(-2 * np.pi**2 * ((fy * down) ** 2 + (fx * across) ** 2))
    smooth = np.fft.irfft2(np.fft.rfft2(values) * keep, values.shape)
    return smooth / (smooth.std() + 1e-9)


DEFECTS = {"good": _good, "scratch": _scratch, "dent": _dent, "stain": _stain, "crack": _crack}
SAMPLE = SurfaceDefects()
