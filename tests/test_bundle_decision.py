"""A threshold between two classes, kept in the bundle and obeyed by everything that predicts with it."""

from __future__ import annotations

import hashlib
import json
import zipfile

import numpy as np
import pytest

from tlcore.bundle.calibration import Calibration, Decision, keep_decision
from tlcore.bundle.open import Bundle
from tlcore.core.errors import UnusableInput
from tlcore.runtime.predict_images import answer, probabilities


@pytest.fixture
def path(tmp_path):
    """A bundle of two classes; its network is never run."""
    files = {
        "labels.json": json.dumps(["cat", "dog"]).encode(),
        "preprocessing.json": json.dumps(
            {"size": 8, "canvas": 8, "interpolation": "bicubic", "mean": [0] * 3, "std": [1] * 3}
        ).encode(),
        "calibration.json": json.dumps({"temperature": 2.0, "decision": None}).encode(),
        "model.onnx": bytes(1000),
        "example/expected.json": b'{"probability": [0.6, 0.4], "prediction": "cat", "confidence": 0.6}',
    }
    manifest = {
        "format": 1,
        "task": "image-classification",
        "name": "x",
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    found = tmp_path / "bundle.zip"
    with zipfile.ZipFile(found, "w") as archive:
        for name, content in {**files, "manifest.json": json.dumps(manifest).encode()}.items():
            archive.writestr(name, content)
    return found


def test_a_decision_is_kept_and_taken_back(path):
    before = Bundle.open(path)
    assert before.calibration == Calibration(temperature=2.0)
    keep_decision(path, Decision(positive="dog", threshold=0.3, goal="recall", value=0.9))
    kept = Bundle.open(path)
    assert kept.calibration.temperature == 2.0
    assert kept.calibration.decision.threshold == 0.3
    assert kept.read("model.onnx") == before.read("model.onnx")
    assert json.loads(kept.read("example/expected.json"))["prediction"] == "dog"
    assert json.loads(kept.read("example/expected.json"))["confidence"] == 0.4
    assert not list(path.parent.glob(".*tmp"))
    keep_decision(path, None)
    assert Bundle.open(path).calibration.decision is None
    assert json.loads(Bundle.open(path).read("example/expected.json"))["prediction"] == "cat"


def test_answers_obey_it():
    result = {"temperature": 1.0, "decision": {"positive": "dog", "threshold": 0.3}}
    shares = np.array([[0.75, 0.25], [0.7, 0.3], [0.2, 0.8]])
    assert [answer(row, ["cat", "dog"], result) for row in shares] == [0, 1, 1]
    assert [answer(row, ["cat", "dog"], {}) for row in shares] == [0, 0, 1]
    first = {"decision": {"positive": "cat", "threshold": 0.8}}
    assert [answer(row, ["cat", "dog"], first) for row in shares] == [1, 1, 1]


def test_the_temperature_divides_logits():
    logits = np.array([[3.0, 1.0]], dtype=np.float32)
    assert probabilities(logits, {"temperature": 2.0})[0, 0] == pytest.approx(1 / (1 + np.exp(-1)))
    assert probabilities(logits, {})[0, 0] == pytest.approx(1 / (1 + np.exp(-2)))


@pytest.mark.parametrize(
    "content",
    [
        b"no json",
        b'{"temperature": 0}',
        b'{"temperature": -1}',
        b'{"temperature": 1, "more": 2}',
        b'{"decision": {"positive": "bird", "threshold": 0.5, "goal": "f1"}}',
        b'{"decision": {"positive": "dog", "threshold": 1.5, "goal": "f1"}}',
    ],
)
def test_a_forged_calibration_is_refused(path, content):
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files["manifest.json"])
    manifest["files"]["calibration.json"] = hashlib.sha256(content).hexdigest()
    files |= {"manifest.json": json.dumps(manifest).encode(), "calibration.json": content}
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in files.items():
            archive.writestr(name, value)
    with pytest.raises(UnusableInput, match="calibration"):
        Bundle.open(path)


def test_only_between_the_bundles_classes(path):
    with pytest.raises(ValueError, match="other classes"):
        keep_decision(path, Decision(positive="bird", threshold=0.5, goal="f1"))
    assert Bundle.open(path).calibration.decision is None
