"""Checks that a source model accepts the task's examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence

TITLES: dict[str, Sentence] = {
    "image": sentence("pictures"),
    "text": sentence("texts"),
    "seq2seq": sentence("texts and writes texts"),
    "causal": sentence("texts and goes on writing them"),
}


def fits(preprocess: Mapping[str, Any], task: Any) -> None:
    """Raise UnusableInput unless the task accepts the source model's modality.

    ``preprocess`` is the source's own preprocessing (`OpenSource.preprocess`).
    """
    reads = str(preprocess.get("modality", "image"))
    if reads not in task.source_families:
        raise UnusableInput(
            sentence(
                "This source model reads {theirs}; {task} needs one that reads {ours}.",
                theirs=TITLES.get(reads, reads),
                task=task.title,
                ours=TITLES[task.source_families[0]],
            ),
            code="source-modality",
        )
