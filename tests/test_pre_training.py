"""Pre-training once, then fine-tuning: what is shared, what keeps still, what a kill changes, the source it leaves."""

from __future__ import annotations

import pytest
import text_models
import torch
from pre_training_runs import prepared, weights
from sources_models import source as nameless
from sources_models import write

from tests.conftest import draw, write_photos
from tlcore import data, models, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.spec_parts import Data
from tlcore.data import auxiliary
from tlcore.models.loading import backbones, open_folder
from tlcore.strategies import find
from tlcore.strategies.contract import PlanContext, missing, resolved
from tlcore.training import fit, loop, shared_phases
from tlcore.training.context import TrainingContext
from tlcore.training.workload import epochs_of, work_of

PICTURES, TEXTS = tasks.find("image-classification"), tasks.find("text-classification")
STRATEGY = find("pre-training-then-fine-tuning")


@pytest.fixture
def heap(tmp_path, store):
    """Forty pictures without labels."""
    folder = tmp_path / "heap"
    folder.mkdir()
    for at in range(40):
        draw(("across", "down", "dots")[at % 3], 5_000 + at).save(folder / f"{at}.png")
    return auxiliary.read_set("unlabelled", str(folder), task=PICTURES, store=store, owner="local")


@pytest.fixture
def texts(tmp_path, store):
    """Labelled texts, and others without."""
    rows = text_models.sentences(90)
    text_models.write_table(tmp_path / "t.csv", rows[:40])
    (tmp_path / "u.txt").write_text("\n".join(text for text, _ in rows[40:]))
    labelled = data.read(Data(path=str(tmp_path / "t.csv")), task=TEXTS, store=store, owner="local")
    bare = auxiliary.read_set("unlabelled", str(tmp_path / "u.txt"), task=TEXTS, store=store, owner="local")
    return labelled, bare


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return text_models.write_model(tmp_path_factory.mktemp("bert"))


def state(model):
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def watched(monkeypatch):
    """The phases that were trained, and the models before and after each."""
    seen, original = [], loop.train

    def train(training):
        before = state(training.model)
        done = original(training)
        seen.append((training.phase, training.rate, before, state(training.model)))
        return done

    monkeypatch.setattr(loop, "train", train)
    return seen


def test_pictures_are_pre_trained_once_for_all_seeds_and_trials(dataset, heap, tiny_source, store, monkeypatch):
    result = prepared(PICTURES, dataset, heap, tiny_source, store, seeds=2, rate="auto")
    seen = watched(monkeypatch)
    results = fit.fit(result)["transfer"]
    shared = [one for one in seen if one[0].get("once")]
    assert len(shared) == 1
    assert len(seen) == 1 + 3 + 2  # three learning rates, two seeds
    head = set(PICTURES.parts(result.model(True, 0))[-1].parameters)
    end = shared[0][3]
    for _, _, before, _ in seen[1:]:
        assert all(torch.equal(before[name], end[name]) for name in end if name not in head)
    assert all(torch.equal(shared[0][2][name], end[name]) for name in head), "the target's head is not pre-trained"
    seeds = [one[2] for one in seen if not one[0].get("once")]
    assert not all(torch.equal(seeds[-2][name], seeds[-1][name]) for name in head), "each seed has a head of its own"
    assert shared[0][1] == pytest.approx(3e-4)
    assert results[0].shared == results[1].shared
    assert results[0].shared["examples"] == 40
    assert results[0].epochs <= 2, "epochs of pre-training are no epochs of the training"


def test_its_curve_is_kept_apart_and_its_seconds_are_counted_once(dataset, heap, tiny_source, store):
    from tlcore.report.build import _arm, _cost
    from tlcore.report.pre_training_text import in_words, points_of, series

    result = prepared(PICTURES, dataset, heap, tiny_source, store, seeds=2)
    results = fit.fit(result)["transfer"]
    points = result.watch.store.runs.points(result.watch.run_id)
    assert list(points_of(points)["epoch"]) == [1, 2]
    assert series(points)[0].y == results[0].shared["losses"]
    assert (points[points["trial"] == "final"]["seed"].unique() == [0, 1]).all()
    first = results[0].shared["seconds"]
    own = [one.seconds for one in results]
    assert first > 0
    assert _cost(results)["seconds"] == pytest.approx(first + sum(own))
    records = [PICTURES.evaluate(one.outputs("test"), result.examples["test"], result.target) for one in results]
    arm = _arm(PICTURES, results, records, result.target, result.metric)
    assert arm["seconds"] == pytest.approx(first + sum(own) / 2)
    assert any("40 examples" in str(one) for one in in_words(results[0].shared))


def test_texts_learn_to_guess_hidden_words(texts, bert, store, monkeypatch):
    labelled, bare = texts
    found = prepared(TEXTS, labelled, bare, bert, store)
    seen = watched(monkeypatch)
    result = fit.fit(found)["transfer"][0]
    phase, _, before, after = seen[0]
    assert phase["hooks"] == [{"id": "masked", "own_head": True}]
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("word_embeddings" in name for name in moved)
    assert not any(name.startswith("net.head") for name in moved)
    assert result.shared["objective"] == "masked"
    assert set(weights(result)) == {
        name.removeprefix("net.").removeprefix("encoder.") for name in before if "position_ids" not in name
    }


def test_the_labels_of_a_second_set_are_learned_with_a_head_of_their_own(dataset, tiny_source, store, tmp_path):
    photos = write_photos(tmp_path / "other", 12, kinds=("down", "dots"), side=40)
    second = auxiliary.read_set("extra", str(photos), task=PICTURES, store=store, owner="local")
    found = prepared(PICTURES, dataset, second, tiny_source, store, stream="extra", epochs=4)
    result = fit.fit(found)["transfer"][0]
    assert result.shared["objective"] == "supervised"
    assert result.shared["losses"][-1] < result.shared["losses"][0]
    assert result.shared["losses"][0] == pytest.approx(0.69, abs=0.2), "two labels, not the target's three"


@pytest.mark.parametrize("then", ["linear-probe-then-fine-tune", "feature-extraction"])
def test_features_are_those_of_the_pre_trained_network(then, dataset, heap, tiny_source, store):
    """The cache holds the source's own features, and must not be asked."""
    plain = TrainingContext(**{**vars_of(prepared(PICTURES, dataset, heap, tiny_source, store)), "sets": {}})
    plain.plan["arms"]["transfer"]["phases"] = [{"kind": "extract"}, {"kind": "solve"}]
    source = fit.frozen(plain, "transfer")
    found = prepared(PICTURES, dataset, heap, tiny_source, store, then=then)
    result = fit.fit(found)["transfer"][0]  # fails where the packed network does not give its head's features
    learned = fit.frozen(found, "transfer")
    assert abs(learned["validation"] - source["validation"]).max() > 1e-3
    assert result.seconds > 0


def vars_of(result):
    names = ("task", "dataset", "source", "target", "plan", "folder", "cache", "watch", "sets")
    return {name: getattr(result, name) for name in names}


@pytest.mark.parametrize("kind", ["pictures", "texts"])
@pytest.mark.parametrize("killed", ["inside", "after"])
def test_a_kill_inside_or_after_it_changes_nothing(
    kind, killed, dataset, heap, texts, tiny_source, bert, store, monkeypatch
):
    case = (PICTURES, dataset, heap, tiny_source) if kind == "pictures" else (TEXTS, *texts, bert)
    undisturbed = fit.fit(prepared(*case, store, epochs=3))["transfer"][0]
    result = prepared(*case, store, epochs=3)
    original = loop.train

    def train(training):
        if bool(training.phase.get("once")) == (killed == "inside"):
            on_epoch = training.on_epoch

            def kill(epoch, **values):
                on_epoch(epoch, **values)
                if epoch == 2:
                    raise KeyboardInterrupt

            training.on_epoch = kill
        return original(training)

    monkeypatch.setattr(loop, "train", train)
    with pytest.raises(KeyboardInterrupt):
        fit.fit(result)
    monkeypatch.setattr(loop, "train", original)
    begun = []
    monkeypatch.setattr(result.watch, "announce", lambda message, **now: begun.append(now.get("phase")))
    resumed = fit.fit(result)["transfer"][0]
    assert ("pre-training" in begun) == (killed == "inside"), "what was done is not done again"
    assert resumed.shared["losses"] == undisturbed.shared["losses"]
    ours, theirs = weights(resumed), weights(undisturbed)
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)


def test_what_the_run_is_judged_by_is_left_out(dataset, photos, tiny_source, store):
    """The further set holds all pictures of the run itself: only those that it may learn from are taken."""
    whole = auxiliary.read_set("unlabelled", str(photos), task=PICTURES, store=store, owner="local")
    found = prepared(PICTURES, dataset, whole, tiny_source, store)
    judged = set(dataset.rows[dataset.rows["split"] != "train"]["sha256"])
    assert not set(found.sets["unlabelled"].split("train")["sha256"]) & judged
    result = fit.fit(found)["transfer"][0]
    assert result.shared["left_out"] == len(judged)
    assert result.shared["examples"] == dataset.info.n["train"]


@pytest.mark.parametrize(
    "kind", ["test_resnet", "test_convnext", "test_efficientnet", "test_vit", "vit", "resnet", "mobilenet_v1", "dinov2"]
)
def test_a_body_without_its_head_is_a_source_model(kind, tmp_path):
    size = {"vit": 64, "dinov2": 70}.get(kind)
    opened = open_folder(write(kind, tmp_path / "one"), nameless())
    model = opened.build(3, True, image_size=size, seed=1).eval()
    result = {
        "input_size": model.input_size,
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "interpolation": "bicubic",
        "crop_pct": 0.9,
    }
    pixels = torch.rand(2, 3, model.input_size, model.input_size)
    with torch.no_grad():
        features = model.features(pixels)
    backbones.save(model, tmp_path / "body", result)
    again = open_folder(tmp_path / "body", nameless())
    other = again.build(5, True, seed=2).eval()
    with torch.no_grad():
        assert torch.allclose(other.features(pixels), features, atol=1e-5)
    assert not again.has_head(again.build(None, True))


def test_the_pre_trained_network_serves_the_next_run_by_path_and_from_the_library(texts, bert, store, tmp_path):
    from tlcore.bundle.pack import write_zip

    labelled, bare = texts
    outcome = prepared(TEXTS, labelled, bare, bert, store)
    result = fit.fit(outcome)["transfer"][0]
    assert result.shared["source"]
    folder = outcome.folder / "arms" / "transfer" / shared_phases.SOURCE
    write_zip(tmp_path / "pre-trained.zip", folder)
    about = {"pre_training": {"set": "heap", "examples": 50}, "licence": "mit"}
    model = store.models.publish(
        tmp_path / "pre-trained.zip", name="mine", owner="local", task=TEXTS.id, run_id=None, about=about
    )
    found = models.find(f"library/{model.id}", store)
    assert "50 examples" in str(found.source_task)
    assert TEXTS.id in {task.id for task in tasks.served_by(found)}
    for ref in (str(folder), str(tmp_path / "pre-trained.zip"), f"library/{model.id}"):
        opened = models.open_source(ref, store)
        network = TEXTS.model(opened, {"labels": ["a", "b", "c"]}, True, seed=0)
        table = network.net.encoder.get_input_embeddings().weight
        kept = torch.load(outcome.folder / "arms" / "transfer" / "once-0.pt", weights_only=True)["model"]
        assert torch.equal(table, kept["net.encoder.embeddings.word_embeddings.weight"])
    again = prepared(TEXTS, labelled, bare, f"library/{model.id}", store)
    assert fit.fit(again)["transfer"][0].validation["accuracy"] >= 0


def test_another_run_begins_with_what_this_one_left(texts, bert, store, tmp_path, monkeypatch):
    """As label savings do: fewer labels, the very same pre-training."""
    from dataclasses import replace

    found = prepared(TEXTS, *texts, bert, store)
    first = fit.fit(found)["transfer"][0]
    seen = watched(monkeypatch)
    ids = texts[0].split("train")["id"].tolist()[:16]
    part = replace(found, dataset=texts[0].with_train(ids), folder=tmp_path / "part", before=found.folder)
    result = fit.again(part, "transfer", 0, 1e-3)
    assert [phase.get("once", False) for phase, *_ in seen] == [False]
    kept = torch.load(found.folder / "arms" / "transfer" / "once-0.pt", weights_only=True)["model"]
    name = "net.encoder.embeddings.word_embeddings.weight"
    assert torch.equal(seen[0][2][name], kept[name])
    assert result.shared["losses"] == first.shared["losses"]


def test_random_weights_are_a_start_too(texts, store, monkeypatch, tmp_path):
    from safetensors.torch import load_file, save_file

    source = text_models.write_model(tmp_path / "doubled")
    doubled = {name: 2 * value for name, value in load_file(source / "model.safetensors").items()}
    save_file(doubled, source / "model.safetensors", metadata={"format": "pt"})
    result = prepared(TEXTS, *texts, source, store, start="random")
    seen = watched(monkeypatch)
    fit.fit(result)
    phase, rate, before, _ = seen[0]
    assert rate == pytest.approx(1e-3 * TEXTS.rate)
    name = "embeddings.word_embeddings.weight"
    assert not torch.equal(before[f"net.encoder.{name}"], doubled[name])
    assert phase["hooks"][0]["own_head"] is False


def context(modality="image", sets=None, labelled=True, **options):
    return PlanContext(
        200,
        64,
        3_500_000,
        "cpu",
        None,
        None,
        None,
        modality=modality,
        sets=sets or {},
        labelled=labelled,
        options=resolved(STRATEGY, options),
    )


def test_what_is_missing_or_does_not_go_together_is_said():
    assert "data.unlabelled" in str(missing(STRATEGY, Data(path="x")))
    assert missing(STRATEGY, Data(path="x", extra="y")) is None
    with pytest.raises(UnusableInput, match="not made for"):
        STRATEGY.phases(context(sets={"unlabelled": 9}, objective="masked"))
    with pytest.raises(UnusableInput, match=r"data\.extra"):
        STRATEGY.phases(context(sets={"unlabelled": 9}, objective="supervised"))
    several = {"modality": "text", "sets": {"extra": 9}, "labelled": False}
    with pytest.raises(UnusableInput, match="one label each"):
        STRATEGY.phases(context(**several, objective="supervised"))
    first = STRATEGY.phases(context(**several))[0]
    assert (first["hooks"][0]["id"], first["stream"]) == ("masked", "extra"), "its labels play no part"


@pytest.mark.parametrize(
    ("modality", "sets", "objective", "stream"),
    [
        ("image", {"unlabelled": 99}, "simclr", "unlabelled"),
        ("image", {"extra": 99}, "supervised", "extra"),
        ("image", {"extra": 99, "unlabelled": 99}, "simclr", "unlabelled"),
        ("text", {"unlabelled": 99}, "masked", "unlabelled"),
    ],
)
def test_the_objective_suits_the_data(modality, sets, objective, stream):
    first = STRATEGY.phases(context(modality, sets))[0]
    assert (first["hooks"][0]["id"], first["stream"]) == (objective, stream)


def test_pre_training_is_work_of_its_own_and_done_once():
    from tlcore.strategies.fine_tuning import FineTuning

    result = context(sets={"unlabelled": 5_000})
    phases = STRATEGY.phases(result)
    arm = {"phases": phases, "rates": [1], "trial_epochs": 0}
    plan = {"arms": {"transfer": arm}, "seeds": 3, "n_train": 200}
    tuned = epochs_of({"phases": FineTuning().phases(result)})
    assert epochs_of(arm) == tuned
    assert work_of(plan, "transfer") == pytest.approx(3 * tuned + 2 * phases[0]["epochs"] * 25)
    assert STRATEGY.phases(context(epochs=7))[0]["epochs"] == 7


def test_a_whole_run_tells_of_it_and_leaves_a_source_with_a_card(photos, tiny_source, store, tmp_path):
    """By the flow that the worker calls: notes, curve in the HTML, card, a zip that opens as a source."""
    import json

    from tlcore import flow
    from tlcore.bundle.pretrained_source import FILE
    from tlcore.spec import from_dict

    folder = tmp_path / "heap"
    folder.mkdir()
    for at in range(24):
        draw("dots", 7_000 + at).save(folder / f"{at}.png")
    spec = from_dict(
        {
            "name": "patterns",
            "task": "image-classification",
            "source": str(tiny_source),
            "seeds": 2,
            "strategy": "pre-training-then-fine-tuning",
            "data": {"path": str(photos), "unlabelled": str(folder)},
            "budget": {"epochs": 1},
            "options": {"batch_size": 16, "learning_rate": 1e-3, "image_size": 32},
            "strategy_options": {"epochs": 2},
        }
    )
    run = store.runs.create(spec, "local")
    assert store.jobs.take(run.id, "w:1:1")
    job = store.jobs.get(run.id)
    flow.work(store, job, lambda *args, **more: None)
    home = store.runs.folder(run.id)
    report = json.loads((home / "report.json").read_text())
    assert report["pre_training"]["epochs"] == 2
    assert report["transfer"]["epochs"] == 1
    assert report["cost"]["transfer"]["seconds_once"] == report["pre_training"]["seconds"]
    assert report["cost"]["twin"]["seconds_once"] == 0
    assert any("saw none of these" in note["text"] for note in report["notes"])
    assert "Loss of pre-training" in (home / "report.html").read_text()
    card = (home / "arms" / "transfer" / "pre-trained" / "README.md").read_text()
    assert "SimCLR" in card
    assert report["pre_training"]["fingerprint"] in card
    opened = models.open_source(str(home / FILE), store)
    assert opened.build(4, True).head.out_features == 4
    assert opened.source.architecture == "test_resnet"
