"""What examples are made of: how each kind is taken in and checked. One line a kind."""

from __future__ import annotations

from tlcore.data.materials import pictures, texts
from tlcore.data.materials.contract import Material
from tlcore.registry import by_id, pick

MATERIALS: tuple[Material, ...] = (
    pictures.MATERIAL,
    texts.MATERIAL,
)
_BY_ID = by_id(MATERIALS)


def of(task: object) -> Material:
    """What the examples of a task are made of, by its ``material``."""
    return pick(_BY_ID, getattr(task, "material", "image"), what="material")


__all__ = ["MATERIALS", "Material", "of"]
