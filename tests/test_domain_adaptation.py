"""Domain adaptation: each loss against the formula of its paper, the choice without target labels, and resuming."""

# ruff: noqa: F811  (fixtures of the other file)
from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.test_training_hooks import with_hooks
from tests.test_training_loop import result, same, source, state  # noqa: F401
from tlcore.core.i18n import translate
from tlcore.strategies import find
from tlcore.training import loop
from tlcore.training.checkpoint import Checkpoint
from tlcore.training.hooks import (
    adabn,
    cdan,
    coral,
    dan,
    dann,
    domain_batches,
    mcc,
    mean_teacher,
    unsupervised_selection,
)

METHODS = [name for name, _ in find("domain-adaptation").options[0].choices]


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(7, 4)), rng.normal(0.5, 1.5, size=(5, 4))


def tensors(rows):
    return [torch.from_numpy(one).float() for one in rows]


def test_coral_is_the_distance_of_the_covariances(rows):
    apart = np.cov(rows[0], rowvar=False) - np.cov(rows[1], rowvar=False)
    expected = np.linalg.norm(apart, "fro") ** 2 / (4 * 4**2)
    assert float(coral.distance(*tensors(rows))) == pytest.approx(expected, rel=1e-5)
    assert float(coral.distance(*tensors([rows[0], rows[0] + 3]))) == pytest.approx(0, abs=1e-5)


def test_dan_is_the_unbiased_mmd_written_out(rows):
    source, target = rows
    both = np.concatenate(rows)
    pairs = [(a, b) for a in range(12) for b in range(12) if a != b]
    scale = np.mean([np.sum((both[a] - both[b]) ** 2) for a, b in pairs])

    def kernel(x, y):
        return np.mean([np.exp(-np.sum((x - y) ** 2) / (width * scale)) for width in dan.WIDTHS])

    within = [
        np.mean([kernel(one[a], one[b]) for a in range(len(one)) for b in range(len(one)) if a != b]) for one in rows
    ]
    across = np.mean([kernel(x, y) for x in source for y in target])
    expected = within[0] + within[1] - 2 * across
    assert float(dan.discrepancy(*tensors(rows))) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("apart", [coral.distance, dan.discrepancy])
def test_one_example_has_no_distance_but_a_gradient_of_nothing(apart):
    """Where memory ran out, the last part of a batch may be as small as that."""
    one, several = torch.ones(1, 3, requires_grad=True), torch.rand(4, 3)
    apart(one, several).backward()
    assert one.grad.tolist() == [[0.0, 0.0, 0.0]]


def test_mcc_is_the_papers_confusion_written_out(rows):
    logits = 3 * rows[0]
    n, classes = logits.shape
    shares = np.array([[math.exp(v / 2.5) / sum(math.exp(w / 2.5) for w in row) for v in row] for row in logits])
    entropy = [-sum(p * math.log(p) for p in row) for row in shares]
    raw = [1 + math.exp(-h) for h in entropy]
    weight = [n * w / sum(raw) for w in raw]
    together = [
        [sum(weight[i] * shares[i][j] * shares[i][k] for i in range(n)) for k in range(classes)] for j in range(classes)
    ]
    expected = (
        sum(together[j][k] / sum(together[j]) for j in range(classes) for k in range(classes) if j != k) / classes
    )
    assert float(mcc.confusion(torch.from_numpy(logits).float())) == pytest.approx(expected, rel=1e-4)
    sure = torch.eye(classes).repeat(3, 1) * 100
    assert float(mcc.confusion(sure)) == pytest.approx(0, abs=1e-4), "no class is taken for another"


def test_dann_turns_the_gradient_round_and_is_the_cross_entropy_of_the_domains(rows):
    features = torch.from_numpy(rows[0]).float().requires_grad_()
    out = domain_batches.reversed_gradient(features, 0.3)
    assert torch.allclose(out, features)
    out.square().sum().backward()
    assert torch.allclose(features.grad, -0.3 * 2 * features.detach(), atol=1e-6)
    source, target = rows[0][:, 0], rows[1][:, 0]
    expected = 0.5 * (
        np.mean([-math.log(1 / (1 + math.exp(-v))) for v in source])
        + np.mean([-math.log(1 - 1 / (1 + math.exp(-v))) for v in target])
    )
    assert float(dann.domain_loss(*tensors([source, target]))) == pytest.approx(expected, rel=1e-5)
    assert domain_batches.ramp(0) == 0
    assert domain_batches.ramp(0.5) == pytest.approx((1 - math.exp(-5)) / (1 + math.exp(-5)))


def test_cdan_sees_products_and_weighs_by_how_sure_an_answer_is(rows):
    features = torch.from_numpy(rows[0]).float()
    shares = torch.from_numpy(rows[0][:, :3]).float().softmax(dim=1)
    whole = cdan.product(features, shares, None)
    expected = np.einsum("nd,nc->ndc", features.numpy(), shares.numpy()).reshape(7, 12)
    assert np.allclose(whole.numpy(), expected, atol=1e-6)
    torch.manual_seed(0)
    maps = [(torch.randn(4, cdan.PART), torch.randn(3, cdan.PART)) for _ in range(60)]
    inner = torch.stack([m[0] @ m[1] for m in (cdan.product(features, shares, parts)[:2] for parts in maps)]).mean()
    assert float(inner) == pytest.approx(float(whole[0] @ whole[1]), abs=0.05), "the random map keeps inner products"
    wrong = rows[0][:, 3]
    entropy = [-sum(p * math.log(p) for p in row) for row in shares.tolist()]
    weight = [1 + math.exp(-h) for h in entropy]
    mean = sum(w * math.log(1 + math.exp(v)) for w, v in zip(weight, wrong, strict=True)) / sum(weight)
    assert float(cdan.weighted(torch.from_numpy(wrong).float(), shares)) == pytest.approx(mean, rel=1e-5)


def test_a_mean_teacher_counts_where_it_is_sure_and_follows_the_student():
    student = torch.tensor([[0.5, 0.5], [0.2, 0.8], [0.6, 0.4]])
    teacher = torch.tensor([[0.95, 0.05], [0.3, 0.7], [0.08, 0.92]])
    expected = (2 * 0.45**2 / 2 + 0 + 2 * 0.52**2 / 2) / 3
    assert float(mean_teacher.disagreement(student, teacher)) == pytest.approx(expected, rel=1e-5)
    one, other = torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 1, bias=False)
    one.weight.data.fill_(1.0)
    other.weight.data.fill_(3.0)
    for _ in range(4):
        mean_teacher.follow(one, other, 0.9)
    assert float(one.weight.detach()) == pytest.approx(3 - 2 * 0.9**4, rel=1e-5)


def test_the_information_of_answers_and_the_density_of_their_neighbourhoods():
    sure = np.eye(4).repeat(5, axis=0) * 100
    assert unsupervised_selection.information(sure) == pytest.approx(1.0)
    assert unsupervised_selection.information(np.zeros((8, 4))) == pytest.approx(0.0)
    assert unsupervised_selection.information(np.tile([100.0, 0, 0, 0], (8, 1))) == pytest.approx(0.0), (
        "one class for all"
    )
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]))
    mean = [0.4, 0.5, 0.1]
    each = [-sum(p * math.log(p) for p in row) for row in ([0.7, 0.2, 0.1], [0.1, 0.8, 0.1])]
    expected = (-sum(p * math.log(p) for p in mean) - sum(each) / 2) / math.log(3)
    assert unsupervised_selection.information(logits) == pytest.approx(expected)
    assert unsupervised_selection.density(sure) == pytest.approx(math.log(4), rel=1e-3), "four equal neighbours each"


def test_the_proxy_distance_is_two_for_domains_apart_and_near_zero_for_the_same():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(400, 20)), rng.normal(size=(400, 20))
    assert domain_batches.proxy_a(one, other) < 0.4
    assert domain_batches.proxy_a(one, other + 5) == pytest.approx(2.0)


def test_adabn_takes_the_mean_statistics_of_target_batches(result, tmp_path):
    training = result(epochs=1)
    training.streams = {"unlabelled": training.examples["test"]}
    hook = adabn.AdaBn()
    hook.begin(training, "cpu")
    layer = adabn.layers(training.model)[0]
    seen, watch = [], layer.register_forward_pre_hook(lambda _m, x: seen.append(x[0].detach()))
    momentum, weights = layer.momentum, {n: p.clone() for n, p in training.model.named_parameters()}
    training.model.eval()
    with torch.no_grad():
        adabn.adapt(training, training.model, adabn.layers(training.model), training.streams["unlabelled"], "cpu")
    watch.remove()
    assert len({len(x) for x in seen}) == 1
    expected = torch.stack([x.mean(dim=(0, 2, 3)) for x in seen]).mean(dim=0)
    assert torch.allclose(layer.running_mean, expected, atol=1e-5)
    assert (layer.momentum, layer.training) == (momentum, False)
    assert all(torch.equal(weights[n], p) for n, p in training.model.named_parameters())


def phase_hooks(method):
    from tests.test_plan import plan

    made = plan("domain-adaptation", strategy_options={"method": method})
    return made["arms"]["transfer"]["phases"][0]["hooks"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_resumed_to_the_same_weights(method, result, tmp_path):
    streams = {"unlabelled": result().examples["test"]}
    hooks = phase_hooks(method)
    whole = with_hooks(result, hooks, streams=streams, checkpoint=Checkpoint(tmp_path / "other.pt", every=1e9))
    before = {name for name, _ in whole.model.named_modules()}
    first = loop.train(whole)

    def kill(epoch, **values):
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.train(with_hooks(result, hooks, streams=streams, on_epoch=kill))
    resumed = with_hooks(result, hooks, streams=streams)
    second = loop.train(resumed)
    assert same(state(whole.model), state(resumed.model))
    assert first.measured == second.measured
    assert {name for name, _ in whole.model.named_modules()} == before
    assert not whole.model.head._forward_pre_hooks, "nobody looks any longer"
    values = first.history[-1]
    assert first.score[0] == pytest.approx(
        max(one["validation_accuracy"] + one["validation_target_information"] for one in first.history)
    )
    assert 0 <= values["validation_target_information"] <= 1
    assert set(first.measured["target-choice"]) == {"score", "proxy_a_before", "proxy_a_after", "n"}


def test_target_labels_play_no_part_in_training(result, tmp_path):
    """The same examples with other labels give the same weights."""
    ends = []
    for turn in (0, 1):
        training = result(checkpoint=Checkpoint(tmp_path / f"{turn}.pt", every=1e9), epochs=1)
        stream = training.examples["test"]
        stream.labels = (stream.labels + turn) % 3
        loop.train(
            with_hooks(
                result,
                phase_hooks("cdan"),
                streams={"unlabelled": stream},
                epochs=1,
                checkpoint=training.checkpoint,
                model=training.model,
            )
        )
        ends.append(state(training.model))
    assert same(*ends)


@pytest.fixture
def target(tmp_path):
    """The same three kinds of picture under other light: to adapt to, and with labels to be scored on."""
    from PIL import Image, ImageOps

    from tests.conftest import write_photos

    parts = write_photos(tmp_path / "lit", 8), write_photos(tmp_path / "lit-test", 4, side=47)
    for folder in parts:
        for file in folder.rglob("*.png"):
            ImageOps.invert(Image.open(file)).save(file)
    return parts


def run_of(store, photos, tiny_source, target, *, baseline="none", seeds=1, **data):
    from tlcore.execution.foreground import run_here
    from tlcore.spec import from_dict

    spec = from_dict(
        {
            "task": "image-classification",
            "strategy": "domain-adaptation",
            "source": str(tiny_source),
            "seeds": seeds,
            "baseline": baseline,
            "data": {"path": str(photos), "unlabelled": str(target[0]), **data},
            "budget": {"epochs": 1},
            "options": {"image_size": 32, "batch_size": 16, "learning_rate": 1e-3},
        }
    )
    run = store.runs.create(spec, "local")
    job = run_here(store, run.id, lambda *args, **more: None)
    assert job.state == "succeeded", job.error
    return store.runs.get(run.id)


@pytest.mark.parametrize("given", ["path", "dataset"])
def test_a_run_is_scored_on_the_target_domain_and_says_so(given, store, photos, dataset, tiny_source, target):
    import shutil

    from tlcore import flow, tasks
    from tlcore.spec import Spec

    place = {"path": None, "dataset": dataset.fingerprint} if given == "dataset" else {}
    run = run_of(store, photos, tiny_source, target, extra=str(target[1]), **place)
    report = run.report
    assert report["n_test"] == 12
    assert report["tested_on"] == "lit-test"
    assert report["sets"]["unlabelled"]["n"] == 24
    notes = [str(translate(note)) for note in report["notes"]]
    assert [note for note in notes if "Learned from besides" in note and "lit (" in note]
    assert not [note for note in notes if "lit-test" in note], "nothing was learned from the test set"
    assert "0 not at all" in report["sentences"]["domains"]["text"]
    assert "12 examples of lit-test" in report["sentences"]["tested_on"]["text"].format(
        **report["sentences"]["tested_on"]["params"]
    )
    assert 0 <= report["measured"]["target-choice"]["proxy_a_before"] <= 2
    assert report["strategy_options"]["method"] == "mcc"
    for name in ("before", "after"):
        assert len(report["domains"][name]["target"]) == 24
        assert len(report["domains"][name]["source"]) == min(200, report["dataset"]["n"]["train"])
        assert np.ptp(np.array(report["domains"][name]["source"]), axis=0).min() > 0
    assert (report["domains"]["source"], report["domains"]["target"]) == ("patterns", "lit")
    shutil.rmtree(target[0])  # a run that goes on has its sets by fingerprint
    plan = store.runs.folder(run.id) / "plan.json"
    kept = flow.auxiliary_datasets(
        Spec.model_validate(run.spec),
        tasks.find("image-classification"),
        plan,
        store,
        "local",
        lambda *args, **more: None,
    )
    assert kept["unlabelled"].fingerprint == report["sets"]["unlabelled"]["fingerprint"]


def test_the_plainer_arm_says_what_adapting_brought(store, photos, tiny_source, target):
    from tlcore.training.workload import work_of

    run = run_of(store, photos, tiny_source, target, extra=str(target[1]), baseline="scratch", seeds=2)
    result = run.report["plainer"]
    assert {hook["id"] for hook in run.plan["arms"]["plainer"]["phases"][0]["hooks"]} == {"target-choice"}
    expected = run.report["transfer"]["value"] - result["value"]
    assert result["difference"]["value"] == pytest.approx(expected)
    low, high = result["difference"]["interval"]
    assert low <= expected <= high
    assert result["verdict"] in ("transfer-helps", "no-clear-difference", "negative-transfer")
    assert "source only" in str(translate(run.report["sentences"]["plainer"]))
    assert set(run.report["cost"]) == {"transfer", "plainer", "twin"}
    assert work_of(run.plan, "plainer") == work_of(run.plan, "transfer")
    page = (store.runs.folder(run.id) / "report.html").read_text()
    assert "source only" in page


def test_source_only_has_nothing_plainer():
    from tests.test_plan import plan

    assert "plainer" not in plan("domain-adaptation", strategy_options={"method": "source-only"})["arms"]
    assert "plainer" in plan("domain-adaptation")["arms"]


def test_without_labels_of_the_target_the_report_says_what_its_score_is_not(store, photos, tiny_source, target):
    report = run_of(store, photos, tiny_source, target).report
    assert report["tested_on"] is None
    assert "says little" in report["sentences"]["tested_on"]["text"]
