"""What a kind of example provides to the check of an upload."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence

if TYPE_CHECKING:
    from tlcore.core.uploads.file_tree import Entry, Tree

Progress = Callable[..., None]  # progress(share 0-1 | None, Sentence); raises Cancelled where asked to stop


@dataclass(frozen=True, slots=True)
class RawRow:
    """One example as the upload has it. ``id`` is its name in the upload; the picture is an entry, or
    bytes.
    """

    id: str
    picture: Entry | bytes
    label: str
    split: str | None = None  # train | validation | test, as the person gave it
    group: str | None = None
    row: int | None = None  # as a spreadsheet counts: the header is row 1
    more: dict[str, str] = field(default_factory=dict)  # further columns of labels


@dataclass(frozen=True, slots=True)
class RawText:
    """One text as the upload has it. ``id`` is its table and row.

    ``label`` is '' where the task has no classes; ``more`` are the other columns of the example (question, target …),
    the same ones in every row of an upload; ``same`` is what two examples are the same by, the text where it is None;
    ``truth`` is what two of the same must agree on, as a person reads it, the label where it is None.
    """

    id: str
    text: str
    label: str
    split: str | None = None  # train | validation | test, as the person gave it
    group: str | None = None
    row: int | None = None  # as a spreadsheet counts: the header is row 1
    more: dict[str, str] = field(default_factory=dict)
    same: str | None = None
    truth: str | None = None


class Modality(Protocol):
    """One kind of example. One file in this folder, one line in its ``__init__``."""

    id: str  # the ``modality`` of the tasks it serves

    def none_here(self, file: str, wanted: Sequence[Sentence]) -> UnusableInput:
        """That an upload is of none of the ``wanted`` formats, which are those that the task reads."""

    def nothing_usable(self, file: str) -> Sentence:
        """That an upload holds not one example."""

    def ingest(
        self, stream: Iterator[Any], tree: Tree, files: Path, progress: Progress | None
    ) -> tuple[Any, list[RejectedRow], list[Finding]]:
        """Every example of the stream read once, in bounded memory; payloads go below ``files``."""

    def check(
        self, taken: Any, rejected: list[RejectedRow], group: str | None, task: Any
    ) -> tuple[pd.DataFrame, list[RejectedRow], list[Finding]]:
        """The usable rows, all that was set aside, and what is to be said.

        Rows have at least id, label, split, group, row, and sha256 (of the content, for the fingerprint).
        """

    def contaminated(self, rows: pd.DataFrame, known: pd.DataFrame) -> pd.Series:
        """Whether what each row (of another set, whose columns may be others) shows is shown by one of ``known`` too:
        nobody is judged by what was learned from.
        """


def in_a_split(rows: pd.DataFrame, rejected: list[RejectedRow]) -> tuple[pd.Series, list[RejectedRow]]:
    """Which rows stay where some are in a split of the person's and others in none, and what is set aside."""
    lacking = rows["split"].isna()
    if not lacking.any() or lacking.all():
        return pd.Series(True, index=rows.index), rejected
    reason = sentence("It is in none of your splits.")
    left = [
        RejectedRow(file=file, row=None if pd.isna(row) else int(row), reason=reason)
        for file, row in zip(rows[lacking]["id"], rows[lacking]["row"], strict=True)
    ]
    return ~lacking, rejected + left
