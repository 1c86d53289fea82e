"""Checks of staged images: size, greyscale, rotation and conversion."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from tlcore.core.findings import Finding, first
from tlcore.core.i18n import Sentence, sentence

SMALL_SIDE = 32


def check_pictures(rows: pd.DataFrame) -> Iterator[Finding]:
    """Notes on the images, each with its first examples."""
    if rows.empty:
        return
    small = rows[rows[["width", "height"]].min(axis=1) < SMALL_SIDE]["id"]
    if len(small) * 2 > len(rows):
        yield _note(
            "small-pictures",
            small,
            sentence(
                "Most pictures are smaller than {side} pixels; small picture sizes are enough for training.",
                side=SMALL_SIDE,
            ),
        )
    grey, rotated = rows[rows["grey"]]["id"], rows[rows["rotated"]]["id"]
    if len(grey):
        yield _note(
            "grey",
            grey,
            sentence("Grey pictures: {n}. They are used as colour pictures with equal channels.", n=len(grey)),
        )
    if len(rotated):
        yield _note(
            "rotated", rotated, sentence("Pictures turned upright by what the camera noted: {n}.", n=len(rotated))
        )
    converted = rows[rows["converted"] & ~rows["rotated"]]["id"]
    if len(converted):
        yield _note(
            "converted",
            converted,
            sentence(
                "Pictures converted to plain 8-bit ones (from phones' HEIC, transparency, 16 bits, print "
                "colours, animations or very large sizes): {n}.",
                n=len(converted),
            ),
        )


def _note(code: str, ids: pd.Series, message: Sentence) -> Finding:
    return Finding(level="note", code=code, count=len(ids), examples=first(ids), sentence=message)
