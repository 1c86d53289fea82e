"""The naive baselines, the explanation of negative transfer, and the twin's longer budget."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from report_run import PROCESSOR, finished

from tlcore import tasks
from tlcore.core.i18n import translate
from tlcore.core.spec_parts import Data
from tlcore.guidance import Evidence
from tlcore.plan import make_plan
from tlcore.report import baselines, build, explanation
from tlcore.report.context import RunContext
from tlcore.report.narrative import sentences
from tlcore.report.scratch_baseline import longer_budget
from tlcore.spec import Spec
from tlcore.strategies.contract import PlanContext
from tlcore.tasks.image_classification import baselines as naive_pictures
from tlcore.training.workload import epochs_of

METRIC = tasks.find("image-classification").metrics[0]


@pytest.fixture(scope="module")
def context() -> RunContext:
    return finished()


@pytest.fixture(scope="module")
def report(context):
    return build(context)


def by_id(report):
    return {one["id"]: one for one in report["naive"]}


def test_baselines_of_pictures(context, report):
    found = by_id(report)
    assert list(found) == ["majority", "colours", "source-as-it-is"]
    assert found["majority"]["value"] == pytest.approx(1 / 3)
    assert found["majority"]["beaten"] is True
    assert found["colours"]["value"] > 0.6  # each shape is drawn mostly in a colour of its own
    assert found["source-as-it-is"]["value"] is None
    assert found["source-as-it-is"]["beaten"] is None
    assert "no classes with names" in translate(found["source-as-it-is"]["reason"])
    for one in report["naive"][:2]:
        assert one["difference"]["value"] == pytest.approx(report["transfer"]["value"] - one["value"])
        assert one["beaten"] == (one["difference"]["interval"][0] > 0)
    assert ("simple baseline does" in translate(report["sentences"]["naive"])) == (found["colours"]["beaten"] is False)


def test_histograms_by_hand(context):
    examples = context.task.examples(context.dataset, PROCESSOR, context.target, None)["test"]
    found = naive_pictures.histograms(examples, np.array([2]))[0]
    picture = examples.canvases.get(examples.rows[[2]])[0].reshape(-1, 3) // 64
    by_hand = np.zeros((4, 4, 4))
    for red, green, blue in picture:
        by_hand[red, green, blue] += 1
    assert found == pytest.approx(np.sqrt(by_hand.ravel() / len(picture)))


@pytest.mark.parametrize(
    ("names", "labels", "rows"),
    [
        (["ant, emmet, pismire", "bee"], ["bees", "ants"], [[1], [0]]),
        (["tabby cat", "Egyptian cat", "beagle"], ["Beagle", "cat"], [[2], [0, 1]]),
        (["cat", "tabby cat", "dog"], ["cat", "dog"], [[0], [2]]),
        (["Cyanocitta cristata (Blue Jay)", "rose"], ["blue_jay", "rose"], [[0], [1]]),
    ],
)
def test_names_are_matched(names, labels, rows):
    assert naive_pictures.matching(names, labels) == (rows, None)


def test_names_that_do_not_match_are_said():
    found, reason = naive_pictures.matching(["cat", "dog"], ["cat", "scratch", "dent"])
    assert found == []
    assert "scratch, dent" in str(reason)
    assert "same class" in str(naive_pictures.matching(["tabby cat"], ["cat", "tabby cat"])[1])
    assert "no classes" in str(naive_pictures.matching([], ["cat"])[1])


def test_class_names_of_a_source(tmp_path):
    def named(**config):
        return naive_pictures.class_names(SimpleNamespace(config=config, folder=tmp_path))

    assert named(label_names=["a", "b"]) == ["a", "b"]
    assert named(id2label={"1": "b", "0": "a", "10": "k"}) == ["a", "b", "k"]
    assert named(id2label={"0": "LABEL_0", "1": "LABEL_1"}) == []
    assert named(num_classes=1000, pretrained_cfg={"tag": "ra2_in1k"})[0].startswith("tench")
    assert named(num_classes=1000, pretrained_cfg={"tag": "something"}) == []
    assert named(num_classes=965, pretrained_cfg={"tag": "in1k"}) == []


def test_the_source_answers_as_it_is(context):
    """With classes of the source named as the target's, shares of its own head are what is scored."""
    import torch

    names = ["x", "disc", "=square", "triangle", *"qrstuv"]
    source = replace(context.source, config={**context.source.config, "label_names": names})
    examples = context.task.examples(context.dataset, PROCESSOR, context.target, None)
    found = {one.id: one for one in context.task.baselines(context.dataset, examples, context.target, source)}
    model = context.source.build(None, True, image_size=64).eval()
    with torch.inference_mode():
        out = model(next(examples["test"].batches([np.arange(18)], None, "cpu"))["pixels"]).numpy()
    order = [names.index(label) for label in context.target["labels"]]  # alphabetical
    assert (found["source-as-it-is"].records.columns["prediction"] == out[:, order].argmax(axis=1)).all()


@pytest.mark.parametrize(
    ("value", "low", "said"),
    [
        (0.2, 0.1, "beats the simple baselines"),
        (0.05, -0.01, "does as well"),
        (-0.02, -0.1, "does as well"),
        (-0.1, -0.2, "does better"),
    ],
)
def test_the_sentence_names_the_hardest_one(value, low, said):
    def one(name, value, low):
        return {
            "title": {"text": name, "params": {}},
            "value": 0.6,
            "difference": {"value": value, "interval": [low, value + 0.05]},
            "beaten": low > 0,
        }

    entries = [one("easy", 0.5, 0.4), one("hard", value, low), {"difference": None, "beaten": None}]
    result = str(baselines.summary(entries, METRIC))
    assert said in result
    assert "hard" in result
    assert baselines.summary([], METRIC) is None


def negative(report, **changes):
    difference = {**report["difference"], "value": -0.08, "interval": [-0.14, -0.02]}
    gap = {
        "transfer": {"train": 0.6, "validation": 0.55, "gap": 0.05},
        "twin": {"train": 0.95, "validation": 0.8, "gap": 0.15},
    }
    return {**report, "difference": difference, "verdict": "negative-transfer", "gap": gap, **changes}


def evidence(similarity, probe):
    return Evidence(
        n_train=10,
        n_per_class={"a": 10},
        fewest=10,
        imbalance=1,
        set_aside=0,
        similarity=similarity,
        transferability={"probe": {"value": probe, "interval": [0, 1]}},
    )


def test_only_what_leans_to_negative_transfer_is_explained(context, report):
    assert report["explanation"] is None
    assert explanation.leans(negative(report)) == "negative"
    assert explanation.leans(negative(report, verdict="no-clear-difference")) == "leaning"
    even = negative(report, verdict="no-clear-difference", difference={"value": -0.02, "interval": [-0.07, 0.05]})
    assert explanation.leans(even) is None
    assert explanation.leans({**report, "difference": None}) is None
    result = explanation.explain(context, negative(report), pd.DataFrame())
    assert result["kind"] == "negative"
    assert result["signs"][0]["id"] == "not-measured"
    kinds = [one["kind"] for one in result["suggestions"]]
    assert kinds == ["measure", "strategy", "strategy", "strategy", "scratch"]
    strategies = [one["draft"]["strategy"] for one in result["suggestions"][1:-1]]
    assert strategies == ["linear-probe-then-fine-tune", "fine-tuning", "domain-adaptation"]


def test_signs_name_their_numbers(context, report):
    result = negative(report)
    for seed in result["baseline"]["per_seed"]:
        seed["validation"] = {"accuracy": 0.8}
    found = {name: str(said) for name, _, said in explanation.evidence_signs(result, evidence(0.21, 0.5))}
    assert set(found) == {"similarity", "transferability"}
    assert "0.21" in found["similarity"]
    assert "50 %" in found["transferability"]
    assert [one[0] for one in explanation.evidence_signs(result, evidence(0.9, 0.95))] == ["no-warning"]
    found = {name: str(said) for name, _, said in explanation.training_signs(result, pd.DataFrame(), {})}
    assert set(found) == {"cannot-fit"}
    assert "60 %" in found["cannot-fit"]
    assert "frozen features" in found["cannot-fit"]


def test_a_stuck_loss_and_when_the_twin_overtook(report):
    rows = [("transfer", seed, step, 1 - 0.01 * step, 0.5) for seed in range(2) for step in range(4)]
    scored = ((0.2, 0.7, 0.6), (0.3, 0.4, 0.9))
    rows += [
        ("twin", seed, step, 1 / (step + 1), score)
        for seed, scores in enumerate(scored)
        for step, score in enumerate(scores)
    ]
    points = pd.DataFrame(
        [
            {
                "arm": arm,
                "seed": seed,
                "trial": "final",
                "phase": 0,
                "epoch": step,
                "seconds": step + 0.1 * seed,
                "train_loss": loss,
                "validation_accuracy": score,
            }
            for arm, seed, step, loss, score in rows
        ]
    )
    # Best so far, both seeds: 0.25 at 0.1, 0.5 at 1.0, 0.55 at 1.1.
    assert explanation.overtaken(points, "validation_accuracy", 0.52) == pytest.approx(1.1)
    assert explanation.overtaken(points, "validation_accuracy", 0.95) is None
    found = [name for name, _, _ in explanation.training_signs(negative(report), points, {})]
    assert "stuck" in found


def test_a_better_source_comes_first(report):
    ranking = [
        {"id": "bundled/other", "title": "Other", "score": 0.9, "probe": {"value": 0.9}},
        {"id": "here", "title": "Here", "score": 0.5, "probe": {"value": 0.5}},
    ]
    result = explanation.suggestions(negative(report), "here", ranking, True)
    assert result[0]["draft"] == {"source": "bundled/other"}
    assert "Other" in translate(result[0]["sentence"])
    assert "90 %" in translate(result[0]["sentence"])
    result = explanation.suggestions(negative(report), "bundled/other", ranking, True)
    assert result[0]["kind"] == "strategy"


def test_the_twins_longer_budget():
    context = PlanContext(200, 64, 3_500_000, "cpu", 8, None, None)

    def plan(times, **budget):
        spec = Spec(
            task="image-classification", data=Data(path="x"), strategy="fine-tuning", budget={"twin": times, **budget}
        )
        return make_plan(spec, "fine-tuning", context, {"size": 64}, METRIC)["arms"]

    ordinary, longer = plan(1), plan(2.5, minutes=4)
    assert epochs_of(ordinary["twin"]) == 8
    assert epochs_of(longer["twin"]) == 20
    assert epochs_of(longer["transfer"]) == 8
    assert longer["twin"]["trial_epochs"] == ordinary["twin"]["trial_epochs"]
    assert (longer["twin"]["minutes"], longer["transfer"]["minutes"]) == (10, 4)
    assert (longer["twin"]["budget"], longer["twin"]["ordinary_epochs"]) == (2.5, 8)
    assert "budget" not in ordinary["twin"]
    for wrong in (0.5, 11):
        with pytest.raises(ValueError, match="twin"):
            plan(wrong)


def test_where_the_twin_stood_at_its_ordinary_budget(context, report):
    points = pd.DataFrame(
        [
            {
                "arm": "twin",
                "seed": seed,
                "trial": "final",
                "epoch": epoch,
                "seconds": float(epoch),
                "validation_accuracy": score,
            }
            for seed, scores in enumerate(([0.2, 0.5, 0.4, 0.9], [0.1, 0.3, 0.35, 0.2]))
            for epoch, score in enumerate(scores)
        ]
    )
    found = longer_budget(points, {"budget": 2, "ordinary_epochs": 2}, context.arms["twin"], METRIC)
    assert found["ordinary"] == pytest.approx((0.5 + 0.35) / 2)
    assert found["longer"] == pytest.approx((0.9 + 0.35) / 2)
    assert longer_budget(points, {}, context.arms["twin"], METRIC) is None
    result = str(sentences({**report, "twin_budget": found}, context.task)["twin_budget"])
    assert "2 times" in result
    assert "42.5 %" in result
