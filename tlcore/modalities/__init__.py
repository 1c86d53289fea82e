"""What an example is made of, one package a modality: taken in, checked, near duplicates, contamination.

A modality never splits data, never trains, and knows no task: it reads rows and files, and says what is wrong.
"""

from __future__ import annotations

from tlcore.core.registry import by_id, pick
from tlcore.modalities.contract import Modality
from tlcore.modalities.image import images
from tlcore.modalities.text import texts

MODALITIES: tuple[Modality, ...] = (
    images.MODALITY,
    texts.MODALITY,
)
_BY_ID = by_id(MODALITIES)


def of(task: object) -> Modality:
    """The modality of a task, by its attribute ``modality`` (image where it has none)."""
    return pick(_BY_ID, getattr(task, "modality", "image"), what="modality")


__all__ = ["MODALITIES", "Modality", "of"]
