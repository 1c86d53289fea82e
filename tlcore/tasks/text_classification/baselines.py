"""Baselines of text classification: the most common class, and a linear model on words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.i18n import sentence
from tlcore.evaluation.records import Baseline
from tlcore.tasks.shared import class_scores

if TYPE_CHECKING:
    from tlcore.tasks.contract import Task
    from tlcore.tasks.shared.text_examples import TextExamples

MAJORITY, SETS = sentence("commonest class"), sentence("commonest set of labels")
WORDS = sentence("words alone (TF-IDF and logistic regression)")
MOST_TRAIN, MOST_WORDS = 50_000, 100_000
STRENGTHS = (0.1, 1.0, 10.0, 100.0)


def fit_baselines(task: Task, examples: Mapping[str, TextExamples], target: dict[str, Any]) -> list[Baseline]:
    """Both baselines on the test texts."""
    test, classes = examples["test"], len(target["labels"])
    return [
        Baseline("majority", MAJORITY, task.evaluate(class_scores.commonest(examples, classes), test, target)),
        Baseline("words", WORDS, task.evaluate(_by_words(examples, classes), test, target)),
    ]


def baselines_of_sets(task: Task, examples: Mapping[str, TextExamples], target: dict[str, Any]) -> list[Baseline]:
    """The multi-label baselines: the most common label set, and a linear model on words for each label."""
    train, test = examples["train"], examples["test"]
    sets, counts = np.unique(train.labels, axis=0, return_counts=True)
    commonest = np.where(sets[counts.argmax()], 30.0, -30.0)
    validation, found = _sets_by_words(examples, commonest)
    target_with_thresholds = task.with_thresholds(validation, examples["validation"], target)
    return [
        Baseline("majority", SETS, task.evaluate(np.tile(commonest, (len(test), 1)), test, target)),
        Baseline("words", WORDS, task.evaluate(found, test, target_with_thresholds)),
    ]


def _sets_by_words(examples: Mapping[str, TextExamples], otherwise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits (n, labels) of validation and test texts, from one logistic regression per label on TF-IDF.

    Features are words and word pairs. All labels share one regularisation, chosen on validation data by log-loss.
    ``otherwise`` (labels,) are the logits used where the training texts contain no word.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    kept, x, words = _weighed(examples)
    if words is None:
        both = (np.tile(otherwise, (len(examples[split]), 1)) for split in ("validation", "test"))
        return next(both), next(both)
    wanted, truth = examples["train"].labels[kept], examples["validation"].labels
    v, test = words.transform(examples["validation"].texts), words.transform(examples["test"].texts)
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    with threadpool_limits(1):
        for strength in STRENGTHS:
            logits = {
                "v": np.full((v.shape[0], wanted.shape[1]), -30.0),
                "test": np.full((test.shape[0], wanted.shape[1]), -30.0),
            }
            for label in range(wanted.shape[1]):
                if wanted[:, label].all():
                    logits["v"][:, label] = logits["test"][:, label] = 30.0
                elif wanted[:, label].any():
                    model = LogisticRegression(C=strength, max_iter=500).fit(x, wanted[:, label])
                    logits["v"][:, label], logits["test"][:, label] = (
                        model.decision_function(v),
                        model.decision_function(test),
                    )
            loss = float(np.logaddexp(0, np.where(truth, -logits["v"], logits["v"])).mean())
            if best is None or loss < best[0]:
                best = (loss, logits["v"], logits["test"])
    assert best is not None
    return best[1], best[2]


def _weighed(examples: Mapping[str, TextExamples]) -> tuple[np.ndarray, Any, Any]:
    """Indices of the training texts used, their TF-IDF matrix of words and word pairs, and the fitted vectorizer.

    The last two are None where the training texts contain no word.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    train = examples["train"]
    kept = np.sort(np.random.default_rng(0).permutation(len(train))[:MOST_TRAIN])
    words = TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, max_features=MOST_WORDS, token_pattern=r"(?u)\b\w+\b"
    )
    try:
        return kept, words.fit_transform([train.texts[i] for i in kept]), words
    except ValueError:
        return kept, None, None


def _by_words(examples: Mapping[str, TextExamples], classes: int) -> np.ndarray:
    """Logits (n, classes) of a logistic regression on words and word pairs weighted by TF-IDF.

    Its regularisation is chosen on validation data by accuracy, then log-loss.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    validation = examples["validation"]
    kept, x, words = _weighed(examples)
    labels = examples["train"].labels[kept]
    if words is None or len(np.unique(labels)) < 2:
        return class_scores.commonest(examples, classes)
    v = words.transform(validation.texts)
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
    """Log-probabilities (n, classes); -30 for a class without training examples."""
    out = np.full((x.shape[0], classes), -30.0)
    out[:, model.classes_] = np.maximum(model.predict_log_proba(x), -30.0)
    return out
