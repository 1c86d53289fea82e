"""Label savings of a finished run: the whole story, a kill that changes nothing, and what cannot be measured."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tlcore.cli.main import main
from tlcore.core.errors import UnusableInput
from tlcore.data.dataset import Dataset
from tlcore.evaluation import label_savings
from tlcore.execution.foreground import run_here
from tlcore.execution.job_kinds import label_savings as label_savings_job
from tlcore.spec import from_dict
from tlcore.store import Store
from tlcore.store.tables import CANCELLED, SUCCEEDED


def spec(photos, tiny_source, **changes):
    return from_dict(
        {
            "name": "patterns",
            "task": "image-classification",
            "data": {"path": str(photos)},
            "source": str(tiny_source),
            "strategy": "linear-probe-then-fine-tune",
            "seeds": 2,
            "budget": {"epochs": 2},
            "options": {"image_size": 32, "batch_size": 16},
            **changes,
        }
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory, photos, tiny_source):
    """A workspace with a finished run whose label savings were measured without a break."""
    store = Store.open(tmp_path_factory.mktemp("savings") / "home")
    run = store.runs.create(spec(photos, tiny_source), "local")
    assert run_here(store, run.id).state == SUCCEEDED
    report = store.runs.get(run.id).report
    job = store.jobs.submit("label-savings", "local", {"run": run.id, "sizes": 4}, lane="train")
    done = run_here(store, job.id)
    assert done.state == SUCCEEDED, done.error
    yield store, run.id, report, done
    store.close()


def test_the_whole_story_on_a_small_run(finished):
    store, run_id, before, job = finished
    folder = store.runs.folder(run_id)
    result = label_savings.load(folder)
    after = store.runs.get(run_id).report
    assert after == {**before, "label_savings": result, "bundle": str(folder / "bundle.zip")}
    assert json.loads((folder / "report.json").read_text()) == {**after, "bundle": "bundle.zip"}
    assert (folder / "bundle.zip").is_file()
    assert job.output["labels"] == result["n_train"] == before["dataset"]["n"]["train"]
    assert result["recipe"]["twin"]["learning_rate"] == before["baseline"]["per_seed"][0]["learning_rate"]
    for arm, key in (("transfer", "transfer"), ("twin", "baseline")):
        points = result["arms"][arm]["points"]
        assert len(points) == len(result["sizes"]) == 4
        assert points[-1]["value"] == pytest.approx(before[key]["value"]), "all the labels: the run's own arms"
        assert all(0 <= p["interval"][0] <= p["value"] <= p["interval"][1] <= 1 for p in points)
    assert not list(folder.rglob("savings/**/weights")), "weights of the parts are not kept"
    assert not list(folder.rglob("savings/**/checkpoint-*"))
    for page in ("report.html", "report.pt_BR.html"):
        assert "<polygon" in (folder / page).read_text()


def test_scores_of_the_parts_are_those_of_the_kept_outputs(finished):
    store, run_id, _, _ = finished
    result = label_savings.load(store.runs.folder(run_id))
    test = Dataset.open(store, store.runs.get(run_id).dataset).split("test")
    labels = sorted(test["label"].unique())
    truth = np.array([labels.index(label) for label in test["label"]])
    folders = sorted((store.runs.folder(run_id) / "savings").glob("n-*"))
    assert len(folders) == 3
    for folder, point in zip(folders, result["arms"]["twin"]["points"], strict=False):
        right = [
            (np.load(folder / "arms/twin" / f"seed-{s}" / "outputs-test.npy").argmax(1) == truth).mean()
            for s in range(2)
        ]
        assert point["per_seed"] == pytest.approx(right)


def test_the_backbone_does_not_run_again_for_the_parts(finished, monkeypatch):
    from tlcore.training import features

    store, run_id, _, _ = finished
    for done in (store.runs.folder(run_id) / "savings").glob("n-*/arms/transfer/seed-1/result.json"):
        done.unlink()
    monkeypatch.setattr(features, "forward", lambda *a: pytest.fail("a second pass over the same examples"))
    expected = label_savings.load(store.runs.folder(run_id))["arms"]
    job = store.jobs.submit("label-savings", "local", {"run": run_id, "sizes": 4}, lane="train")
    assert run_here(store, job.id).state == SUCCEEDED
    assert label_savings.load(store.runs.folder(run_id))["arms"] == expected


def newest(store, run_id) -> dict[str, int]:
    """When each training of the newest attempt at the savings was done, by its place."""
    made = sorted(store.runs.home(run_id).glob("attempts/*-*"), key=lambda folder: folder.stat().st_mtime_ns)
    done = made[-1].glob("savings/*/arms/*/*/result.json")
    return {str(path.relative_to(made[-1])): path.stat().st_mtime_ns for path in done}


@pytest.mark.timeout(280)
def test_a_kill_in_the_middle_changes_nothing(finished):
    """Killed twice while it trains, it goes on after the last training that is done, to the same numbers."""
    store, run_id, _, _ = finished
    folder = store.runs.folder(run_id)
    expected = label_savings.load(folder)
    shutil.rmtree(folder / "savings")
    (folder / label_savings.FILE).unlink()
    command = [sys.executable, "-m", "tlcore", "savings", run_id, "--sizes", "4", "--json"]
    environment = {**os.environ, "TLCORE_HOME": str(store.home)}
    for wanted in (2, 6):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 100
        while len(kept := newest(store, run_id)) < wanted and time.monotonic() < limit:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = newest(store, run_id)
    assert 6 <= len(kept) < 12
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    assert result["arms"] == expected["arms"]
    assert result["sizes"] == expected["sizes"]
    after = newest(store, run_id)
    assert {name: after[name] for name in kept} == kept, "what was done is not done again"


def test_a_cancel_is_noticed_and_what_is_done_stays(finished):
    store, run_id, _, _ = finished
    folder = store.runs.folder(run_id) / "savings"
    shutil.rmtree(folder)
    job = store.jobs.submit("label-savings", "local", {"run": run_id, "sizes": 4}, lane="train")

    def stop(share, sentence, **more):
        if (share or 0) > 0.2:
            store.jobs.cancel(job.id)

    assert run_here(store, job.id, stop).state == CANCELLED
    assert 1 <= len(newest(store, run_id)) < 12


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (None, "run"),
        ({"baseline": None}, "no-twin"),
        ({"baseline": {}, "seeds": 1}, "one-seed"),
        ({"baseline": {}, "seeds": 2, "dataset": {"n": {"train": 5}}, "labels": ["a", "b"]}, "too-few-labels"),
    ],
)
def test_a_run_that_cannot_be_measured_says_why(report, code):
    from tlcore.store.tables import Run

    run = Run(id="x", dataset="y", plan={}, report=report)
    with pytest.raises(UnusableInput) as result:
        label_savings_job.usable(run)
    assert result.value.code == code


def test_the_command_line_names_a_run_that_is_not_there(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TLCORE_HOME", str(tmp_path / "home"))
    assert main(["savings", "nothing", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "unknown-run"
