"""Baselines of text-to-text tasks: copying, leading sentences, nearest training answer, source model as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core import machine
from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation.records import Baseline
from tlcore.tasks.shared import inference

if TYPE_CHECKING:
    from tlcore.models.loading import OpenSource
    from tlcore.tasks.contract import Task
    from tlcore.tasks.shared.pair_examples import PairExamples

NEAREST, AS_IT_IS = sentence("the answer of the most similar training text"), sentence("the source model as it is")
MOST_TRAIN, AT_ONCE = 50_000, 500
BATCH = 16
SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")


def copying(examples: Mapping[str, PairExamples]) -> list[tuple[str, Sentence, list[str]]]:
    """The source text, unchanged."""
    return [("copy", sentence("copying the source"), examples["test"].texts)]


def leading(examples: Mapping[str, PairExamples]) -> list[tuple[str, Sentence, list[str]]]:
    """The first sentence, and the first three (Nenkova 2005): strong baselines on news."""
    texts = examples["test"].texts
    return [
        ("lead-1", sentence("the first sentence"), [lead(text, 1) for text in texts]),
        ("lead-3", sentence("the first three sentences"), [lead(text, 3) for text in texts]),
    ]


def lead(text: str, n: int) -> str:
    return " ".join(part for part in SENTENCE.split(text.strip())[:n] if part)


def nearest(examples: Mapping[str, PairExamples]) -> list[str]:
    """For each test text the target of the most similar training text (cosine of TF-IDF vectors)."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from threadpoolctl import threadpool_limits

    train, test = examples["train"], examples["test"]
    kept = np.sort(np.random.default_rng(0).permutation(len(train))[:MOST_TRAIN])
    words = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    try:
        x = words.fit_transform([train.texts[i] for i in kept])
    except ValueError:  # the training texts contain no word
        return [train.references[0]] * len(test)
    found: list[str] = []
    with threadpool_limits(1):
        for start in range(0, len(test), AT_ONCE):
            similarities = words.transform(test.texts[start : start + AT_ONCE]) @ x.T
            found += [train.references[kept[int(place)]] for place in np.asarray(similarities.argmax(axis=1)).ravel()]
    return found


def as_it_is(task: Task, source: OpenSource, test: PairExamples, target: dict[str, Any]) -> Baseline:
    """The source model's texts without any training on the dataset."""
    if source.modality != "seq2seq":
        return Baseline("source", AS_IT_IS, None, sentence("It reads texts but writes none."))

    device = machine.detect().device
    model = task.model(source, target, True, size=test.processor["size"], seed=0).to(device)
    return Baseline(
        "source", AS_IT_IS, task.evaluate(inference.outputs(task, model, test, BATCH, device), test, target)
    )
