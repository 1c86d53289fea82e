"""Readers of unlabelled examples, for strategies that learn from them. One line per modality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from tlcore.core.i18n import Sentence
from tlcore.core.registry import by_id
from tlcore.data.unlabelled import pictures, texts

if TYPE_CHECKING:
    from tlcore.core.uploads.file_tree import Tree


class Bare(Protocol):
    """A reader of unlabelled examples of one modality. One file in this folder, one line below."""

    id: str  # of a modality in tlcore/modalities
    what: Sentence
    suffixes: tuple[str, ...]  # of single files that are a complete upload

    def read(self, tree: Tree, columns: Mapping[str, str]) -> Iterator[Any]:
        """Yield rows with the label '', in the form the modality ingests, and rejected rows.

        Existing labels are ignored. Raises UnusableInput where the upload has no such examples.
        """


BARE: tuple[Bare, ...] = (pictures.BARE, texts.BARE)
KINDS = by_id(BARE)

__all__ = ["BARE", "KINDS", "Bare"]
