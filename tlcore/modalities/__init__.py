"""What examples are made of: how each kind is taken in and checked. One line a kind."""

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
    """What the examples of a task are made of, by its ``modality``."""
    return pick(_BY_ID, getattr(task, "modality", "image"), what="modality")


__all__ = ["MATERIALS", "Material", "of"]
