"""A source model must read what the task's examples are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, say

TITLES: dict[str, Sentence] = {
    "image": say("pictures"),
    "text": say("texts"),
    "seq2seq": say("texts and writes texts"),
    "causal": say("texts and goes on writing them"),
}


def fits(told: Mapping[str, Any], task: Any) -> None:
    """``told`` is a source's own preprocessing. Raises UnusableInput where it reads something else."""
    reads = str(told.get("modality", "image"))
    if reads not in task.reads:
        raise UnusableInput(
            say(
                "This source model reads {theirs}; {task} needs one that reads {ours}.",
                theirs=TITLES.get(reads, reads),
                task=task.title,
                ours=TITLES[task.reads[0]],
            ),
            code="source-modality",
        )
