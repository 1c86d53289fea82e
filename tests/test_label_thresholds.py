"""From which probability a label is given: chosen on validation data, kept in the bundle, obeyed by predictions."""

from __future__ import annotations

import hashlib
import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from tlcore import tasks
from tlcore.bundle.calibration import Calibration, keep_thresholds
from tlcore.bundle.open import Bundle
from tlcore.core.errors import UnusableInput
from tlcore.evaluation import operating_points, thresholds
from tlcore.runtime.predict_images import said
from tlcore.tasks.shared.test_records import on_test

TASK = tasks.find("multi-label-text-classification")
LABELS = ["common", "half", "rare"]


def drawn(n, seed):
    """Truth (n, 3) and probabilities that tell it, each label with a level of its own; the last has few positives."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n, 3)) < [0.6, 0.4, 0.04]
    logits = np.where(truth, 1.0, -1.0) * [1.2, 1.5, 2.0] + [1.5, -1.5, -2.0] + rng.normal(0, 0.7, (n, 3))
    return truth, logits


def f1(said_, truth):
    return 2 * (said_ & truth).sum() / max(1, said_.sum() + truth.sum())


def share(logits):
    return 1 / (1 + np.exp(-logits))


def examples(truth):
    return SimpleNamespace(
        labels=truth,
        unknown=np.zeros(len(truth), int),
        ids=[str(i) for i in range(len(truth))],
        groups=np.arange(len(truth)),
        __len__=lambda self: len(truth),
    )


def test_enough_examples_give_a_label_its_own_threshold_and_few_share_one():
    truth, logits = drawn(200, 0)
    assert truth[:, 2].sum() < thresholds.FEWEST <= truth[:, 1].sum()
    rows = thresholds.of_labels(share(logits), truth, LABELS)
    assert [row["own"] for row in rows] == [True, True, False]
    grid = np.linspace(0.01, 0.99, 99)
    for place, row in enumerate(rows):
        known, shares = truth[:, place], share(logits)[:, place]
        best = max(f1(shares >= one, known) for one in grid)
        assert f1(shares >= row["threshold"], known) == pytest.approx(row["f1"])
        if row["own"]:
            assert row["f1"] >= best - 0.01
        assert row["f1_half"] == pytest.approx(f1(shares >= 0.5, known))
    assert rows[0]["threshold"] > 0.6 > 0.4 > rows[1]["threshold"], "each where its level is"
    assert rows[2]["threshold"] == 0.5, "seven examples choose nothing"


def test_a_shared_threshold_is_the_best_for_all_decisions_together():
    truth, logits = drawn(30, 1)
    logits[:, :] = np.where(truth, 1.0, -1.0) - 1.3 + np.random.default_rng(2).normal(0, 0.6, truth.shape)
    rows = thresholds.of_labels(share(logits), truth, LABELS)
    (shared,) = {row["threshold"] for row in rows}
    assert shared < 0.5
    best = max(f1(share(logits) >= one, truth) for one in np.linspace(0.01, 0.99, 99))
    assert f1(share(logits) >= shared, truth) >= best - 0.01


@pytest.mark.parametrize("truth", [np.zeros((80, 2), bool), np.zeros((0, 2), bool), np.arange(18).reshape(9, 2) < 12])
def test_too_few_to_choose_by_leaves_one_half(truth):
    rows = thresholds.of_labels(np.where(truth, 0.3, 0.1), truth, ["a", "b"])
    assert [row["threshold"] for row in rows] == [0.5, 0.5]


def test_test_labels_choose_nothing():
    validation, test = drawn(120, 3), drawn(50, 4)
    outputs = {"validation": validation[1], "test": test[1]}.__getitem__
    target = {"labels": LABELS, "threshold": 0.5}
    here = on_test(TASK, outputs, {"validation": examples(validation[0]), "test": examples(test[0])}, target)
    there = on_test(TASK, outputs, {"validation": examples(validation[0]), "test": examples(~test[0])}, target)
    assert (here.columns["prediction"] == there.columns["prediction"]).all()
    rows = TASK.with_thresholds(validation[1], examples(validation[0]), target)["thresholds"]
    assert (here.columns["prediction"] == (share(test[1]) >= [row["threshold"] for row in rows])).all()
    half = TASK.evaluate(test[1], examples(test[0]), target)
    assert (here.columns["prediction"] != half.columns["prediction"]).any()


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ((True, True), "Each label is given from a threshold of its own"),
        ((True, False), "1 of 2 labels are given from a threshold of their own"),
        ((False, False), "All labels are given from a probability of 0.3 up"),
        ((False, None), "All labels are given from one half up"),
    ],
)
def test_the_report_says_how_they_were_chosen(own, words):
    rows = [
        {"label": name, "threshold": 0.5 if None in own else 0.3, "own": bool(one), "n": 5, "f1": 0.5, "f1_half": 0.4}
        for name, one in zip("ab", own, strict=True)
    ]
    result = {
        "labels": rows,
        "n_validation": 40,
        "half": {"metrics": {"macro-f1": 0.4}},
        "difference": {"value": 0.1, "interval": [-0.02, 0.22]},
    }
    text = str(operating_points.summary(result, {"metrics": {"macro-f1": 0.5}}, TASK.metrics[0]))
    assert words in text
    if None in own:
        return
    assert (
        "is 50 % with them and 40 % with one half for all labels (95 % interval of the difference -2 to 22 points"
        in text
    )


@pytest.fixture
def path(tmp_path):
    """A bundle of two labels a text may have; its network is never run."""
    files = {
        "labels.json": json.dumps(["a", "b"]).encode(),
        "preprocessing.json": json.dumps(
            {"size": 8, "canvas": 8, "interpolation": "bicubic", "mean": [0] * 3, "std": [1] * 3}
        ).encode(),
        "calibration.json": json.dumps({"temperature": 1.0, "threshold": 0.5, "thresholds": [0.2, 0.7]}).encode(),
        "model.onnx": bytes(100),
        "example/expected.json": b'{"probability": [0.3, 0.6], "prediction": "a", "confidence": 0.3}',
    }
    manifest = {
        "format": 1,
        "task": "image-classification",
        "name": "x",
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for name, content in {**files, "manifest.json": json.dumps(manifest).encode()}.items():
            archive.writestr(name, content)
    return tmp_path / "b.zip"


def test_they_can_be_taken_out_of_a_bundle_and_put_back(path):
    assert Bundle.open(path).calibration.thresholds == [0.2, 0.7]
    keep_thresholds(path, None)
    assert Bundle.open(path).calibration == Calibration(threshold=0.5)
    expected = json.loads(Bundle.open(path).read("example/expected.json"))
    assert (expected["prediction"], expected["confidence"]) == ("b", 0.6)
    keep_thresholds(path, [0.2, 0.7])
    expected = json.loads(Bundle.open(path).read("example/expected.json"))
    assert (expected["prediction"], expected["confidence"]) == ("a", 0.3)
    with pytest.raises(ValueError, match="other labels"):
        keep_thresholds(path, [0.2])
    assert Bundle.open(path).calibration.thresholds == [0.2, 0.7]


@pytest.mark.parametrize(
    "result",
    [{"threshold": 0.5, "thresholds": [0.5]}, {"thresholds": [0.5, 0.5]}, {"threshold": 0.5, "thresholds": [0.5, 1.5]}],
)
def test_forged_thresholds_are_refused(path, result):
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest, content = json.loads(files["manifest.json"]), json.dumps(result).encode()
    manifest["files"]["calibration.json"] = hashlib.sha256(content).hexdigest()
    files |= {"manifest.json": json.dumps(manifest).encode(), "calibration.json": content}
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in files.items():
            archive.writestr(name, value)
    with pytest.raises(UnusableInput, match="calibration"):
        Bundle.open(path)


def test_answers_obey_them():
    shares = np.array([0.3, 0.6])
    assert said(shares, ["a", "b"], {"threshold": 0.5, "thresholds": [0.2, 0.7]}) == ("a", pytest.approx(0.3))
    assert said(shares, ["a", "b"], {"threshold": 0.5, "thresholds": None}) == ("b", pytest.approx(0.6))
