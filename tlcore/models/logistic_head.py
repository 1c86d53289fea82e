"""A convex head on cached features: logistic regression, of one label an example or of several, its strength chosen on
validation data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
CERTAIN = 10.0  # logit of a label that every training example has


def logistic_head(
    train: np.ndarray, train_labels: np.ndarray, validation: np.ndarray, validation_labels: np.ndarray, classes: int
) -> dict[str, Any]:
    """Fit on ``train`` (n, d) and choose the inverse regularisation C on ``validation`` by accuracy, then log-loss.

    Returns ``weight`` (classes, d) and ``bias`` (classes,) for the features as they are (the standardisation is folded
    in), the chosen ``strength`` and the validation score of each one tried. Features are standardised with the moments
    of ``train``; where there are fewer examples than features the problem is solved in the span of the examples, which
    holds the exact optimum of an L2-penalised linear model (representer theorem).
    """
    from threadpoolctl import threadpool_limits

    # One BLAS thread: on a busy machine the spinning of several costs up to fifty times what they gain here.
    with threadpool_limits(1):
        return _fit(train, train_labels, validation, validation_labels, classes)


def _fit(
    train: np.ndarray, train_labels: np.ndarray, validation: np.ndarray, validation_labels: np.ndarray, classes: int
) -> dict[str, Any]:
    from sklearn.linear_model import LogisticRegression

    x, v, fold = _standardised(train, validation)
    best: tuple[tuple[float, float], float, np.ndarray, np.ndarray] | None = None
    tried = []
    coefficients = None
    for strength in STRENGTHS:
        # One estimator a strength, started from the weaker one's solution; scaled so that C does not depend on d.
        model = LogisticRegression(C=strength * 100 / train.shape[1], max_iter=500, tol=1e-4, warm_start=True)
        if coefficients is not None:
            model.coef_, model.intercept_, model.classes_ = coefficients
        model.fit(x, train_labels)
        coefficients = (model.coef_, model.intercept_, model.classes_)
        weight, bias = _every_class(model, classes)
        score = _score(v @ weight.T + bias, validation_labels)
        tried.append({"strength": strength, "accuracy": score[0], "loss": -score[1]})
        if best is None or score > best[0]:
            best = (score, strength, weight, bias)
    assert best is not None
    _, strength, weight, bias = best
    return {**fold(weight, bias), "strength": strength, "tried": tried}


def logistic_heads(
    train: np.ndarray, train_labels: np.ndarray, validation: np.ndarray, validation_labels: np.ndarray
) -> dict[str, Any]:
    """One logistic regression for each label, where an example may have several: labels are (n, labels) of booleans.

    As `logistic_head`; all labels share one strength, chosen on ``validation`` by macro-F1 at a threshold of one half,
    then log-loss: few validation examples have a rare label, too few to choose a strength of its own by.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return _fit_each(train, train_labels, validation, validation_labels)


def _fit_each(
    train: np.ndarray, train_labels: np.ndarray, validation: np.ndarray, validation_labels: np.ndarray
) -> dict[str, Any]:
    from sklearn.linear_model import LogisticRegression

    x, v, fold = _standardised(train, validation)
    count = train_labels.shape[1]
    weight, bias = np.zeros((count, x.shape[1])), np.zeros(count)
    best: tuple[tuple[float, float], float, np.ndarray, np.ndarray] | None = None
    tried = []
    for strength in STRENGTHS:
        for label in range(count):
            wanted = train_labels[:, label]
            if wanted.all() or not wanted.any():
                bias[label] = CERTAIN if wanted.any() else -CERTAIN
                continue
            model = LogisticRegression(C=strength * 100 / train.shape[1], max_iter=500, tol=1e-4).fit(x, wanted)
            weight[label], bias[label] = model.coef_[0], model.intercept_[0]
        logits = v @ weight.T + bias
        loss = float(np.logaddexp(0, np.where(validation_labels, -logits, logits)).mean())
        score = (_macro_f1(logits > 0, validation_labels), -loss)
        tried.append({"strength": strength, "macro-f1": score[0], "loss": loss})
        if best is None or score > best[0]:
            best = (score, strength, weight.copy(), bias.copy())
    assert best is not None
    _, strength, weight, bias = best
    return {**fold(weight, bias), "strength": strength, "tried": tried}


def _standardised(train: np.ndarray, validation: np.ndarray) -> tuple[np.ndarray, np.ndarray, Callable[..., Any]]:
    """Both sets by the moments of ``train``, in the span of its examples where there are fewer of them than features;
    and what makes of weights and biases found there those for the features as they are.
    """
    mean, std = train.mean(axis=0), train.std(axis=0)
    std[std < 1e-6] = 1.0
    x, v = (train - mean) / std, (validation - mean) / std
    basis = None
    if len(x) < x.shape[1]:
        basis = np.linalg.qr(x.T.astype(np.float64))[0].astype(np.float32)
        x, v = x @ basis, v @ basis

    def fold(weight: np.ndarray, bias: np.ndarray) -> dict[str, np.ndarray]:
        weight = (weight if basis is None else weight @ basis.T) / std
        return {"weight": weight.astype(np.float32), "bias": (bias - weight @ mean).astype(np.float32)}

    return x, v, fold


def _macro_f1(predicted: np.ndarray, truth: np.ndarray) -> float:
    """The mean F1 of the labels that occur; 0 where none does."""
    hits, marked, there = (predicted & truth).sum(axis=0), predicted.sum(axis=0), truth.sum(axis=0)
    occurs = there > 0
    return float((2 * hits[occurs] / (marked[occurs] + there[occurs])).mean()) if occurs.any() else 0.0


def _every_class(model: Any, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights for all classes: two rows for a two-class model, and a class unseen in training is never predicted."""
    coef, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        coef, intercept = np.vstack([-coef / 2, coef / 2]), np.concatenate([-intercept / 2, intercept / 2])
    weight, bias = np.zeros((classes, coef.shape[1])), np.full(classes, -1e4)
    weight[model.classes_], bias[model.classes_] = coef, intercept
    return weight, bias


def _score(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Accuracy, then the negative log-loss that breaks its ties."""
    top = logits.max(axis=1, keepdims=True)
    log = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    return float((logits.argmax(axis=1) == labels).mean()), float(log[np.arange(len(labels)), labels].mean())
