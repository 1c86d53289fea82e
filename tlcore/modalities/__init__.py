"""What examples are made of: how each kind is taken in and checked. One line a kind."""

from __future__ import annotations

from tlcore.core.registry import by_id, pick
from tlcore.modalities.contract import Material
from tlcore.modalities.image import images
from tlcore.modalities.text import texts

MATERIALS: tuple[Material, ...] = (
    images.MATERIAL,
    texts.MATERIAL,
)
_BY_ID = by_id(MATERIALS)


def of(task: object) -> Material:
    """What the examples of a task are made of, by its ``material``."""
    return pick(_BY_ID, getattr(task, "material", "image"), what="material")


__all__ = ["MATERIALS", "Material", "of"]
