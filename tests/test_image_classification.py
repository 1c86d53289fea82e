"""The scores of image classification against scikit-learn's, and records that keep a patient together."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from tlcore import tasks

TASK = tasks.find("image-classification")


def records(n=200, classes=5, seed=0, groups=None):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    out = rng.normal(size=(n, classes))
    out[np.arange(n), labels] += 1
    examples = SimpleNamespace(
        ids=[str(i) for i in range(n)], labels=labels, groups=np.arange(n) if groups is None else groups
    )
    return TASK.evaluate(out, examples, {"labels": list("abcde")})


def test_scores_are_scikit_learns():
    result = records()
    truth, prediction = result.columns["truth"], result.columns["prediction"]
    found = TASK.aggregate(result, np.ones((1, len(result))), {})
    assert found["accuracy"][0] == pytest.approx(accuracy_score(truth, prediction))
    assert found["macro-f1"][0] == pytest.approx(f1_score(truth, prediction, average="macro"))


def test_weights_count_as_repetition():
    result = records(50)
    weights = np.random.default_rng(1).integers(0, 4, (3, 50))
    found = TASK.aggregate(result, weights, {})
    for row, weight in enumerate(weights):
        again = np.repeat(np.arange(50), weight)
        truth, prediction = result.columns["truth"][again], result.columns["prediction"][again]
        assert found["accuracy"][row] == pytest.approx(accuracy_score(truth, prediction))
        expected = f1_score(truth, prediction, labels=np.unique(truth), average="macro")
        assert found["macro-f1"][row] == pytest.approx(expected, abs=0.03)


def test_probabilities_add_up_and_groups_are_the_units():
    result = records(10, groups=np.array(list("aabbccddee")))
    assert result.columns["probability"].sum(axis=1) == pytest.approx(np.ones(10))
    assert list(result.unit) == list("aabbccddee")


@pytest.mark.parametrize(("side", "n", "expected"), [(48, 100, 64), (300, 100, 224), (300, 4000, 96), (300, 1000, 224)])
def test_the_picture_size_suits_data_and_machine(side, n, expected):
    import pandas as pd

    from tlcore.core.spec_parts import Options

    dataset = SimpleNamespace(
        rows=pd.DataFrame({"width": [side], "height": [side + 10]}), info=SimpleNamespace(n={"train": n})
    )
    result = {
        "input_size": 224,
        "resizable": True,
        "crop_pct": 0.875,
        "interpolation": "bicubic",
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
    }
    assert TASK.processor(result, Options(), dataset, "cpu")["size"] == expected
    assert TASK.processor({**result, "resizable": False}, Options(image_size=64), dataset, "cpu")["size"] == 224
