"""Baselines of question answering: a constant answer, words of the most similar sentence, the source as it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core import machine
from tlcore.core.i18n import sentence
from tlcore.evaluation.records import Baseline
from tlcore.tasks.question_answering import answer_scores
from tlcore.tasks.shared import inference

if TYPE_CHECKING:
    from tlcore.models.loading import OpenSource
    from tlcore.tasks.question_answering.examples import QuestionExamples

CONSTANT = sentence("the commonest answer of training, for every question")
WORDS = sentence("words of the sentence most like the question")
AS_IS = sentence("the source model as it is")
SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+(?=\s|$)|\n|$|[.!?])")
WORD = re.compile(r"\w+(?:[.,'’-]\w+)*")
MOST = (1, 2, 3, 5, 8)  # candidates for the most words of an answer
SHARES = (0.0, 0.1, 0.25, 0.5)  # candidates for the share of questions left unanswered (lowest similarity)
BATCH = 16


def fit_baselines(
    task: Any, examples: Mapping[str, QuestionExamples], target: dict[str, Any], source: OpenSource
) -> list[Baseline]:
    """The three baselines on the test questions."""
    test = examples["test"]
    commonest = [constant(examples["train"])] * len(test)
    return [
        Baseline("constant", CONSTANT, answer_scores.records(commonest, test)),
        Baseline("sentence", WORDS, answer_scores.records(_by_sentence(examples, target), test)),
        _as_it_is(task, examples, target, source),
    ]


def constant(train: QuestionExamples) -> str:
    """The most frequent normalised training answer, '' where most have none; ties: alphabetical."""
    counts = Counter(answer_scores.normalised(truths[0]) if truths else "" for truths in train.truths)
    return min(counts, key=lambda one: (-counts[one], one))


def _by_sentence(examples: Mapping[str, QuestionExamples], target: dict[str, Any]) -> list[str]:
    """The answers of `pick` to the test questions, with the settings of the best F1 on validation data."""
    weight = weights(examples["train"])
    found = {
        split: [look(q, c, weight) for q, c in zip(examples[split].questions, examples[split].contexts, strict=True)]
        for split in ("validation", "test")
    }
    likeness = np.array([one[0] for one in found["validation"]])
    lines = [
        float(np.quantile(likeness, share)) if share and len(likeness) else -1.0
        for share in (SHARES if target["unanswerable"] else SHARES[:1])
    ]
    tried = []
    for most in MOST:
        for line in lines:
            predicted = [pick(one, most, line) for one in found["validation"]]
            scores = answer_scores.records(predicted, examples["validation"]).columns["f1"]
            tried.append((float(scores.mean()) if len(scores) else 0.0, -most, -line))
    _, most, line = max(tried)
    return [pick(one, -most, -line) for one in found["test"]]


def weights(train: QuestionExamples) -> dict[str, float]:
    """Inverse document frequency of each word over the training contexts; '' holds that of unknown words."""
    contexts = set(train.contexts)
    counts = Counter(word for one in contexts for word in {found.lower() for found in WORD.findall(one)})
    n = len(contexts)
    return {"": float(np.log(1 + n)), **{word: float(np.log((1 + n) / (1 + k))) for word, k in counts.items()}}


def look(question: str, context: str, weight: Mapping[str, float]) -> tuple[float, list[list[tuple[str, float]]], str]:
    """The sentence most similar to a question.

    Returns the cosine similarity of their TF-IDF vectors; the sentence as runs of (word, weight) without the question's
    words; and the sentence itself.
    """
    unknown = weight[""]
    asked = {word.lower() for word in WORD.findall(question)}
    norm = sum(weight.get(word, unknown) ** 2 for word in asked) ** 0.5
    best, chosen = -1.0, ""
    for match in SENTENCE.finditer(context):
        counts = Counter(word.lower() for word in WORD.findall(match[0]))
        size = sum((k * weight.get(word, unknown)) ** 2 for word, k in counts.items()) ** 0.5
        shared = sum(counts[word] * weight.get(word, unknown) ** 2 for word in asked if word in counts)
        similarity = shared / (norm * size) if norm and size else 0.0
        if similarity > best:
            best, chosen = similarity, match[0]
    runs: list[list[tuple[str, float]]] = [[]]
    for match in WORD.finditer(chosen):
        word = match[0].lower()
        if word in asked:
            runs.append([])
        else:
            runs[-1].append((match[0], weight.get(word, unknown)))
    return best, [run for run in runs if run], chosen


def pick(found: tuple[float, list[list[tuple[str, float]]], str], most: int, line: float) -> str:
    """The heaviest run of at most ``most`` words; '' where the similarity is not above ``line``."""
    similarity, runs, _ = found
    if similarity <= line or not runs:
        return ""
    pieces = [run[i : i + most] for run in runs for i in range(max(1, len(run) - most + 1))]
    return " ".join(word for word, _ in max(pieces, key=lambda piece: sum(w for _, w in piece)))


def _as_it_is(
    task: Any, examples: Mapping[str, QuestionExamples], target: dict[str, Any], source: OpenSource
) -> Baseline:
    """The source's own question-answering head, its no-answer threshold chosen on validation data."""
    from tlcore.models.adapters import transformers_spans

    if not transformers_spans.has_head(source):
        return Baseline("as-is", AS_IS, None, sentence("It has no head of its own that answers questions."))

    device = machine.detect().device
    model = task.model(source, target, True).to(device)

    def outputs(split: str) -> np.ndarray:
        return inference.outputs(task, model, examples[split], BATCH, device)

    task.fit_threshold(model, examples["validation"], lambda: outputs("validation"))
    return Baseline("as-is", AS_IS, task.evaluate(outputs("test"), examples["test"], target))
