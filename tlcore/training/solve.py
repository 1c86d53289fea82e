"""A convex head on cached features: multinomial logistic regression, its strength chosen on validation data."""

from __future__ import annotations

from typing import Any

import numpy as np

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


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

    mean, std = train.mean(axis=0), train.std(axis=0)
    std[std < 1e-6] = 1.0
    x, v = (train - mean) / std, (validation - mean) / std
    basis = None
    if len(x) < x.shape[1]:
        basis = np.linalg.qr(x.T.astype(np.float64))[0].astype(np.float32)
        x, v = x @ basis, v @ basis
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
    if basis is not None:
        weight = weight @ basis.T
    weight = weight / std
    return {
        "weight": weight.astype(np.float32),
        "bias": (bias - weight @ mean).astype(np.float32),
        "strength": strength,
        "tried": tried,
    }


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
