"""Findings of a data check, in words a person can act on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field

from tlcore.core.i18n import Sentence, sentence

if TYPE_CHECKING:
    import pandas as pd

NEEDED = 3  # examples or groups per class, one each for train, validation and test
SHOWN = 10  # examples listed in a finding
NOT_A_PICTURE = sentence("It is not a picture.")
NOT_A_TABLE = sentence("It is not a table of texts.")


class Finding(BaseModel):
    """One result of a check.

    ``error`` prevents the upload from becoming a dataset, ``warning`` needs attention, ``note`` is information only.
    """

    level: Literal["error", "warning", "note"]
    code: str
    sentence: Sentence
    fix: Sentence | None = None
    count: int = 0
    examples: list[str] = Field(default_factory=list)


class RejectedRow(BaseModel):
    """A rejected row or file with the reason; all of them can be downloaded as a list."""

    file: str
    row: int | None = None
    reason: Sentence


def rejection_findings(rejected: Iterable[RejectedRow]) -> list[Finding]:
    """One finding per reason, with example files; files of other types (e.g. no picture) are notes only."""
    by_reason: dict[str, list[RejectedRow]] = defaultdict(list)
    for item in rejected:
        by_reason[item.reason.text].append(item)
    return [
        Finding(
            level="note" if reason in (NOT_A_PICTURE.text, NOT_A_TABLE.text) else "warning",
            code="set-aside",
            count=len(items),
            examples=[_place(item) for item in items[:SHOWN]],
            sentence=sentence(
                "Files or rows rejected: {n}. {reason}",
                n=len(items),
                reason=items[0].reason
                if len({str(i.reason) for i in items}) == 1
                else sentence("For example: {reason}", reason=items[0].reason),
            ),
        )
        for reason, items in by_reason.items()
    ]


def named(counts: pd.Series) -> list[str]:
    """The first labels with their counts."""
    named = [f"{label} ({n})" for label, n in list(counts.items())[:SHOWN]]
    return [*named, "…"] if len(counts) > SHOWN else named


def first(values: Iterable[object]) -> list[str]:
    """The first few values as text, without the leading mark (NUL) of single-example groups."""
    return [str(v).lstrip("\x00") for v in list(values)[:SHOWN]]


def _place(item: RejectedRow) -> str:
    return item.file if item.row is None else f"{item.file} ({item.row})"
