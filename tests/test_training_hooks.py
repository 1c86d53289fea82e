"""Hooks of the one loop: what they add, what they choose by, and that a training with them is resumed to the bit."""

# ruff: noqa: F811  (fixtures of the other file)
from __future__ import annotations

import pytest
import torch

from tests.test_training_loop import TASK, fitting, result, same, source, state  # noqa: F401
from tlcore.core.i18n import sentence
from tlcore.training import fit, hooks, loop
from tlcore.training.checkpoint import Checkpoint
from tlcore.training.hooks import At, Ended
from tlcore.training.hooks.l2_sp import L2SP
from tlcore.training.hooks.second_stream import draw


class Pull:
    """Everything a hook may have: a weight of its own in the loss, a batch of a stream, a state, an order, an end."""

    id = "pull"
    what = sentence("a pull")

    def begin(self, result, device):
        self.context, self.device = result, device
        self.weight = torch.nn.Parameter(torch.rand(()))
        self.steps = 0

    def parameters(self):
        return [self.weight]

    def loss(self, model, batch, given, loss, at):
        if (examples := self.context.streams.get("unlabelled")) is not None:
            other = draw(examples, len(batch["labels"]), at, self.device)
            loss = loss + 0.01 * model(other["pixels"]).float().square().mean()
        return loss + (self.weight - 2) ** 2

    def after_step(self, model, at):
        self.steps += 1

    def after_evaluation(self, model, seen, at):
        seen["steps"] = float(self.steps)
        return (float(at.epoch == 1), 0.0)  # the first epoch is the best, whatever the scores

    def state_dict(self):
        return {"steps": self.steps, "weight": self.weight.detach().clone()}

    def load_state_dict(self, result):
        self.steps = result["steps"]
        self.weight.data.copy_(result["weight"])

    def end(self, model):
        return Ended([sentence("Done")], {"steps": self.steps, "weight": float(self.weight.detach())})


@pytest.fixture
def pull(monkeypatch):
    monkeypatch.setattr(hooks, "_BY_ID", {**hooks._BY_ID, "pull": Pull})
    return [{"id": "pull"}]


def with_hooks(result, these, **changes):
    training = result(**changes)
    training.phase = {**training.phase, "hooks": these}
    return training


def test_a_hook_trains_its_own_weights_and_chooses_the_state(result, pull):
    training = with_hooks(result, pull)
    states = {}

    def on_epoch(epoch, **values):
        states[epoch] = state(training.model)

    training.on_epoch = on_epoch
    done = loop.train(training)
    assert done.best_epoch == 1
    assert same(states[1], state(training.model))
    assert done.measured["pull"]["steps"] == 3 * 7  # 58 examples in batches of 8
    assert done.measured["pull"]["weight"] > 0
    assert done.history[2]["validation_steps"] == 14
    assert done.notes[0]["text"] == "Done"


@pytest.mark.parametrize("killed_at", [1, 2])
def test_a_killed_training_with_hooks_ends_as_an_undisturbed_one(result, pull, tmp_path, killed_at):
    streams = {"unlabelled": result().examples["validation"]}
    whole = with_hooks(result, pull, streams=streams, checkpoint=Checkpoint(tmp_path / "other.pt", every=1e9))
    first = loop.train(whole)

    def kill(epoch, **values):
        if epoch == killed_at + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.train(with_hooks(result, pull, streams=streams, on_epoch=kill))
    seen = []
    resumed = with_hooks(result, pull, streams=streams, on_epoch=lambda epoch, **values: seen.append(epoch))
    second = loop.train(resumed)
    assert seen[0] == killed_at + 1, "it began again instead of going on"
    assert first.measured == second.measured
    assert same(state(whole.model), state(resumed.model))


def test_draws_of_a_stream_go_through_all_of_it_and_depend_on_the_place_alone(result):
    examples = result().examples["validation"]
    examples.labels = torch.arange(len(examples)).numpy()
    n, seen = len(examples), []
    for step in range(-(-n // 4)):
        seen += draw(examples, 4, At(0, 0, step, 4 * step), "cpu")["labels"].tolist()
    assert set(seen[:n]) == set(range(n))
    whole = draw(examples, 4, At(0, 0, 1, 4), "cpu")
    parts = [draw(examples, 2, At(0, 0, 1, start), "cpu") for start in (4, 6)]
    assert torch.equal(whole["labels"], torch.cat([part["labels"] for part in parts]))
    assert not torch.equal(whole["labels"], draw(examples, 4, At(0, 1, 1, 4), "cpu")["labels"])


def test_a_phase_on_a_stream_leaves_the_labels_alone(result, pull):
    """The hooks alone make the loss; the task's is not asked, and the validation labels choose nothing."""
    examples = result().examples
    training = with_hooks(result, pull, streams={"unlabelled": examples["test"]})
    training.phase["stream"] = "unlabelled"
    training.task = _NoLoss()
    done = loop.train(training)
    assert "validation_accuracy" not in done.history[0]
    assert done.epochs == 3


class _NoLoss:
    def __getattr__(self, name):
        assert name != "loss"
        return getattr(TASK, name)


def two_phases(source, dataset, store, **more):
    """A run of two phases of gradient descent: the head, then everything."""
    run, _ = fitting(source, dataset, store, "fine-tuning", **more)
    arm = run.plan["arms"]["transfer"]
    arm["phases"] = [{**arm["phases"][0], "trainable": "head"}, *arm["phases"]]
    return run


def test_a_run_killed_in_its_second_phase_does_not_repeat_the_first(source, dataset, store, monkeypatch):
    undisturbed = fit.fit(two_phases(source, dataset, store))["transfer"][0]
    run = two_phases(source, dataset, store)
    trained, original = [], loop.train

    def killed(training):
        trained.append(training.phase["trainable"])
        if len(trained) == 2:

            def kill(epoch, **values):
                if epoch == 2:
                    raise KeyboardInterrupt

            training.on_epoch = kill
        return original(training)

    monkeypatch.setattr(loop, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        fit.fit(run)
    steps = []
    run.watch.step = lambda n, weight=1.0: steps.append(n)
    monkeypatch.setattr(loop, "train", original)
    resumed = fit.fit(run)["transfer"][0]
    assert sum(steps) == 7 * 8, "one epoch was left: the last of the second phase"
    for name, value in torch_weights(undisturbed).items():
        assert torch.equal(value, torch_weights(resumed)[name])
    assert (undisturbed.epochs, undisturbed.best_epoch) == (resumed.epochs, resumed.best_epoch)
    assert not list(resumed.folder.glob("checkpoint-*"))


def torch_weights(result):
    from safetensors.torch import load_file

    return load_file(result.weights / "model.safetensors")


def test_l2_sp_is_half_the_squared_distance_from_the_start(result):
    training = result()
    hook = L2SP(strength=0.3)
    hook.begin(training, "cpu")
    head = set(TASK.parts(training.model)[-1].parameters)
    loss = torch.tensor(1.5)
    assert hook.loss(training.model, None, None, loss, At(0, 0)) == loss
    expected = 1.5
    with torch.no_grad():
        for name, parameter in training.model.named_parameters():
            moved = torch.full_like(parameter, 0.01)
            parameter.add_(moved)
            if name not in head:
                expected += 0.15 * float(moved.square().sum())
    assert float(hook.loss(training.model, None, None, loss, At(0, 0))) == pytest.approx(expected, rel=1e-4)


def test_l2_sp_keeps_the_weights_nearer_to_the_source(result, tmp_path):
    ends = {}
    for strength in (0.0, 10.0):
        training = with_hooks(
            result,
            [{"id": "l2-sp", "strength": strength}],
            checkpoint=Checkpoint(tmp_path / f"{strength}.pt", every=1e9),
        )
        before = {name: value.clone() for name, value in training.model.named_parameters()}
        loop.train(training)
        head = set(TASK.parts(training.model)[-1].parameters)
        ends[strength] = sum(
            float((value - before[name]).square().sum().detach())
            for name, value in training.model.named_parameters()
            if name not in head
        )
    assert ends[10.0] < 0.5 * ends[0.0]


def test_the_gradient_of_each_weight_is_clipped_once(result, monkeypatch):
    """Also where a hook trains weights that it put into the network itself."""
    from accelerate import Accelerator

    class Inside:
        id, what = "inside", sentence("inside")

        def begin(self, result, device):
            result.model.more = torch.nn.Parameter(torch.ones(()))
            self.weight = result.model.more

        def parameters(self):
            return [self.weight]

        def loss(self, model, batch, given, loss, at):
            return loss + self.weight

        def end(self, model):
            del model.more

    clipped, original = [], Accelerator.clip_grad_norm_
    monkeypatch.setattr(hooks, "_BY_ID", {"inside": Inside})

    def clip(self, these, most):
        clipped.append(list(these))
        return original(self, these, most)

    monkeypatch.setattr(Accelerator, "clip_grad_norm_", clip)
    loop.train(with_hooks(result, [{"id": "inside"}], epochs=1))
    assert all(len({id(one) for one in these}) == len(these) for these in clipped)


def test_a_soup_is_kept_only_where_it_is_better(result):
    """The uniform average of the best states, scored on validation data like any other state."""
    training = with_hooks(result, [{"id": "soup", "most": 2}], epochs=4)
    states = {}

    def on_epoch(epoch, **values):
        states[epoch] = (values["validation_accuracy"], -values["validation_loss"]), state(training.model)

    training.on_epoch = on_epoch
    done = loop.train(training)
    found = done.measured["soup"]
    best = sorted(states.values(), key=lambda one: one[0], reverse=True)[:2]
    mixed = {
        name: (value + best[1][1][name]) / 2 if value.is_floating_point() else value
        for name, value in best[0][1].items()
    }
    after = state(training.model)
    expected = mixed if found["kept"] else best[0][1]
    assert all(torch.allclose(expected[name], after[name], atol=1e-6) for name in expected)
    assert done.score >= best[0][0]
    assert found["kept"] == (done.score > best[0][0])
