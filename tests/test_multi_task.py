"""Multi-task learning: further columns of labels, the weighting of losses, and the report task by task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import draw
from tlcore import data, flow, models, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.spec_parts import Data
from tlcore.data.dataset import SIDE
from tlcore.spec import from_dict
from tlcore.strategies import find
from tlcore.training import auxiliary_tasks, fit, loop
from tlcore.training.context import TrainingContext
from tlcore.training.hooks.task_weighting import GradNorm, Uncertainty, Uniform, step
from tlcore.training.run_progress import Watch

PICTURES, TEXTS = tasks.find("image-classification"), tasks.find("text-classification")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Pictures with a kind, and a brightness that every fifth row lacks."""
    folder = tmp_path_factory.mktemp("two") / "two"
    folder.mkdir()
    lines = ["image,label,shade"]
    for at in range(60):
        kind, shade = ("across", "down", "dots")[at % 3], ("dark", "light")[at // 3 % 2]
        picture = draw(kind, at).point(lambda value, light=shade == "light": value // 2 + (110 if light else 0))
        picture.save(folder / f"{at:02}.png")
        lines.append(f"{at:02}.png,{kind},{'' if at % 5 == 4 else shade}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder


# --- the data --------------------------------------------------------------------------------------------------------


def test_further_columns_of_labels_are_kept(table, store):
    found = data.read(Data(path=str(table), columns={"also": "shade"}), task=PICTURES, store=store, owner="local")
    plain = data.read(Data(path=str(table)), task=PICTURES, store=store, owner="local")
    assert found.auxiliary == ["shade"]
    assert plain.auxiliary == []
    assert found.fingerprint != plain.fingerprint
    view = found.with_labels("shade")
    assert view.info.labels == ["dark", "light"]
    assert sum(view.info.n.values()) == 48
    assert view.fingerprint not in (found.fingerprint, plain.fingerprint)
    assert (view.rows["split"] == "left-out").sum() == 12
    assert view.cached_as == found.cached_as


def test_a_column_that_is_not_there_is_named(table, store):
    with pytest.raises(UnusableInput, match="no column colour"):
        data.read(Data(path=str(table), columns={"also": "colour"}), task=PICTURES, store=store, owner="local")


def test_texts_have_further_labels_too(store, tmp_path):
    rows = "".join(f"text number {n} about {('food', 'rooms')[n % 2]},{n % 2},{n % 3}\n" for n in range(40))
    (tmp_path / "t.csv").write_text("text,label,tone\n" + rows)
    found = data.read(
        Data(path=str(tmp_path / "t.csv"), columns={"also": "tone"}), task=TEXTS, store=store, owner="local"
    )
    assert found.with_labels("tone").info.labels == ["0", "1", "2"]


# --- the weightings --------------------------------------------------------------------------------------------------


def test_uniform_is_the_mean():
    losses = [torch.tensor(1.0), torch.tensor(4.0)]
    assert Uniform(2, "cpu").join(losses, []) == 2.5


def test_uncertainty_is_the_formula_and_its_optimum():
    """exp(-s) L + s / 2 is least at exp(-s) = 1 / (2 L)."""
    weighting = Uncertainty(2, "cpu")
    weighting.log_variance.data = torch.tensor([0.3, -0.7])
    losses = [torch.tensor(2.0), torch.tensor(0.5)]
    by_hand = 2.0 * np.exp(-0.3) + 0.15 + 0.5 * np.exp(0.7) - 0.35
    assert weighting.join(losses, []).item() == pytest.approx(by_hand, rel=1e-6)
    optimizer = torch.optim.SGD(weighting.parameters(), lr=0.2)
    for _ in range(400):
        optimizer.zero_grad()
        weighting.join(losses, []).backward()
        optimizer.step()
    assert weighting.weights() == pytest.approx([0.25, 1.0], rel=1e-3)


def test_grad_norm_moves_weights_as_the_paper_does():
    """Against the paper's objective Σ |w |∇L| - wanted|, differentiated by autograd with ``wanted`` held."""
    norms, fallen = torch.tensor([4.0, 1.0]), torch.tensor([0.5, 1.5])
    weight = torch.ones(2, requires_grad=True)
    sizes = weight * norms
    wanted = (sizes.mean() * (fallen / fallen.mean()) ** 1.5).detach()
    (sizes - wanted).abs().sum().backward()
    moved = weight.detach() - 0.025 * weight.grad / norms.mean()
    assert torch.allclose(step(torch.ones(2), norms, fallen), moved * 2 / moved.sum())
    assert step(torch.ones(2), norms, fallen)[0] < 1, "the task with the larger gradient that fell faster counts less"


def test_grad_norm_reads_the_norms_off_the_shared_layer():
    shared = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    weighting = GradNorm(2, "cpu")
    x = torch.tensor([3.0, 4.0])
    assert float(weighting._norm((shared * x).sum(), [shared])) == pytest.approx(5.0)
    before = weighting.weights()
    weighting.join([(shared * x).sum(), (0.1 * shared * x).sum()], [shared])
    after = weighting.weights()
    assert before == [1.0, 1.0]
    assert after[0] < 1 < after[1]
    assert sum(after) == pytest.approx(2)
    again = GradNorm(2, "cpu")
    again.load_state_dict(weighting.state_dict())
    assert again.weights() == after


def test_a_task_without_a_label_in_a_batch_stays_where_it_is():
    weighting = GradNorm(3, "cpu")
    shared = torch.nn.Parameter(torch.ones(4))
    losses = [(shared * 2).sum(), (shared * 5).sum(), shared.new_zeros(())]
    weighting.join(losses, [shared]).backward()
    first, second, third = weighting.weights()
    assert first > 1 > second
    assert third == pytest.approx(1.0)
    assert first + second == pytest.approx(2.0)
    weighting.join([(shared * n).sum() for n in (2, 5, 3)], [shared])
    assert weighting.first[2] == pytest.approx(12.0), "its loss when it was first seen"


# --- the strategy ----------------------------------------------------------------------------------------------------


def spec(path, source, **more):
    return from_dict(
        {
            "name": "two",
            "task": "image-classification",
            "data": {"path": str(path), "columns": {"also": "shade"}},
            "source": str(source),
            "strategy": "multi-task-learning",
            "seeds": 2,
            "budget": {"epochs": 2},
            "options": {"image_size": 32, "batch_size": 8, "learning_rate": 0.002},
            **more,
        }
    )


def test_without_a_second_task_it_says_what_to_do(table, store, tiny_source):
    plain = spec(table, tiny_source)
    plain = plain.model_copy(update={"data": plain.data.model_copy(update={"columns": {}})})
    dataset = data.read(plain.data, task=PICTURES, store=store, owner="local")
    with pytest.raises(UnusableInput, match="needs a second task"):
        flow.plan_for(plain, PICTURES, dataset, models.open_source(str(tiny_source), store))
    assert "one class an example" in str(find("multi-task-learning").refuse(tasks.find("translation"), None))


def fitting(result, store, **options):
    """The run of a Spec, ready to be trained."""
    dataset = data.read(result.data, task=PICTURES, store=store, owner="local")
    source = models.open_source(result.source, store)
    result = result.model_copy(update={"strategy_options": options, "baseline": "none", "seeds": 1})
    plan = flow.plan_for(result, PICTURES, dataset, source)
    made = store.runs.create(result, "local")
    watch = Watch(lambda *words, **more: None, store, made.id, plan)
    return TrainingContext(
        PICTURES,
        dataset,
        source,
        PICTURES.fit_target(dataset),
        plan,
        store.runs.folder(made.id),
        store.home / "cache",
        watch,
    )


@pytest.mark.parametrize("weighting", ["uniform", "uncertainty", "gradnorm"])
def test_a_killed_training_ends_as_an_undisturbed_one(table, store, tiny_source, weighting, monkeypatch):
    result = spec(table, tiny_source, budget={"epochs": 3})
    undisturbed = fit.fit(fitting(result, store, weighting=weighting))["transfer"][0]
    killed, original = fitting(result, store, weighting=weighting), loop.train

    def until_the_third(training):
        def kill(epoch, **values):
            if epoch == 3:
                raise KeyboardInterrupt

        training.on_epoch = kill
        return original(training)

    monkeypatch.setattr(loop, "train", until_the_third)
    with pytest.raises(KeyboardInterrupt):
        fit.fit(killed)
    monkeypatch.setattr(loop, "train", original)
    resumed = fit.fit(killed)["transfer"][0]
    assert undisturbed.measured == resumed.measured
    for name in ("outputs-test.npy", "side-0-test.npy"):
        assert np.array_equal(np.load(undisturbed.folder / name), np.load(resumed.folder / name)), name
    weights = resumed.measured["side-tasks"]["weights"]
    assert weights == [1.0, 1.0] if weighting == "uniform" else len(set(weights)) == 2


def test_a_label_that_no_training_example_has_counts_for_nothing(table, store):
    dataset = data.read(spec(table, "x").data, task=PICTURES, store=store, owner="local")
    lonely = dataset.rows["split"].eq("test") & (dataset.rows.groupby("split").cumcount() == 0)
    dataset.rows[f"{SIDE}shade"] = dataset.rows[f"{SIDE}shade"].mask(lonely, "seen nowhere else")
    view = dataset.with_labels("shade")
    assert "seen nowhere else" not in set(view.rows["label"])
    assert view.info.n["test"] == dataset.with_labels("shade").info.n["test"] < dataset.info.n["test"]
    dataset.rows[f"{SIDE}shade"] = dataset.rows[f"{SIDE}shade"].mask(dataset.rows["split"].eq("validation"), "")
    plan = {"arms": {"transfer": {"phases": [{"hooks": [{"id": "side-tasks", "sides": ["shade"]}]}]}}}
    with pytest.raises(UnusableInput, match="shade has no labelled example among those for validation"):
        auxiliary_tasks.opened(plan, PICTURES, dataset, {}, None, None)


def test_the_side_task_is_really_learned(table, store, tiny_source):
    """Dark and light are told apart by its head, on examples that have no such label in training as well."""
    found = spec(
        table, tiny_source, budget={"epochs": 12}, options={"image_size": 32, "batch_size": 8, "learning_rate": 0.005}
    )
    run = fitting(found, store)
    result = fit.fit(run)["transfer"][0]
    side = run.auxiliary["shade"]
    out = np.load(result.folder / "side-0-test.npy")
    assert len(out) == side.dataset.info.n["test"]
    assert (out.argmax(1) == side.examples["test"].labels).mean() >= 0.8


def test_the_report_tells_task_by_task(table, store, tiny_source, tmp_path):
    result = spec(table, tiny_source, seeds=2)
    (tmp_path / "spec.yaml").write_text(result.to_yaml())
    done = subprocess.run(
        [sys.executable, "-m", "tlcore", "run", tmp_path / "spec.yaml", "--json", "--workspace", tmp_path / "w"],
        capture_output=True,
        text=True,
        env={**os.environ},
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    target, shade = report["tasks"]
    assert shade["title"] == "shade"
    assert (target["n"], shade["classes"]) == (report["n_test"], 2)
    assert target["together"]["value"] == pytest.approx(report["transfer"]["value"])
    assert target["alone"]["value"] == pytest.approx(report["plainer"]["value"])
    for row in report["tasks"]:
        low, high = row["difference"]["interval"]
        assert low <= row["together"]["value"] - row["alone"]["value"] <= high
        assert row["adjusted"] >= row["p"]
        assert row["change"] in ("gains", "loses", "unclear")
    assert "Learned together" in report["sentences"]["tasks"]["text"]
    page = (Path(report["bundle"]).parent / "report.html").read_text()
    assert "Task by task" in page
    assert "shade" in page
