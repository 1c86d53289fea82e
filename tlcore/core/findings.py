"""What a check found, in words a person can act on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field

from tlcore.core.i18n import Sentence, sentence

if TYPE_CHECKING:
    import pandas as pd

NEEDED = 3  # examples of a class or groups, one each for train, validation and test
SHOWN = 10  # examples that a finding names
NOT_A_PICTURE = sentence("It is not a picture.")
NOT_A_TABLE = sentence("It is not a table of texts.")


class Finding(BaseModel):
    """``error`` keeps the upload from becoming a dataset, ``warning`` asks for a look, ``note`` only tells."""

    level: Literal["error", "warning", "note"]
    code: str
    sentence: Sentence
    fix: Sentence | None = None
    count: int = 0
    examples: list[str] = Field(default_factory=list)


class RejectedRow(BaseModel):
    """One row or file that was left out, and why; all of them can be downloaded as a list."""

    file: str
    row: int | None = None
    reason: Sentence


def rejection_findings(rejected: Iterable[RejectedRow]) -> list[Finding]:
    """One finding a reason, with the files it names; files that never meant to be examples are only noted."""
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
    """Labels with their counts, the first few."""
    named = [f"{label} ({n})" for label, n in list(counts.items())[:SHOWN]]
    return [*named, "…"] if len(counts) > SHOWN else named


def first(values: Iterable[object]) -> list[str]:
    """The first few as text; groups of one begin with a mark of their own, which is left out."""
    return [str(v).lstrip("\x00") for v in list(values)[:SHOWN]]


def _place(item: RejectedRow) -> str:
    return item.file if item.row is None else f"{item.file} ({item.row})"
