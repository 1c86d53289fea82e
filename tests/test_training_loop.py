"""The one gradient loop: frozen means frozen, a killed training ends the same, memory that runs out is survived."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tlcore import tasks
from tlcore.core import machine
from tlcore.core.spec_parts import Options
from tlcore.models.loading import open_folder
from tlcore.models.source_model import SourceModel
from tlcore.strategies import STRATEGIES, find
from tlcore.strategies.contract import PlanContext, train_phase
from tlcore.tasks.shared import inference
from tlcore.training import features, fit, loop
from tlcore.training.checkpoint import Checkpoint
from tlcore.training.context import TrainingContext
from tlcore.training.phase import Training
from tlcore.training.workload import epochs_of

TASK = tasks.find("image-classification")


@pytest.fixture
def source(tiny_source):
    result = SourceModel("tiny", "tiny", architecture="test_resnet", parameters=470_000, input_size=160)
    return open_folder(tiny_source, result)


@pytest.fixture
def result(source, dataset, tmp_path):
    """Everything a training needs, on tiny pictures."""
    processor = TASK.processor(source.preprocess, Options(image_size=32), dataset, "cpu")
    target = TASK.fit_target(dataset)
    context = PlanContext(
        n_train=58, size=32, parameters=470_000, device="cpu", epochs=3, batch_size=8, learning_rate=None
    )

    def make(**changes):
        model = changes.pop("model", None) or TASK.model(source, target, True, size=32, seed=0)
        values = {
            "task": TASK,
            "model": model,
            "target": target,
            "phase": train_phase(context),
            "rate": 1e-3,
            "epochs": 3,
            "examples": TASK.examples(dataset, processor, target, tmp_path / "cache"),
            "patience": None,
            "seed": 0,
            "batch_size": 8,
            "accumulation": 1,
            "machine": machine.detect(),
            "checkpoint": Checkpoint(tmp_path / "checkpoint.pt", every=0),
            "metric": TASK.metrics[0],
        }
        return Training(**{**values, **changes})

    machine.deterministic()
    return make


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_frozen_parts_keep_weights_and_batch_norm_statistics(result):
    training = result()
    training.phase["trainable"] = "head"
    parts = TASK.parts(training.model)
    before = state(training.model)
    loop.train(training)
    after = state(training.model)
    frozen = [name for name in before if not any(name in part.parameters for part in parts[-1:])]
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    assert any(not torch.equal(before[name], after[name]) for name in parts[-1].parameters)


def test_everything_trains_when_nothing_is_frozen(result):
    training = result()
    before = state(training.model)
    loop.train(training)
    moved = [not torch.equal(before[n], p) for n, p in training.model.named_parameters()]
    assert all(moved)


@pytest.mark.parametrize("killed_at", [1, 2])
def test_a_killed_training_ends_as_an_undisturbed_one(result, killed_at):
    undisturbed = result(checkpoint=Checkpoint(result().checkpoint.path.with_name("other.pt"), every=1e9))
    first = loop.train(undisturbed)

    def kill(epoch, **values):
        if epoch == killed_at + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.train(result(on_epoch=kill))
    seen = []
    resumed = result(on_epoch=lambda epoch, **values: seen.append(epoch))
    second = loop.train(resumed)
    assert seen[0] == killed_at + 1, "it began again instead of going on"
    assert first.score == second.score
    assert same(state(undisturbed.model), state(resumed.model))


def test_another_seed_gives_another_model(result, tmp_path):
    one = result(checkpoint=Checkpoint(tmp_path / "a.pt", every=1e9))
    two = result(seed=1, checkpoint=Checkpoint(tmp_path / "b.pt", every=1e9))
    loop.train(one), loop.train(two)
    assert not same(state(one.model), state(two.model))


def test_the_best_epoch_is_kept_not_the_last(result):
    training = result(epochs=4, rate=0.3)  # a rate that wrecks the network
    done = loop.train(training)
    best = max((h["validation_accuracy"], -h["validation_loss"]) for h in done.history)
    assert done.score == best
    again = training.validated(training.model, "cpu")
    assert again["accuracy"] == pytest.approx(best[0])


def test_early_stopping_stops(result):
    done = loop.train(result(epochs=30, patience=2, rate=0.0))
    assert done.epochs < 30
    assert done.epochs - done.best_epoch == 2


def test_layer_wise_rates_fall_towards_the_input(result):
    training = result()
    training.phase["layer_decay"] = 0.5
    parts = TASK.parts(training.model)
    groups = loop._groups(training.model, parts, {part.name for part in parts}, 1.0, training.phase)
    named = {id(p): n for n, p in training.model.named_parameters()}
    rate = {named[id(p)]: group["lr"] for group in groups for p in group["params"]}
    for depth, part in enumerate(reversed(parts)):
        for name in set(part.parameters) & set(rate):
            assert rate[name] == 0.5**depth
    assert set(rate) == {n for n, _ in training.model.named_parameters()}


def test_augmentation_depends_on_seed_epoch_and_example_only(result):
    examples = result().examples["train"]
    order = np.arange(12)
    whole = next(iter(examples.batches([order], (0, 3), "cpu")))["pixels"]
    pieces = list(examples.batches(inference.in_batches(order, 5), (0, 3), "cpu"))
    assert torch.allclose(whole, torch.cat([p["pixels"] for p in pieces]), atol=1e-6)
    other = next(iter(examples.batches([order], (0, 4), "cpu")))["pixels"]
    assert not torch.allclose(whole, other)
    plain = next(iter(examples.batches([order], None, "cpu")))["pixels"]
    assert torch.equal(plain, next(iter(examples.batches([order], None, "cpu")))["pixels"])


class _Forgetful:
    """The task, on a machine whose memory holds ``most`` examples in training."""

    def __init__(self, most):
        self.most = most

    def __getattr__(self, name):
        return getattr(TASK, name)

    def loss(self, model, batch):
        if len(batch["labels"]) > self.most:
            raise MemoryError
        return TASK.loss(model, batch)


def fitting(source, dataset, store, strategy, task=TASK, seeds=1, baseline="none", epochs=2):
    from tlcore.core.spec_parts import Data
    from tlcore.plan import make_plan
    from tlcore.spec import Spec
    from tlcore.training.run_progress import Watch

    spec = Spec(
        task="image-classification",
        data=Data(dataset=dataset.fingerprint),
        source="x",
        strategy=strategy,
        seeds=seeds,
        baseline=baseline,
        options=Options(image_size=32),
        budget={"epochs": epochs},
    )
    run = store.runs.create(spec, "local")
    context = PlanContext(dataset.info.n["train"], 32, 470_000, "cpu", epochs, 8, 1e-3)
    processor = TASK.processor(source.preprocess, spec.options, dataset, "cpu")
    plan = make_plan(spec, strategy, context, processor, TASK.metrics[0])
    said = []
    watch = Watch(lambda share, sentence, **more: said.append((share, sentence, more)), store, run.id, plan)
    result = TrainingContext(
        task, dataset, source, TASK.fit_target(dataset), plan, store.runs.folder(run.id), store.home / "cache", watch
    )
    return result, said


def test_out_of_memory_halves_the_batch_and_says_so(source, dataset, store):
    found, _ = fitting(source, dataset, store, "fine-tuning", task=_Forgetful(2))
    result = fit.fit(found)["transfer"][0]
    assert result.accumulation == 4
    assert result.batch_size == 8
    assert "Memory ran out" in str(result.notes[0])


def test_out_of_memory_with_two_examples_fails_with_a_sentence(source, dataset, store):
    from tlcore.core.errors import RunFailed

    result, _ = fitting(source, dataset, store, "fine-tuning", task=_Forgetful(0))
    with pytest.raises(RunFailed, match="too small even for two examples"):
        fit.fit(result)


def test_accumulated_steps_equal_whole_ones_without_batch_norm(dataset, tmp_path, result):
    """A network without batch norm gives the same weights whether a batch is computed whole or in parts."""

    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.head = torch.nn.Linear(3 * 32 * 32, 3)

        def forward(self, pixels):
            return self.head(pixels.flatten(1))

        def set_training(self, parts):
            self.train()

        def parts(self):
            from tlcore.models.layer_groups import LayerGroup

            return [LayerGroup("head", ("head.weight", "head.bias"), ("head",))]

    ends = []
    for accumulation in (1, 4):
        training = result(
            model=Plain(), accumulation=accumulation, checkpoint=Checkpoint(tmp_path / f"{accumulation}.pt", every=1e9)
        )
        loop.train(training)
        ends.append(state(training.model))
    assert all(torch.allclose(ends[0][name], ends[1][name], atol=1e-5) for name in ends[0])


@pytest.mark.parametrize("strategy", [s.id for s in STRATEGIES if not (s.unfit or s.needs or s.takes)])
def test_every_strategy_trains_and_packs(strategy, source, dataset, store):
    found, said = fitting(source, dataset, store, strategy)
    result = fit.fit(found)["transfer"][0]
    assert (result.weights / "model.safetensors").exists()
    out = result.outputs("test")
    assert out.shape == (dataset.info.n["test"], 3)
    assert np.isfinite(out).all()
    assert result.epochs == (epochs_of(found.plan["arms"]["transfer"]) or None)
    shares = [share for share, _, _ in said if share is not None]
    assert shares == sorted(shares)
    assert shares[-1] <= 0.99


def test_an_interrupted_fit_does_not_repeat_what_is_done(source, dataset, store, monkeypatch):
    found, _ = fitting(source, dataset, store, "fine-tuning", seeds=2)
    fit.fit(found)

    def never(*arguments):
        raise AssertionError("it was trained again")

    monkeypatch.setattr(loop, "train", never)
    again = fit.fit(found)
    assert [result.seed for result in again["transfer"]] == [0, 1]


def test_a_frozen_backbone_runs_once_over_every_example(source, dataset, store, monkeypatch):
    seen = []
    original = TASK.features

    def counting(self, model, batch):
        seen.append(len(batch["labels"]))
        return original(model, batch)

    monkeypatch.setattr(type(TASK), "features", counting)
    for strategy in ("feature-extraction", "linear-probe-then-fine-tune"):
        fit.fit(fitting(source, dataset, store, strategy, seeds=2)[0])
    assert sum(seen) == sum(dataset.info.n.values())


def test_the_feature_cache_tells_data_model_and_preprocessing_apart():
    base = ("data", "model", {"size": 32, "augmentation": "standard"})
    key = features.cache_key(*base)
    assert key == features.cache_key("data", "model", {"size": 32, "augmentation": "none"})
    assert key != features.cache_key("other", "model", base[2])
    assert key != features.cache_key("data", "other", base[2])
    assert key != features.cache_key("data", "model", {**base[2], "size": 64})


def test_seeds_of_a_solved_head_are_computed_once(source, dataset, store):
    result, _ = fitting(source, dataset, store, "feature-extraction", seeds=3)
    results = fit.fit(result)["transfer"]
    assert np.array_equal(results[0].outputs("test"), results[2].outputs("test"))
    assert (results[2].weights / "config.json").exists()


def test_find_names_what_there_is():
    from tlcore.core.errors import UnusableInput

    with pytest.raises(UnusableInput, match="did you mean fine-tuning"):
        find("fine-tunning")


def test_kept_statistics_do_not_move_and_weights_do(result):
    training = result()
    training.phase["statistics"] = "kept"
    before = state(training.model)
    loop.train(training)
    after = state(training.model)
    running = [name for name in before if "running_" in name]
    assert running
    assert all(torch.equal(before[name], after[name]) for name in running)
    assert all(not torch.equal(before[name], p) for name, p in training.model.named_parameters())
