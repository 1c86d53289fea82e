"""Checks of staged pairs of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlcore.core.findings import Finding
from tlcore.core.i18n import sentence

if TYPE_CHECKING:
    import pandas as pd

FAR, SHORT = 3.0, 40  # factor from the median length ratio; texts up to SHORT characters are ignored
SHOWN = 10
FEW = 100


def translation(rows: pd.DataFrame) -> list[Finding]:
    """Findings on translation pairs: too few, identical sides, unusual length ratios."""
    return [] if rows.empty else [*_few(rows), *_same(rows), *_lengths(rows)]


def summarization(rows: pd.DataFrame) -> list[Finding]:
    """Findings on summaries: too few, identical to the text, or as long as the text or longer."""
    if rows.empty:
        return []
    longer = rows[rows["target"].str.len() >= rows["text"].str.len()]
    found = [*_few(rows), *_same(rows)]
    if len(longer):
        found.append(
            Finding(
                level="warning" if 2 * len(longer) > len(rows) else "note",
                code="longer-target",
                count=len(longer),
                examples=longer["id"].head(SHOWN).tolist(),
                sentence=sentence("Summaries that are as long as their text, or longer: {n}.", n=len(longer)),
                fix=sentence("Where most are, source and target may be the wrong way round."),
            )
        )
    return found


def _few(rows: pd.DataFrame) -> list[Finding]:
    if len(rows) >= FEW:
        return []
    message = sentence(
        "There are only {n} pairs; a model that writes texts needs some hundreds to learn from.", n=len(rows)
    )
    return [Finding(level="warning", code="few-pairs", count=len(rows), sentence=message)]


def _same(rows: pd.DataFrame) -> list[Finding]:
    same = rows[rows["text"].str.casefold() == rows["target"].str.casefold()]
    if same.empty:
        return []
    return [
        Finding(
            level="warning" if 10 * len(same) > len(rows) else "note",
            code="identical-sides",
            count=len(same),
            examples=same["id"].head(SHOWN).tolist(),
            sentence=sentence("Pairs whose source and target are the same: {n}. They teach copying.", n=len(same)),
        )
    ]


def _lengths(rows: pd.DataFrame) -> list[Finding]:
    source, target = rows["text"].str.len(), rows["target"].str.len()
    ratio = target / source
    usual = float(ratio.median())
    unusual = rows[((ratio > FAR * usual) | (ratio < usual / FAR)) & (source.combine(target, max) > SHORT)]
    if unusual.empty:
        return []
    return [
        Finding(
            level="note",
            code="length-ratio",
            count=len(unusual),
            examples=unusual["id"].head(SHOWN).tolist(),
            sentence=sentence(
                "Pairs of which one side is far longer than usual (over {times} times): {n}. They may not belong "
                "together.",
                times=FAR,
                n=len(unusual),
            ),
            fix=sentence("Look at these rows and decide."),
        )
    ]
