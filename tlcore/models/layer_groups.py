"""A part of an opened network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerGroup:
    """A group of layers, from the input towards the head: what a strategy freezes, or trains at a rate of its own."""

    name: str
    parameters: tuple[str, ...]
    modules: tuple[str, ...]
    buffers: tuple[str, ...] = ()
