"""The optional mirror in MLflow: complete where it is asked for, silent where it is not, never fatal."""

from __future__ import annotations

import json

import pytest
from report_run import finished

from tlcore import bundle, report
from tlcore.report.mlflow_mirror import EXPERIMENT, mirror


@pytest.fixture(scope="module")
def result():
    context = finished("transformers")
    made = report.build(context)
    bundle.pack(context, made)
    return context, made


def test_a_run_is_mirrored_once(result, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    context, made = result
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    client = mlflow.MlflowClient(address)
    client.create_experiment(EXPERIMENT, artifact_location=(tmp_path / "artifacts").as_uri())
    run_id = mirror(context, made)
    assert run_id
    run = client.get_run(run_id)
    assert run.data.metrics["transfer.accuracy"] == pytest.approx(made["transfer"]["value"])
    assert run.data.metrics["difference.accuracy.low"] == pytest.approx(made["difference"]["interval"][0])
    assert run.data.params["strategy"] == "feature-extraction"
    assert run.data.tags["verdict"] == str(made["verdict"])
    curve = client.get_metric_history(run_id, "twin.seed-1.validation_accuracy")
    assert [(point.step, point.value) for point in sorted(curve, key=lambda p: p.step)] == [
        (1, pytest.approx(0.325)),
        (2, pytest.approx(0.35)),
        (3, pytest.approx(0.375)),
    ]
    assert {item.path for item in client.list_artifacts(run_id)} >= {
        "report.json",
        "report.html",
        "bundle.zip",
    }
    kept = json.loads(next((tmp_path / "artifacts").rglob("report.json")).read_text())
    assert kept["run"] == context.run_id
    assert mirror(context, made) == run_id


def test_a_store_that_cannot_be_reached_breaks_nothing(result, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'file' / 'x.db'}")
    assert mirror(*result) is None
    assert "MLflow:" in capsys.readouterr().err


def test_nobody_asked(result, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert mirror(*result) is None
