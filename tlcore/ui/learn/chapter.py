"""The type of a chapter of Learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tlcore.core.i18n import Sentence


@dataclass(frozen=True)
class Chapter:
    """One chapter of Learn: ``id`` is its file's name in kebab-case, ``render`` writes it to the page."""

    id: str
    title: Sentence
    render: Callable[[], None]
