"""A row of a table that has more or fewer cells than its header."""

from __future__ import annotations

from collections.abc import Sequence

from tlcore.core.i18n import Sentence, sentence


def ragged(cells: Sequence[str], columns: int) -> Sentence | None:
    """That a row is shorter than the header, or goes beyond it with cells that are not empty."""
    if len(cells) == columns or (len(cells) > columns and not any(cell.strip() for cell in cells[columns:])):
        return None
    return sentence("The row has {n} cells where the header has {columns}.", n=len(cells), columns=columns)
