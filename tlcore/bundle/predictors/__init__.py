"""What bundles predict on: how each kind of example is prepared, exported and read. One line a kind."""

from __future__ import annotations

from tlcore.bundle.predictors import answers, continuations, entities, images, sequences, texts
from tlcore.bundle.predictors.contract import Kind, Knob
from tlcore.core.registry import by_id, pick

KINDS: tuple[Kind, ...] = (
    images.KIND,
    texts.KIND,
    entities.KIND,
    continuations.KIND,
    sequences.KIND,
    answers.KIND,
)
_BY_ID = by_id(KINDS)


def find(kind: object) -> Kind:
    """The kind of that id, which is the ``bundle`` of a task. Raises UnusableInput."""
    return pick(_BY_ID, str(kind), what="kind of bundle")


__all__ = ["KINDS", "Kind", "Knob", "find"]
