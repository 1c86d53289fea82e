"""What a reader of an upload format provides."""

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
    suffixes: tuple[str, ...]  # of the files it reads where one holds all of an upload, the usual one first
    example: str  # the first line of such a file, shown where one is pasted; '' where none can be

    def matches(self, tree: Tree, columns: Mapping[str, str]) -> bool:
        """Whether this upload is of this format."""

    def read(
        self, tree: Tree, columns: Mapping[str, str], group: str | None
    ) -> Iterator[RawRow | RejectedRow | Finding] | Iterator[RawText | RejectedRow | Finding]:
        """The upload's rows, one after the other, with what was set aside and noticed on the way.

        ``group`` is the name of a column, or a pattern that is not this reader's matter. Raises
        UnusableInput where the whole upload cannot be read.
        """


def tidy_label(value: object) -> str:
    """A label as text: Unicode NFC, one blank for each run of blanks, ends stripped, 1.0 as 1; '' where
    there is none.
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
    """train, validation or test for the names people give them; None for any other."""
    return SPLIT_NAMES.get(str(value).strip().lower())
