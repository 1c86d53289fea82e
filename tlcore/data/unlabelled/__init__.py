"""Examples without labels, as the strategies that learn from them take them. One line a kind of example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from tlcore.core.i18n import Sentence
from tlcore.core.registry import by_id
from tlcore.data.unlabelled import pictures, texts

if TYPE_CHECKING:
    from tlcore.core.uploads.file_tree import Tree


class Bare(Protocol):
    """How one kind of example is read where nobody labelled it. One file in this folder, one line below."""

    id: str  # of a modality: tlcore/modalities
    what: Sentence
    suffixes: tuple[str, ...]  # of files that hold everything themselves

    def read(self, tree: Tree, columns: Mapping[str, str]) -> Iterator[Any]:
        """Rows with '' for a label, as the modality takes them in, with what was set aside. Labels that are there are
        not looked at. Raises UnusableInput where the upload holds none.
        """


BARE: tuple[Bare, ...] = (pictures.BARE, texts.BARE)
KINDS = by_id(BARE)

__all__ = ["BARE", "KINDS", "Bare"]
