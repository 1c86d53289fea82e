"""The whole story without a browser: Spec in, report and bundle out, and a kill in between that changes nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import yaml


def spec_file(folder, photos, source, **changes):
    result = {
        "name": "patterns",
        "task": "image-classification",
        "data": {"path": str(photos)},
        "source": str(source),
        "strategy": "feature-extraction",
        "seeds": 2,
        "budget": {"epochs": 3},
        "options": {"image_size": 32, "batch_size": 16},
    }
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump({**result, **changes}))
    return path


def tlcore(*arguments, home, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "tlcore", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "TLCORE_HOME": str(home), **environment},
        timeout=280,
    )
    return done


@pytest.fixture(scope="module")
def finished(tmp_path_factory, photos_zip, tiny_source):
    """A run of the command line, both arms, and where it lies."""
    folder = tmp_path_factory.mktemp("flow")
    done = tlcore("run", spec_file(folder, photos_zip, tiny_source), "--json", home=folder / "home")
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, json.loads(done.stdout)


def test_the_report_has_what_others_rely_on(finished):
    _, report = finished
    assert report["task"] == "image-classification"
    assert report["metric"] == "accuracy"
    assert report["strategy"] == report["requested_strategy"] == "feature-extraction"
    assert report["seeds"] == 2
    for arm in ("transfer", "baseline"):
        result = report[arm]
        low, high = result["interval"]
        assert 0 <= low <= result["value"] <= high <= 1
        assert set(result["metrics"]) == {"accuracy", "macro-f1"}
        assert result["seconds"] > 0
    assert report["transfer"]["epochs"] is None
    assert report["baseline"]["epochs"] >= 1
    assert report["baseline"]["seconds_search"] > 0
    difference = report["difference"]["value"]
    assert difference == pytest.approx(report["transfer"]["value"] - report["baseline"]["value"])
    assert report["verdict"] in ("transfer-helps", "no-clear-difference", "negative-transfer")
    assert os.path.isabs(report["bundle"])


def test_the_run_leaves_the_files_that_the_docs_name(finished):
    folder, report = finished
    run = Path(report["bundle"]).parent
    assert (folder / "home" / "runs" / report["run"] / "log.txt").exists()
    for name in (
        "spec.yaml",
        "plan.json",
        "target.json",
        "processor.json",
        "report.json",
        "report.html",
        "predictions.csv",
        "bundle.zip",
        "arms/transfer/seed-0/weights/model.safetensors",
        "arms/twin/seed-1/outputs-test.npy",
    ):
        assert (run / name).exists(), name
    assert not list(run.rglob("checkpoint-*"))


def test_report_export_and_predict(finished, photos):
    folder, report = finished
    home = folder / "home"
    result = tlcore("report", report["run"], "--json", home=home)
    assert json.loads(result.stdout) == report
    out = folder / "sub" / "model.zip"
    assert tlcore("export", report["run"], "--output", out, home=home).returncode == 0
    assert zipfile.is_zipfile(out)
    csv = folder / "predictions.csv"
    broken = folder / "broken.jpg"
    broken.write_bytes(b"not a picture")
    done = tlcore("predict", out, photos / "dots", broken, "--output", csv, "--json", home=home)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert len(result["predictions"]) == 30
    assert "broken.jpg" in result["set_aside"][0]["input"]
    header = csv.read_text().splitlines()[0]
    assert header == "input,prediction,confidence,across,dots,down"


def test_the_spec_of_a_run_runs_again_to_the_same_numbers(finished):
    folder, report = finished
    spec = Path(report["bundle"]).with_name("spec.yaml")
    done = tlcore("run", spec, "--json", home=folder / "again")
    assert done.returncode == 0, done.stderr[-2000:]
    again = json.loads(done.stdout)
    assert again["transfer"]["value"] == report["transfer"]["value"]
    assert again["baseline"]["value"] == report["baseline"]["value"]
    assert again["difference"] == report["difference"]


def test_killed_runs_end_as_undisturbed_ones(finished, photos_zip, tiny_source):
    """kill -9 at random moments, `tlcore resume` each time: the same report in the end."""
    folder, report = finished
    home = folder / "killed"
    chance = random.Random(7)
    environment = {**os.environ, "TLCORE_HOME": str(home), "TLCORE_CHECKPOINT_SECONDS": "0"}
    spec = spec_file(folder, photos_zip, tiny_source)
    process = subprocess.Popen(
        [sys.executable, "-m", "tlcore", "run", str(spec), "--json"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    kills = 0
    for _ in range(2):
        limit = time.monotonic() + 60
        while not list((home / "runs").glob("*/attempts/*/plan.json")) and time.monotonic() < limit:
            time.sleep(0.1)
        time.sleep(chance.uniform(0.3, 4))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        run_id = next((home / "runs").iterdir()).name
        process = subprocess.Popen(
            [sys.executable, "-m", "tlcore", "resume", run_id, "--json"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    process.wait(timeout=280)
    assert kills
    result = json.loads(tlcore("report", next((home / "runs").iterdir()).name, "--json", home=home).stdout)
    for arm in ("transfer", "baseline"):
        assert result[arm]["value"] == report[arm]["value"]
        assert result[arm]["metrics"] == report[arm]["metrics"]
    assert result["difference"] == report["difference"]
    assert result["verdict"] == report["verdict"]


def test_one_seed_gives_no_verdict_and_no_twin_gives_no_difference(tmp_path, photos_zip, tiny_source):
    spec = spec_file(tmp_path, photos_zip, tiny_source, seeds=1, baseline="none")
    done = tlcore("run", spec, "--json", home=tmp_path / "home")
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert report["baseline"] is None
    assert report["difference"] is None
    assert report["verdict"] is None


@pytest.mark.assets
def test_ants_and_bees_are_told_apart_by_a_pretrained_network(assets, tmp_path):
    """Feature extraction at 224 px on real photos; the twin is kept short here, docs/benchmarks.md has it all."""
    spec = spec_file(
        tmp_path,
        assets / "data" / "hymenoptera",
        assets / "models" / "mobilenetv2_100_in1k",
        seeds=2,
        budget={"epochs": 1},
        options={"image_size": 224, "learning_rate": 1e-3},
    )
    done = tlcore("run", spec, "--json", home=tmp_path / "home", TLCORE_CHECKPOINT_SECONDS="60")
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert report["transfer"]["value"] >= 0.93
    assert report["n_test"] > 140
    assert report["verdict"] == "transfer-helps"
