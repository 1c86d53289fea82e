"""The kinds of bundle: how each kind of example is prepared, exported and read. One line per kind."""

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
    """The kind with this id (the ``bundle`` of a task). Raises UnusableInput if there is none."""
    return pick(_BY_ID, str(kind), what="kind of bundle")


__all__ = ["KINDS", "Kind", "Knob", "find"]
