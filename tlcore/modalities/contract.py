"""The interface of a modality: how uploaded examples are ingested and checked."""

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

Progress = Callable[..., None]  # progress(share 0-1 | None, Sentence); raises Cancelled to stop


@dataclass(frozen=True, slots=True)
class RawRow:
    """One image example as uploaded: ``id`` is its name in the upload, ``picture`` an archive entry or bytes."""

    id: str
    picture: Entry | bytes
    label: str
    split: str | None = None  # train | validation | test, as the person gave it
    group: str | None = None
    row: int | None = None  # as a spreadsheet counts: the header is row 1
    more: dict[str, str] = field(default_factory=dict)  # labels of auxiliary tasks, by column


@dataclass(frozen=True, slots=True)
class RawText:
    """One text example as uploaded. ``id`` is its table and row.

    ``label`` is '' for a task without classes. ``more`` holds the other columns of the example (question, target …) and
    has the same keys in every row of an upload. ``same`` is the key for exact duplicates (default: the text). ``truth``
    is the target that duplicates must agree on, in readable form (default: the label).
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
    """One modality. One file in this folder, one line in its ``__init__``."""

    id: str  # the ``modality`` of the tasks it serves

    def none_here(self, file: str, wanted: Sequence[Sentence]) -> UnusableInput:
        """The error for an upload in none of the ``wanted`` formats, which are those the task accepts."""

    def nothing_usable(self, file: str) -> Sentence:
        """The message for an upload without any example."""

    def ingest(
        self, stream: Iterator[Any], tree: Tree, files: Path, progress: Progress | None
    ) -> tuple[Any, list[RejectedRow], list[Finding]]:
        """Read every example of the stream once, in bounded memory. Payloads are stored below ``files``."""

    def check(
        self, taken: Any, rejected: list[RejectedRow], group: str | None, task: Any
    ) -> tuple[pd.DataFrame, list[RejectedRow], list[Finding]]:
        """Return the usable rows, all rejected rows, and the findings.

        Rows have at least id, label, split, group, row, and sha256 (of the content, for the fingerprint).
        """

    def contaminated(self, rows: pd.DataFrame, known: pd.DataFrame) -> pd.Series:
        """Which rows (bool, (n,)) show the same content as a row of ``known``.

        Used to keep training data out of evaluation data. ``rows`` come from another dataset and may have other
        columns.
        """


def in_a_split(rows: pd.DataFrame, rejected: list[RejectedRow]) -> tuple[pd.Series, list[RejectedRow]]:
    """Which rows (bool, (n,)) to keep, and all rejected rows.

    Where the user gave a split for some rows only, rows without a split are rejected.
    """
    lacking = rows["split"].isna()
    if not lacking.any() or lacking.all():
        return pd.Series(True, index=rows.index), rejected
    reason = sentence("It is in none of your splits.")
    left = [
        RejectedRow(file=file, row=None if pd.isna(row) else int(row), reason=reason)
        for file, row in zip(rows[lacking]["id"], rows[lacking]["row"], strict=True)
    ]
    return ~lacking, rejected + left
