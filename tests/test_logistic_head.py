"""The convex head on cached features."""

from __future__ import annotations

import numpy as np
import pytest

from tlcore.models.logistic_head import logistic_head


def problem(n, d, classes, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(classes, d))
    labels = np.arange(n) % classes
    return (scale * centres[labels] + rng.normal(size=(n, d))).astype(np.float32) * 3 + 5, labels


@pytest.mark.parametrize(("n", "d", "classes"), [(60, 8, 3), (60, 200, 4), (40, 10, 2), (40, 100, 2)])
def test_it_learns_what_can_be_learned(n, d, classes):
    x, y = problem(n, d, classes, scale=2)
    v, w = problem(200, d, classes, seed=1, scale=2)
    head = logistic_head(x, y, x, y, classes)
    assert head["weight"].shape == (classes, d)
    accuracy = ((v @ head["weight"].T + head["bias"]).argmax(1) == w).mean()
    assert accuracy > 0.9


def test_working_in_the_span_of_the_examples_changes_nothing():
    """With fewer examples than features the same optimum is found as by scikit-learn on all features."""
    from sklearn.linear_model import LogisticRegression

    x, y = problem(40, 120, 3, scale=0.3)
    v, w = problem(100, 120, 3, seed=1, scale=0.3)
    head = logistic_head(x, y, v, w, 3)
    mean, std = x.mean(0), x.std(0)
    plain = LogisticRegression(C=head["strength"] * 100 / 120, max_iter=5000, tol=1e-8).fit((x - mean) / std, y)
    ours = v @ head["weight"].T + head["bias"]
    theirs = plain.decision_function((v - mean) / std)
    difference = (ours - ours.mean(1, keepdims=True)) - (theirs - theirs.mean(1, keepdims=True))
    assert np.abs(difference).max() < 0.1 * np.abs(theirs).max()
    assert (ours.argmax(1) == theirs.argmax(1)).mean() > 0.98


def test_a_class_that_training_never_saw_is_never_predicted():
    x, y = problem(30, 5, 2)
    head = logistic_head(x, y, x, y, 3)
    assert set((x @ head["weight"].T + head["bias"]).argmax(1)) <= {0, 1}


def test_the_strength_is_chosen_on_validation_data():
    x, y = problem(60, 30, 3, scale=0.2)
    v, w = problem(300, 30, 3, seed=1, scale=0.2)
    head = logistic_head(x, y, v, w, 3)
    best = max(head["tried"], key=lambda row: (row["accuracy"], -row["loss"]))
    assert best["strength"] == head["strength"]
