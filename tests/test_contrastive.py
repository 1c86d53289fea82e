"""Contrastive tuning, then a head: the loss, the states it chooses, and features that are nobody else's."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import text_models
from sources_models import source as nameless

from tlcore import data, strategies, tasks
from tlcore.core.spec_parts import Data, Options
from tlcore.models.loading import open_folder
from tlcore.plan import make_plan
from tlcore.spec import Spec
from tlcore.strategies.contract import PlanContext
from tlcore.tasks.shared import inference
from tlcore.training import features, fit
from tlcore.training.context import TrainingContext
from tlcore.training.hooks import At
from tlcore.training.hooks.contrastive import Contrastive
from tlcore.training.job_progress import Tally

TASK = tasks.find("text-classification")
ID = "contrastive-then-head"


@pytest.fixture
def fitting(tmp_path, store):
    """A run on a tiny random encoder, not yet begun; each call in a folder of its own, on the same cache."""
    source = open_folder(text_models.write_model(tmp_path / "bert"), nameless("tests/text"))
    table = text_models.write_table(tmp_path / "t.csv", text_models.sentences(120))
    texts = data.read(Data(path=str(table)), task=TASK, store=store, owner="local")
    processor = TASK.processor(source.preprocess, Options(), texts, "cpu")
    spec = Spec(task=TASK.id, data=Data(dataset=texts.fingerprint), seeds=2, baseline="none")

    def made(name: str, epochs: int = 6) -> TrainingContext:
        context = PlanContext(texts.info.n["train"], TASK.side(processor), 5_000, "cpu", epochs, 16, 3e-3, TASK.rate)
        plan = make_plan(spec, ID, context, processor, TASK.metrics[0])
        result = TrainingContext(
            TASK,
            texts,
            source,
            TASK.fit_target(texts),
            plan,
            tmp_path / name,
            tmp_path / "cache",
            Tally(lambda *a, **k: None),
        )
        result.folder.mkdir()
        return result

    return made


def test_the_loss_is_that_of_the_pairs():
    import torch
    from torch.nn import functional

    hook = Contrastive()
    vectors = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [1.0, 1.0]], requires_grad=True)
    hook.seen = vectors
    labels = [0, 1, 0, 1]
    loss = hook.loss(None, {"labels": torch.tensor(labels)}, None, torch.tensor(9.0), At(0, 0))
    within, across = [], []
    for i in range(4):
        for j in range(i + 1, 4):
            cosine = float(functional.cosine_similarity(vectors[i], vectors[j], dim=0).detach())
            (within if labels[i] == labels[j] else across).append((cosine - (labels[i] == labels[j])) ** 2)
    assert float(loss.detach()) == pytest.approx((np.mean(within) + np.mean(across)) / 2, abs=1e-6)
    loss.backward()
    assert vectors.grad.abs().sum() > 0
    hook.seen = vectors[:1]
    alone = hook.loss(None, {"labels": torch.tensor([0])}, None, torch.tensor(9.0), At(0, 0))
    assert float(alone.detach()) == 0
    alone.backward()


def test_tuning_draws_the_classes_apart_and_the_head_fits_the_new_features(fitting):
    found = fitting("run", epochs=60)
    result = fit.again(found, "transfer", 0, 1e-2)
    model = open_folder(result.weights, found.source.source).build(None, True)
    again = inference.outputs(TASK, model, found.examples["test"], 3, "cpu")
    assert np.abs(again - result.outputs("test")).max() < 1e-3
    tuned, _ = features.extract(TASK, model, found.examples, None, "x", device="cpu", batch_size=8)
    still, _ = features.extract(TASK, found.model(True, 0), found.examples, None, "x", device="cpu", batch_size=8)

    def apart(rows, labels):
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        same = labels[:, None] == labels
        off = ~np.eye(len(rows), dtype=bool)
        return (rows @ rows.T)[same & off].mean() - (rows @ rows.T)[~same].mean()

    labels = found.examples["test"].labels
    assert apart(tuned["test"], labels) > apart(still["test"], labels) + 0.2
    head = TASK.solve(tuned, found.examples, found.target)
    solved = tuned["test"] @ head["weight"].T + head["bias"]
    assert np.abs(solved - result.outputs("test")).max() < 1e-2, "the head is the one of the tuned features"
    assert result.validation["accuracy"] >= 0.8


def test_the_cache_of_the_source_is_neither_read_nor_written(fitting, tmp_path):
    result = fitting("clean")
    clean = fit.again(result, "transfer", 0, 3e-3).outputs("test")
    folder = tmp_path / "cache" / "features"
    assert not list(folder.glob("*")) if folder.exists() else True
    key = features.cache_key(result.dataset.fingerprint, result.source.content_digest, result.processor)
    folder.mkdir(parents=True, exist_ok=True)
    for split, examples in result.examples.items():
        np.savez(folder / f"{key}-{split}.npz", features=np.zeros((len(examples), 16), np.float32), seconds=1.0)
    poisoned = fit.again(fitting("poisoned"), "transfer", 0, 3e-3).outputs("test")
    assert np.array_equal(clean, poisoned)
    assert fit.frozen(fitting("frozen"), "transfer") == {}, "it does not begin with the source's features"


def test_each_seed_has_features_and_a_head_of_its_own(fitting):
    result = fitting("seeds")
    results = fit.fit(result)["transfer"]
    assert [one.seed for one in results] == [0, 1]
    assert not np.array_equal(results[0].outputs("test"), results[1].outputs("test"))
    alone = fit.again(fitting("alone"), "transfer", 1, 3e-3)
    assert np.array_equal(results[1].outputs("test"), alone.outputs("test")), "the first seed leaves nothing behind"


def test_a_run_that_stops_at_the_head_does_not_train_again(fitting, monkeypatch):
    result = fitting("stopped")
    monkeypatch.setattr(fit._Arm, "_solve", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        fit.again(result, "transfer", 0, 3e-3)
    monkeypatch.undo()
    steps = []
    monkeypatch.setattr(Contrastive, "loss", lambda *a, **k: steps.append(1))
    resumed = fit.again(result, "transfer", 0, 3e-3)
    monkeypatch.undo()
    assert not steps
    assert np.array_equal(resumed.outputs("test"), fit.again(fitting("whole"), "transfer", 0, 3e-3).outputs("test"))


def test_it_needs_one_class_an_example():
    strategy = strategies.find(ID)
    assert strategy.refuse(TASK, None) is None
    assert strategy.refuse(tasks.find("image-classification"), None) is None
    for task in tasks.TASKS:
        assert (strategy.refuse(task, None) is None) == (task.has_convex_head and task.labelled), task.id
    assert strategy.refuse(SimpleNamespace(has_convex_head=True, labelled=False), None) is not None
