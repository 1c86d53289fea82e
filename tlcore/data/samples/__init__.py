"""Bundled sample datasets, for a first walk without own data. One line per sample."""

from __future__ import annotations

from tlcore.core.registry import by_id, pick
from tlcore.data.samples import (
    comment_topics,
    digits,
    feedback,
    names_in_news,
    notices,
    phrases,
    questions,
    shop_window,
    surface_defects,
)
from tlcore.data.samples.contract import Sample

SAMPLES: tuple[Sample, ...] = (
    surface_defects.SAMPLE,
    digits.SAMPLE,
    feedback.SAMPLE,
    shop_window.SAMPLE,
    comment_topics.SAMPLE,
    names_in_news.SAMPLE,
    phrases.SAMPLE,
    notices.SAMPLE,
    questions.SAMPLE,
)
_BY_ID = by_id(SAMPLES)


def find(sample_id: str) -> Sample:
    """The sample with that id. Raises UnusableInput, listing the existing ids."""
    return pick(_BY_ID, sample_id, what="sample")


__all__ = ["SAMPLES", "Sample", "find"]
