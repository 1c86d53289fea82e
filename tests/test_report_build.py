"""The report of a small real run: what it says, what it writes, and that it says nothing it does not know."""

from __future__ import annotations

import csv
import json
import re
from copy import copy

import numpy as np
import pandas as pd
import pytest
from report_run import PROCESSOR, finished

from tlcore import tasks
from tlcore.core.i18n import Sentence, sentence, translate
from tlcore.core.strict_json import to_plain
from tlcore.models.loading import load
from tlcore.report import build, html
from tlcore.report.build import best_seed
from tlcore.report.context import RunContext
from tlcore.report.heading import heading
from tlcore.report.narrative import verdict_sentence
from tlcore.report.predictions import table
from tlcore.report.scratch_baseline import stood_at
from tlcore.tasks.image_classification import gradcam


@pytest.fixture(scope="module")
def context() -> RunContext:
    return finished()


@pytest.fixture(scope="module")
def report(context):
    return build(context)


def test_it_holds_what_the_command_line_promises(context, report):
    for key in (
        "run",
        "task",
        "metric",
        "n_test",
        "seeds",
        "strategy",
        "requested_strategy",
        "transfer",
        "baseline",
        "difference",
        "verdict",
        "bundle",
    ):
        assert key in report
    assert report["run"] == context.run_id
    assert (report["n_test"], report["seeds"], report["metric"]) == (18, 3, "accuracy")
    for arm in ("transfer", "baseline"):
        low, high = report[arm]["interval"]
        assert 0 <= low <= report[arm]["value"] <= high <= 1
        assert set(report[arm]["metrics"]) == {"accuracy", "macro-f1"}
        assert len(report[arm]["per_seed"]) == 3
    assert report["bundle"] == "bundle.zip"
    assert report["requested_strategy"] == "auto"
    assert report["strategy"] == "feature-extraction"
    assert report["transfer"]["epochs"] is None
    assert report["baseline"]["epochs"] == 3


def test_scores_are_those_of_the_packed_weights(context, report):
    examples = context.task.examples(context.dataset, PROCESSOR, context.target, None)["test"]
    by_hand = [float((r.outputs("test").argmax(1) == examples.labels).mean()) for r in context.arms["transfer"]]
    assert report["transfer"]["value"] == pytest.approx(np.mean(by_hand))
    assert [seed["metrics"]["accuracy"] for seed in report["transfer"]["per_seed"]] == pytest.approx(by_hand)
    best = best_seed(context.arms["transfer"], context.task.metrics[0])
    assert report["packed"]["seed"] == context.arms["transfer"][best].seed
    assert report["packed"]["value"] == pytest.approx(by_hand[best])
    assert (
        max(r.validation["accuracy"] for r in context.arms["transfer"])
        == context.arms["transfer"][best].validation["accuracy"]
    )


def test_colours_were_learned_and_transfer_said_to_help(report):
    assert report["transfer"]["value"] > 0.8
    assert report["verdict"] == "transfer-helps"
    result = translate(report["sentences"]["verdict"])
    assert result.startswith("Transfer helps")
    assert "n = 18 test examples, 3 seeds" in result
    assert translate(report["sentences"]["plain"]).startswith("Of 100 new examples, about")


def test_classes_and_confusion_agree(report):
    counts = np.array(report["confusion"])
    assert counts.sum() == 18
    assert report["labels"] == ["=square", "disc", "triangle"]
    assert [row["n"] for row in report["per_class"]] == counts.sum(axis=1).tolist() == [6, 6, 6]
    assert np.trace(counts) / 18 == pytest.approx(report["packed"]["value"])
    wrong = 18 - np.trace(counts)
    assert sum(pair["count"] for pair in report["most_confused"]) == wrong
    assert len(report["worst"]) == min(wrong, 12)
    for row in report["per_class"]:
        if row["precision"] and row["recall"]:
            assert row["f1"] == pytest.approx(2 / (1 / row["precision"] + 1 / row["recall"]))


def test_the_file_is_strict_json_and_the_same(context, report):
    def refuse(value):
        raise AssertionError(value)

    again = json.loads((context.folder / "report.json").read_text(), parse_constant=refuse)
    assert again == report
    assert not list(context.folder.glob(".*tmp"))


def test_predictions_are_safe_to_open(context, report):
    rows = list(csv.reader((context.folder / "predictions.csv").open()))
    assert rows[0] == ["input", "truth", "prediction", "confidence", "'=square", "disc", "triangle"]
    assert len(rows) == 19
    for row in rows[1:]:
        shares = [float(value) for value in row[4:]]
        assert sum(shares) == pytest.approx(1, abs=1e-5)
        assert float(row[3]) == max(shares)
    right = sum(row[1] == row[2] for row in rows[1:])
    assert right / 18 == pytest.approx(report["packed"]["value"])
    assert table(["=a"], [["=1+1"], ["plain"], [-1.5]]) == "'=a\n'=1+1\nplain\n-1.5\n"


def test_where_the_twin_stood_when_transfer_was_done(context):
    result = context.arms["transfer"][0]
    metric = context.task.metrics[0]

    def point(seed, seconds, score, trial="final", arm="twin"):
        return {
            "arm": arm,
            "seed": seed,
            "trial": trial,
            "phase": 0,
            "epoch": 1,
            "seconds": seconds,
            "validation_accuracy": score,
        }

    points = pd.DataFrame(
        [
            point(0, 1.0, 0.3),
            point(0, result.seconds, 0.5),
            point(0, result.seconds + 1, 0.9),
            point(1, 1.1, 0.7),
            point(1, 3.0, 0.99, trial="0.01"),
            point(0, 3.0, 0.99, arm="transfer"),
            point(2, 1e6, 0.9),
        ]
    )
    found = stood_at(points, [result], context.arms["twin"], metric)
    assert found == {"seconds": result.seconds, "validation": pytest.approx(0.6), "seeds": 2, "of": 3}
    late = stood_at(pd.DataFrame([point(0, 1e6, 0.9)]), [result], context.arms["twin"], metric)
    assert late["validation"] is None
    assert stood_at(points, [result], None, metric) is None
    assert stood_at(pd.DataFrame(), [result], context.arms["twin"], metric) is None


def test_without_a_twin_there_is_no_verdict(context):
    alone = RunContext(**{**vars(context), "arms": {"transfer": context.arms["transfer"]}})
    result = build(alone)
    assert result["baseline"] is result["difference"] is result["verdict"] is None
    assert "no verdict" in translate(result["sentences"]["verdict"])
    build(context)


def test_what_some_seeds_noted_is_told_with_their_number(context):
    """As when the average of the best epochs is better for one seed and not for the others."""
    arms = {"transfer": context.arms["transfer"], "twin": [copy(one) for one in context.arms["twin"]]}
    for one in arms["twin"]:
        one.notes = [
            sentence("Always so."),
            sentence("Better by {n}.", n=2) if one.seed == 1 else sentence("No better."),
        ]
    result = build(RunContext(**{**vars(context), "arms": arms}))
    build(context)
    notes = [str(Sentence.model_validate(note)) for note in result["notes"]]
    assert notes.count("Always so.") == 1
    assert "Seed 2 of 3 (from-scratch twin): Better by 2." in notes
    assert "Seed 1, 3 of 3 (from-scratch twin): No better." in notes
    assert not {"No better.", "Better by 2."} & set(notes)


def test_one_seed_gives_scores_and_no_verdict(context):
    arms = {arm: results[:1] for arm, results in context.arms.items()}
    result = build(RunContext(**{**vars(context), "arms": arms}))
    assert result["verdict"] is None
    assert result["difference"]["interval"][0] < result["difference"]["interval"][1]
    assert "One seed gives no verdict" in translate(result["sentences"]["verdict"])
    build(context)


@pytest.mark.parametrize("language", ["en", "pt_BR"])
def test_the_page_stands_alone(context, report, language):
    page = (context.folder / html.file_name(language)).read_text()
    assert f'lang="{language.replace("_", "-")}"' in page
    assert not re.search(r"(src|href)=[\"](?!data:)", page)
    assert "<script" not in page
    assert "url(" not in page
    assert "shapes &lt;1&gt;" in page
    assert page.count("<svg") >= 3
    assert report["dataset"]["fingerprint"] in page
    assert len(page) < 2_000_000
    assert page.count("data:image/jpeg") == sum(bool(e["picture"]) + bool(e["gradcam"]) for e in report["worst"])


def test_a_page_in_another_language_leaves_the_process_as_it_was(context, report):
    from tlcore.core import i18n as words

    before = words.language()
    page = html.render(report, context.store.runs.points(context.run_id), "pt_BR")
    assert "95,0 %" in page or re.search(r"\d,\d %", page)
    assert words.language() == before


@pytest.mark.parametrize("library", ["timm", "transformers"])
def test_grad_cam_differs_by_class_and_falls_on_the_picture(library):
    context = finished(library)
    result = context.arms["transfer"][0]
    model = load(result.weights, context.source.source, 64)
    labels = context.target["labels"]
    path = context.dataset.file(context.dataset.split("test")["file"].iloc[0])
    shown, warm, found = gradcam.explain(model, path, PROCESSOR, labels)
    assert shown.size == warm.size == (gradcam.SHOWN, gradcam.SHOWN)
    assert sum(found["probability"].values()) == pytest.approx(1, abs=1e-4)
    scores = result.outputs("test")[0]
    assert found["prediction"] == labels[int(scores.argmax())]
    from tlcore.runtime.image_canvas import pixels

    x = pixels(gradcam.view_of(path, PROCESSOR)[None], 64, PROCESSOR["mean"], PROCESSOR["std"])[0]
    maps = [gradcam.heat(model, x, label) for label in range(3)]
    assert all(m.shape == maps[0].shape and m.min() >= 0 and m.max() <= 1 for m in maps)
    assert max(float(np.abs(a - b).max()) for a in maps for b in maps) > 0.1


def test_explaining_a_picture_is_a_job(context, report):
    from tlcore.core.errors import UnusableInput
    from tlcore.execution.job_kinds.explain import explain

    store = context.store
    store.runs.set(context.run_id, report=report)
    name = context.dataset.split("test")["id"].iloc[3]
    job = store.jobs.submit("explain", "local", {"run": context.run_id, "id": name, "label": "disc"})
    result = explain(store, job, lambda *_, **__: None)
    assert result["explained"] == "disc"
    assert result["truth"] == name.split("/")[0]
    assert (store.jobs.folder(job.id) / result["gradcam"]).stat().st_size > 500
    with pytest.raises(UnusableInput, match="no picture"):
        explain(store, store.jobs.submit("explain", "local", {"run": context.run_id, "id": "../../etc"}), print)


def test_numbers_that_json_lacks_become_null():
    value = to_plain({"a": np.float32(1), "b": [np.nan, np.int64(3)], "c": (np.inf,), "d": np.arange(2)})
    assert value == {"a": 1.0, "b": [None, 3], "c": [None], "d": [0, 1]}
    json.dumps(value, allow_nan=False)


@pytest.mark.parametrize(
    ("verdict", "value", "words"),
    [
        ("no-clear-difference", -0.0286, "2.9 points below training from scratch"),
        ("no-clear-difference", 0.0286, "2.9 points above training from scratch"),
        ("no-clear-difference", 0.0, "the same as with training from scratch"),
        ("negative-transfer", -0.2, "20 points below"),
        ("transfer-helps", 0.2, "20 points above"),
        (None, -0.05, "5 points below training from scratch"),
        (None, 0.05, "5 points above training from scratch"),
    ],
)
def test_the_verdict_says_above_or_below_and_no_signed_number(verdict, value, words):
    report = {
        "verdict": verdict,
        "difference": {"value": value, "interval": [value - 0.1, value + 0.1]},
        "n_test": 70,
        "seeds": 3,
    }
    metric = tasks.find("image-classification").metrics[0]
    assert words in str(verdict_sentence(report, metric))


@pytest.mark.parametrize("task", ["question-answering", "text-generation"])
@pytest.mark.parametrize(("other", "word"), [("twin", "Negative transfer"), ("sentence", "A simpler way does better")])
def test_losing_to_a_baseline_is_not_called_negative_transfer(task, other, word):
    report = {
        "verdict": "negative-transfer",
        "difference": {"value": -0.2, "interval": [-0.3, -0.1]},
        "n_test": 70,
        "seeds": 3,
        "reference": {"id": other, "title": sentence("that").model_dump()},
    }
    assert str(heading(report)) == word
    assert str(verdict_sentence(report, tasks.find(task).metrics[0])).startswith(f"{word}: ")


def test_headings_of_other_verdicts():
    assert [str(heading({"verdict": one})) for one in ("transfer-helps", "no-clear-difference", None)] == [
        "Transfer helps",
        "No clear difference",
        "No verdict",
    ]
