"""The interface of a reader of an upload format."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.modalities.contract import RawRow, RawText

if TYPE_CHECKING:
    from tlcore.core.uploads.file_tree import Tree

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
MAX_LABEL = 200


class Reader(Protocol):
    """One upload format. One file in this folder, one line in its ``__init__``."""

    id: str
    title: Sentence
    what: Sentence
    suffixes: tuple[str, ...]  # of single files that are a complete upload, the usual one first
    example: str  # first line of such a file, shown for pasting; '' where pasting is impossible

    def matches(self, tree: Tree, columns: Mapping[str, str]) -> bool:
        """Whether this upload has this format."""

    def read(
        self, tree: Tree, columns: Mapping[str, str], group: str | None
    ) -> Iterator[RawRow | RejectedRow | Finding] | Iterator[RawText | RejectedRow | Finding]:
        """Yield the upload's rows, rejected rows and findings.

        ``group`` is the name of a column, or a pattern, which the modality applies instead. Raises UnusableInput where
        the upload cannot be read at all.
        """


def tidy_label(value: object) -> str:
    """A label as text; '' where there is none.

    Unicode NFC, whitespace collapsed and stripped, 1.0 as 1.
    """
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = unicodedata.normalize("NFC", str(value))
    text = "".join(c if c.isprintable() or c in "\u200c\u200d" else " " for c in text)
    return re.sub(r" +", " ", text).strip()


def label_problem(label: str) -> Sentence | None:
    if not label:
        return sentence("It has no label.")
    if len(label) > MAX_LABEL:
        return sentence("Its label is longer than {limit} characters.", limit=MAX_LABEL)
    return None


def split_name(value: object) -> str | None:
    """train, validation or test for a common name of a split; None for any other name."""
    return SPLIT_NAMES.get(str(value).strip().lower())
