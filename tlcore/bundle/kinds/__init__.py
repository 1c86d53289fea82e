"""What bundles predict on: how each kind of example is prepared, exported and read. One line a kind."""

from __future__ import annotations

from tlcore.bundle.kinds import generation, pictures, questions, sequences, texts, tokens
from tlcore.bundle.kinds.contract import Kind, Knob
from tlcore.registry import by_id, pick

KINDS: tuple[Kind, ...] = (
    pictures.KIND,
    texts.KIND,
    tokens.KIND,
    generation.KIND,
    sequences.KIND,
    questions.KIND,
)
_BY_ID = by_id(KINDS)


def find(kind: object) -> Kind:
    """The kind of that id, which is the ``bundle`` of a task. Raises UnusableInput."""
    return pick(_BY_ID, str(kind), what="kind of bundle")


__all__ = ["KINDS", "Kind", "Knob", "find"]
