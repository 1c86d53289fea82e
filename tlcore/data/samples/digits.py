"""Real handwritten digits: scikit-learn's copy of the UCI dataset (Alpaydin and Kaynak, 1998)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tlcore.core.i18n import sentence
from tlcore.data.samples.contract import write_zip

SIDE = 32  # pixels; the originals have 8
EACH = 40


class Digits:
    id = "digits"
    title = sentence("Handwritten digits")
    what = sentence(
        "400 real digits written by 43 people, 8 × 8 pixels drawn at 32 × 32 (Alpaydin and Kaynak 1998, from "
        "scikit-learn). Mirrored digits mean something else, so pictures are not flipped in training."
    )
    task = "image-classification"
    spec = {  # noqa: RUF012
        "source": "bundled/studio-small",
        "options": {"image_size": 64, "augmentation": "no-flip"},
        "budget": {"epochs": 20},
    }

    def write(self, folder: Path) -> Path:
        """Write a zip of ten folders of 40 images: the first 40 of each digit in the original order."""
        return write_zip(folder / "digits.zip", _pictures())


def _pictures() -> Iterator[tuple[str, Image.Image]]:
    from sklearn.datasets import load_digits

    found = load_digits()
    for digit in range(10):
        for number, at in enumerate(np.flatnonzero(found.target == digit)[:EACH]):
            ink = np.clip(found.images[at] * (255 / 16), 0, 255).astype(np.uint8)
            picture = Image.fromarray(255 - ink).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            yield f"{digit}/{digit}-{number:03d}.png", picture


SAMPLE = Digits()
