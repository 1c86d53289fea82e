"""The chapters of Learn, in reading order. A chapter is one file and one line here."""

from __future__ import annotations

from tlcore.core.registry import by_id
from tlcore.ui.learn import (
    glossary,
    label_savings,
    negative_transfer,
    over_fitting,
    parts,
    strategies,
    verdict,
    what_it_is,
)
from tlcore.ui.learn.chapter import Chapter

CHAPTERS: tuple[Chapter, ...] = (
    what_it_is.CHAPTER,
    parts.CHAPTER,
    strategies.CHAPTER,
    negative_transfer.CHAPTER,
    verdict.CHAPTER,
    over_fitting.CHAPTER,
    label_savings.CHAPTER,
    glossary.CHAPTER,
)

BY_ID = by_id(CHAPTERS)


def find(chapter_id: str | None) -> Chapter:
    """The chapter with this id; the first chapter if there is none."""
    return BY_ID.get(chapter_id or "", CHAPTERS[0])
