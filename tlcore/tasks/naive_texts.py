"""What a text classifier must beat: the commonest class, and the words alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.tasks import class_scores
from tlcore.tasks.contract import Naive
from tlcore.words import say

if TYPE_CHECKING:
    from tlcore.tasks.contract import Task
    from tlcore.tasks.text_examples import TextExamples

MAJORITY, WORDS = say("commonest class"), say("words alone (TF-IDF and logistic regression)")
MOST_TRAIN, MOST_WORDS = 50_000, 100_000
STRENGTHS = (0.1, 1.0, 10.0, 100.0)


def naive(task: Task, examples: Mapping[str, TextExamples], target: dict[str, Any]) -> list[Naive]:
    """Both, on the test texts."""
    test, classes = examples["test"], len(target["labels"])
    return [
        Naive("majority", MAJORITY, task.evaluate(class_scores.commonest(examples, classes), test, target)),
        Naive("words", WORDS, task.evaluate(_by_words(examples, classes), test, target)),
    ]


def _by_words(examples: Mapping[str, TextExamples], classes: int) -> np.ndarray:
    """Logits (n, classes) of a logistic regression on words and pairs of words weighed by TF-IDF.

    Its strength is chosen on validation data by accuracy, then log-loss.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    train, validation = examples["train"], examples["validation"]
    kept = np.sort(np.random.default_rng(0).permutation(len(train))[:MOST_TRAIN])
    words = TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, max_features=MOST_WORDS, token_pattern=r"(?u)\b\w+\b"
    )
    try:
        x = words.fit_transform([train.texts[i] for i in kept])
    except ValueError:  # not one word in all of the training texts
        return class_scores.commonest(examples, classes)
    v, labels = words.transform(validation.texts), train.labels[kept]
    if len(np.unique(labels)) < 2:
        return class_scores.commonest(examples, classes)
    best: tuple[tuple[float, float], Any] | None = None
    with threadpool_limits(1):
        for strength in STRENGTHS:
            model = LogisticRegression(C=strength, max_iter=500).fit(x, labels)
            log = _every_class(model, v, classes)
            truth, known = validation.labels, validation.labels >= 0
            score = (
                float((log.argmax(axis=1) == truth).mean()),
                float(log[known, truth[known]].mean()) if known.any() else 0.0,
            )
            if best is None or score > best[0]:
                best = (score, model)
    assert best is not None
    return _every_class(best[1], words.transform(examples["test"].texts), classes)


def _every_class(model: Any, x: Any, classes: int) -> np.ndarray:
    """Log-probabilities (n, classes); a class without training examples gets next to none."""
    out = np.full((x.shape[0], classes), -30.0)
    out[:, model.classes_] = np.maximum(model.predict_log_proba(x), -30.0)
    return out
