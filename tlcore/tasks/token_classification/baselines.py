"""Baselines of named entity recognition: no entity, and a dictionary of the training entities."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tlcore.core.i18n import sentence
from tlcore.data.readers.entity_tags import Span
from tlcore.evaluation.records import Baseline
from tlcore.runtime.text_spans import pieces
from tlcore.tasks.token_classification import entity_scores

if TYPE_CHECKING:
    from tlcore.tasks.token_classification.examples import TokenExamples

NONE, DICTIONARY = sentence("no entity"), sentence("dictionary of the training entities (longest match)")
Words = tuple[str, ...]


def fit_baselines(examples: Mapping[str, TokenExamples], labels: list[str]) -> list[Baseline]:
    """Both baselines on the test texts."""
    test, known = examples["test"], _dictionary(examples["train"])
    found = [_matched(text, known) for text in test.texts]
    return [
        Baseline("none", NONE, entity_scores.records(test, [[] for _ in test.texts], labels)),
        Baseline("dictionary", DICTIONARY, entity_scores.records(test, found, labels)),
    ]


def _dictionary(train: TokenExamples) -> dict[Words, str]:
    """The case-folded words of each training entity, with its most frequent label (ties: alphabetical)."""
    seen: dict[Words, Counter[str]] = defaultdict(Counter)
    for text, gold in zip(train.texts, train.gold, strict=True):
        for start, end, label in gold:
            seen[tuple(text[a:b].casefold() for a, b in pieces(text) if start <= a < end)][label] += 1
    return {words: min(count, key=lambda label: (-count[label], label)) for words, count in seen.items()}


def _matched(text: str, known: Mapping[Words, str]) -> list[Span]:
    """Dictionary entities in a text: scanned from the left, longest match first."""
    places = pieces(text)
    words = [text[start:end].casefold() for start, end in places]
    longest, found, at = max(map(len, known), default=0), [], 0
    while at < len(words):
        for n in range(min(longest, len(words) - at), 0, -1):
            if label := known.get(tuple(words[at : at + n])):
                found.append((places[at][0], places[at + n - 1][1], label))
                at += n - 1
                break
        at += 1
    return found
