"""Evidence: one pass over training and validation data, cached, and used again by the run."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from sources_models import TIMM, TRANSFORMERS, source, write

from tlcore import flow, guidance, models, tasks
from tlcore.core.spec_parts import Options
from tlcore.guidance import data_size as size
from tlcore.guidance import evidence_cache, feature_pass, linear_probe, measurement
from tlcore.spec import from_dict
from tlcore.training import features

TASK = tasks.find("image-classification")


def opened(store, folder):
    return models.open_source(str(folder), store)


def processor(dataset, source, side=32):
    return TASK.processor(source.preprocess, Options(image_size=side), dataset, "cpu")


@pytest.fixture
def measured(dataset, store, tiny_source):
    result = opened(store, tiny_source)
    cache = store.home / "cache"
    return guidance.measure_with(dataset, TASK, result, processor(dataset, result), cache), result, cache


def test_evidence_has_every_part_and_comes_back_from_disk(measured, dataset, store, monkeypatch):
    evidence, result, cache = measured
    assert evidence.n_train == dataset.info.n["train"]
    assert 0 <= evidence.similarity_interval[0] <= evidence.similarity <= evidence.similarity_interval[1] <= 1
    assert {part.id for part in evidence.similarity_parts} == {"statistics", "head", "spread"}
    names = ("log_me", "h_score", "leep", "n_leep")
    assert all(np.isfinite(evidence.transferability[name]) for name in names)
    n = dataset.info.n["train"] + dataset.info.n["validation"]
    assert evidence.transferability["n"] == evidence.size.label_noise.examined == n
    curve = evidence.size.learning_curve
    assert curve.points[-1].value == pytest.approx(evidence.transferability["probe"]["value"])
    assert curve.doubled.n == 2 * curve.now.n == 2 * evidence.n_train
    assert curve.gain_interval[0] <= curve.gain_interval[1]
    assert evidence.source["id"] == result.source.id
    assert "3 classes" in str(evidence.relevance)

    monkeypatch.setattr(feature_pass, "run_feature_pass", lambda *a, **k: pytest.fail("measured twice"))
    again = guidance.measure_with(dataset, TASK, result, processor(dataset, result), cache)
    assert again.model_dump_json() == evidence.model_dump_json()
    assert guidance.kept(store, dataset.fingerprint, result.source.id) == again
    assert guidance.kept(store, dataset.fingerprint, "bundled/other") is None
    assert guidance.kept(store, "0" * 16, result.source.id) is None


def test_test_data_are_not_looked_at(measured, dataset, store, tiny_source):
    """No feature of the test set is computed, and labels and pictures of the test set change nothing."""
    evidence, result, cache = measured
    assert not list((cache / "features").glob("*-test.npz"))
    dataset.rows.loc[dataset.rows["split"] == "test", ["label", "file"]] = ["across", "missing"]
    for path in (cache / "evidence").glob("*.json"):
        path.unlink()
    again = guidance.measure_with(dataset, TASK, result, processor(dataset, result), cache)
    told_before, told_again = evidence.model_dump(), again.model_dump()
    told_before.pop("seconds"), told_again.pop("seconds")
    assert told_again == told_before


def test_a_newer_version_measures_anew(measured, dataset, store, monkeypatch):
    _, result, _ = measured
    monkeypatch.setattr(evidence_cache, "VERSION", evidence_cache.VERSION + 1)
    assert guidance.kept(store, dataset.fingerprint, result.source.id) is None


def test_features_of_one_split_are_kept_while_another_is_added(dataset, store, tiny_source, monkeypatch):
    result = opened(store, tiny_source)
    how = processor(dataset, result)
    target = TASK.fit_target(dataset)
    model, _ = TASK.source_model(result, target, size=32)
    examples = TASK.examples(dataset, how, target, None)
    seen = []

    def take(splits):
        some = {split: examples[split] for split in splits}
        return features.extract(
            TASK, model, some, store.home / "f", "key", device="cpu", batch_size=16, step=seen.append
        )

    first, _ = take(("train", "validation"))
    assert sum(seen) == len(examples["train"]) + len(examples["validation"])
    seen.clear()
    whole, seconds = take(("train", "validation", "test"))
    assert sum(seen) == len(examples["test"])
    assert seconds > 0
    for split in first:
        np.testing.assert_array_equal(first[split], whole[split])
    # Training examples go through in a random order; each feature is still that of its own example.
    import torch

    with torch.inference_mode():
        batch = next(iter(examples["train"].batches([np.arange(10)], None, "cpu")))
        alone = TASK.features(model, batch).numpy()
    np.testing.assert_allclose(whole["train"][:10], alone, rtol=1e-3, atol=1e-5)


def test_moments_are_those_of_the_layers_inputs(dataset, store, tiny_source):
    """Against the mean and variance of all inputs of the first and the last batch-norm layer at once."""
    import torch

    result = opened(store, tiny_source)
    how, target = processor(dataset, result), TASK.fit_target(dataset)
    model, _ = TASK.source_model(result, target, size=32)
    examples = TASK.examples(dataset, how, target, None)
    features.extract(TASK, model, {"train": examples["train"]}, store.home / "f", "key", device="cpu", batch_size=7)
    kept = features.moments(store.home / "f", "key")
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    inputs = []
    for at in (0, -1):
        norms[at].register_forward_pre_hook(lambda _m, x: inputs.append(x[0]))
    batch = next(iter(examples["train"].batches([np.arange(len(examples["train"]))], None, "cpu")))
    with torch.inference_mode():
        TASK.features(model, batch)
    n = len(examples["train"])
    share = np.array([len(part) for part in np.array_split(np.arange(n), features.BLOCKS)]) / n
    for x, layer in zip(inputs, (0, kept.layer.max()), strict=True):
        mine = kept.layer == layer
        mean, square = share @ kept.mean[:, mine], share @ kept.square[:, mine]
        np.testing.assert_allclose(mean, x.mean((0, 2, 3)), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(square - mean**2, x.var((0, 2, 3), correction=0), rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("name", [*TIMM, *TRANSFORMERS])
def test_the_source_heads_logits_come_from_cached_features(name, tmp_path):
    """Features to measure with are those to train with, and the head on them is the network's own output."""
    import torch

    from tlcore.models.loading import open_folder

    result = open_folder(write(name, tmp_path / name), source(name))
    target = {"labels": ["a", "b", "c"]}
    size = result.preprocess["input_size"]
    model, own = TASK.source_model(result, target, size=size)
    trained = TASK.model(result, target, True, size=size)
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        a, b = model.eval().features(x), trained.eval().features(x)
        torch.testing.assert_close(a, b)
        assert own == (name != "dinov2")
        if own:
            torch.testing.assert_close(a @ model.head.weight.T + model.head.bias, model(x), rtol=1e-4, atol=1e-5)


def test_doubtful_labels_are_those_that_were_exchanged():
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    x = (2.5 * np.eye(3, 12)[labels] + 0.5 * rng.normal(size=(120, 12))).astype(np.float32)
    wrong = rng.permutation(120)[:8]
    given = labels.copy()
    given[wrong] = (labels[wrong] + 1) % 3
    units = np.arange(120)
    fold = linear_probe.folds(given, units)
    predicted = linear_probe.cross_validate(linear_probe.coordinates(x), given, fold, 3, 12)
    result = size.label_noise(predicted, given, ["a", "b", "c"], [str(i) for i in range(120)], ["f"] * 120, units)
    found = {int(one.id) for one in result.suspects}
    assert found >= set(wrong.tolist())
    assert len(found) == result.count <= 10
    assert result.interval[0] < result.share == result.count / 120 < result.interval[1]
    for one in (one for one in result.suspects if int(one.id) in wrong):
        assert one.suggested == "abc"[labels[int(one.id)]]
        assert one.label == "abc"[given[int(one.id)]]


def test_twice_the_labels_is_read_from_the_power_law():
    sizes = np.array([10.0, 20, 40, 80, 160])

    def read(accuracy):
        return size._read(sizes, accuracy, np.tile(accuracy, (5, 1)), 160)

    result = read(1 - (0.08 + 1.2 * sizes**-0.575))
    assert result.fit == pytest.approx({"a": 1.2, "b": 0.575, "c": 0.08}, rel=0.05)
    assert result.gain == pytest.approx(1.2 * (160**-0.575 - 320**-0.575), abs=1e-3)
    assert result.gain_interval == pytest.approx([result.gain] * 2)
    assert result.worth is True
    flat, falling = read(np.full(5, 0.7)), read(np.array([0.9, 0.8, 0.7, 0.6, 0.5]))
    assert flat.gain == pytest.approx(0)
    assert falling.gain == pytest.approx(0)
    assert flat.worth is falling.worth is False


def test_the_gain_of_twice_the_labels_is_held_by_its_interval():
    """Curves of known truth, 80 draws of 300 examples each: how often the interval holds the true gain."""
    sizes = np.array([15.0, 30, 60, 120, 240])

    def truth(n):
        return 1 - (0.05 + 1.5 * np.asarray(n, float) ** -0.5)

    gain, held = float(truth(480) - truth(240)), 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        hits = (rng.random((1, 300)) < truth(sizes)[:, None]).astype(float)
        result = size._read(sizes, hits.mean(axis=1), size._bootstrap(hits, np.arange(300)), 240)
        held += result.gain_interval[0] <= gain <= result.gain_interval[1]
    assert held / 80 >= 0.85


def test_auto_takes_the_measured_evidence_and_the_run_takes_its_features(dataset, store, tiny_source, monkeypatch):
    result = opened(store, tiny_source)
    spec = from_dict(
        {
            "task": TASK.id,
            "data": {"dataset": dataset.fingerprint},
            "source": str(tiny_source),
            "options": {"image_size": 32},
        }
    )
    asked = []
    real = guidance.advise
    monkeypatch.setattr(guidance, "advise", lambda evidence, *rest, **more: (asked.append(evidence), real(evidence))[1])

    def progress(share, message=None, **more):
        pass

    plan = flow.plan_for(
        spec, TASK, dataset, result, lambda: flow.advised(spec, TASK, dataset, result, store, progress, "local")
    )
    assert asked[0].similarity is not None
    key = features.cache_key(dataset.fingerprint, result.content_digest, plan["processor"])
    kept = {path.name for path in (store.home / "cache" / "features").glob(f"{key}*")}
    assert kept == {f"{key}-{part}.npz" for part in ("train", "validation", "moments")}


def test_reading_evidence_brings_no_torch(measured, dataset, store):
    code = (
        "import sys\nfrom tlcore import guidance\nfrom tlcore.store import Store\n"
        f"store = Store.open({str(store.home)!r})\n"
        f"assert guidance.kept(store, {dataset.fingerprint!r}, {measured[1].source.id!r}).similarity is not None\n"
        f"assert len(guidance.kept_ranking(store, {dataset.fingerprint!r})) == 1\n"
        "print(sorted(set(sys.modules) & {'torch', 'sklearn', 'cleanlab', 'timm', 'scipy'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr[-2000:]


def test_advise_on_the_command_line(dataset, store, tiny_source, photos):
    import os

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tlcore",
            "advise",
            "--task",
            TASK.id,
            "--data",
            dataset.fingerprint,
            "--source",
            str(tiny_source),
            "--json",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "TLCORE_HOME": str(store.home)},
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    assert {"strategy", "reasons", "evidence", "sources"} <= set(result)
    assert 0 <= result["evidence"]["similarity"] <= 1
    assert result["evidence"]["n_per_class"]
    scores = {one["id"]: one["score"] for one in result["sources"]}
    assert scores[str(tiny_source)] is not None
    assert result["sources"][0]["id"] == str(tiny_source)
    assert all(score is None for ref, score in scores.items() if ref != str(tiny_source))


def test_jobs_measure(dataset, store, tiny_source):
    from tlcore.execution.foreground import run_here

    said = []
    asked = {"dataset": dataset.fingerprint, "source": str(tiny_source), "options": {"image_size": 32}}
    job = store.jobs.submit("measure", "local", {"task": TASK.id, **asked})
    done = run_here(store, job.id, lambda share, message=None, **more: said.append((share, str(message))))
    assert done.state == "succeeded", done.error
    assert guidance.kept(store, dataset.fingerprint, str(tiny_source)).thorough
    shares = [share for share, _ in said if share is not None]
    assert shares == sorted(shares)
    assert any("looks at every example once" in message for _, message in said)


def test_measuring_is_cancelled_at_the_next_batch(dataset, store, tiny_source):
    from tlcore.core.errors import Cancelled
    from tlcore.core.i18n import sentence

    def stop(share, message=None, **more):
        raise Cancelled(sentence("Stopped."), code="cancelled")

    result = opened(store, tiny_source)
    with pytest.raises(Cancelled):
        measurement.measure_with(dataset, TASK, result, processor(dataset, result), store.home / "cache", stop)
