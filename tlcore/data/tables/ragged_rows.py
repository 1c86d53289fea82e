"""Check for a table row with more or fewer cells than the header."""

from __future__ import annotations

from collections.abc import Sequence

from tlcore.core.i18n import Sentence, sentence


def ragged(cells: Sequence[str], columns: int) -> Sentence | None:
    """The problem of a row that is shorter than the header, or has non-empty cells beyond it; None if it has none."""
    if len(cells) == columns or (len(cells) > columns and not any(cell.strip() for cell in cells[columns:])):
        return None
    return sentence("The row has {n} cells where the header has {columns}.", n=len(cells), columns=columns)
