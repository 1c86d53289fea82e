"""Named entities: words and tags, scores by hand, training by every strategy, a whole run and its bundle."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import text_models
from sources_models import source as nameless

from tlcore import data, tasks
from tlcore.core.spec_parts import Data, Options
from tlcore.models.loading import open_folder
from tlcore.plan import make_plan
from tlcore.runtime.text_spans import entities, pieces, shown, words_of
from tlcore.spec import Spec
from tlcore.strategies import STRATEGIES
from tlcore.strategies.contract import PlanContext
from tlcore.tasks.shared import inference
from tlcore.training.context import TrainingContext

TASK = tasks.find("token-classification")
ROWS = text_models.tagged(60)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return text_models.write_model(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "t.conll"
    path.write_text(text_models.conll(ROWS))
    return path


@pytest.fixture
def texts(file, store):
    return data.read(Data(path=str(file)), task=TASK, store=store, owner="local")


def test_words_and_their_first_tokens():
    text = "Ana's 東京, R$20 é cafe\u0301!"
    assert [text[a:b] for a, b in pieces(text)] == [
        "Ana",
        "'",
        "s",
        "東",
        "京",
        ",",
        "R",
        "$",
        "20",
        "é",
        "cafe\u0301",
        "!",
    ]
    # [CLS] An ##a 's [SEP], and "'" and "s" in one token: they are one word
    assert words_of("Ana's", [(0, 0), (0, 2), (2, 3), (3, 5), (0, 0)]) == [(1, 0, 3), (3, 3, 5)]
    assert words_of("Ana went home", [(0, 0), (0, 3), (3, 8), (0, 0)]) == [(1, 0, 3), (2, 4, 8)]  # cut
    assert words_of("Ana went", [(0, 0), (3, 8), (0, 0)]) == [(1, 4, 8)]  # a word that the tokenizer left out


def test_tags_are_read_as_conlleval_reads_them():
    words = [(0, i, i + 1) for i in range(8)]
    tags = ["B-a", "I-a", "O", "I-b", "I-a", "B-a", "I-b", "B-b"]
    assert entities(tags, words) == [(0, 2, "a"), (3, 4, "b"), (4, 5, "a"), (5, 6, "a"), (6, 7, "b"), (7, 8, "b")]
    assert shown("Ana and Lisbon", [(0, 3, "person"), (8, 14, "place")]) == "Ana[person]; Lisbon[place]"


def seqeval_f1(truth: list[list[str]], said: list[list[str]]) -> tuple[float, float, float]:
    """Precision, recall and F1 as seqeval counts them, written anew from its definition: a chunk ends where the next
    tag is O, B-, or of another type, and begins where it does not go on with one of its type.
    """

    def chunks(tags: list[str]) -> set[tuple[str, int, int]]:
        found, begin, kind = set(), None, None
        for place, tag in enumerate([*tags, "O"]):
            mark, _, own = tag.partition("-")
            if begin is not None and (mark in ("O", "B") or own != kind):
                found.add((kind, begin, place - 1))
                begin = None
            if begin is None and mark != "O":
                begin, kind = place, own
        return found

    pairs = [(chunks(a), chunks(b)) for a, b in zip(truth, said, strict=True)]
    hits = sum(len(a & b) for a, b in pairs)
    there, marked = sum(len(a) for a, _ in pairs), sum(len(b) for _, b in pairs)
    return hits / marked, hits / there, 2 * hits / (marked + there)


def test_scores_are_those_of_seqeval(bert, texts):
    """Random tags for the words of the test texts, and what another computation makes of them."""
    source = open_folder(bert, nameless("tests/text"))
    processor = TASK.processor(source.preprocess, Options(), texts, "cpu")
    target = TASK.fit_target(texts)
    assert target["labels"] == ["O", "B-number", "I-number", "B-thing", "I-thing"]
    test = TASK.examples(texts, processor, target, None, source)["test"]
    rng = np.random.default_rng(0)
    width = test.held.most
    outputs = np.zeros(len(test), [("tags", np.int16, (width,)), ("sure", np.float32, (width,))])
    gold, said = [], []
    for place in range(len(test)):
        own = test.tags(place)
        drawn = [tag if rng.random() < 0.7 else int(rng.integers(5)) for tag in own]
        outputs["tags"][place, : len(own)] = drawn
        gold.append([target["labels"][tag] for tag in own])
        said.append([target["labels"][tag] for tag in drawn])
    records = TASK.evaluate(outputs, test, target)
    found = TASK.aggregate(records, np.ones((1, len(test))), target)
    expected = seqeval_f1(gold, said)
    assert [found[name][0] for name in ("precision", "recall", "entity-f1")] == pytest.approx(expected)
    assert 0 < expected[2] < 1
    half = TASK.aggregate(records, np.r_[np.ones(6), np.zeros(len(test) - 6)][None], target)
    assert half["entity-f1"][0] == pytest.approx(seqeval_f1(gold[:6], said[:6])[2])
    rows = TASK.by_label(records, target)["per_class"]
    assert sum(row["n"] for row in rows) == sum(len(spans) for spans in test.gold)
    answers = TASK.answers(records, texts)
    assert [one["score"] == 1 for one in answers] == [one["truth"] == one["prediction"] for one in answers]


def test_a_dictionary_finds_what_it_knows(bert, texts):
    source = open_folder(bert, nameless("tests/text"))
    processor = TASK.processor(source.preprocess, Options(), texts, "cpu")
    target = TASK.fit_target(texts)
    examples = TASK.examples(texts, processor, target, None, source)
    found = {one.id: one.records for one in TASK.baselines(texts, examples, target, source)}
    ones = np.ones((1, len(examples["test"])))
    assert TASK.aggregate(found["none"], ones, target)["entity-f1"][0] == 0
    assert 0.4 < TASK.aggregate(found["dictionary"], ones, target)["entity-f1"][0] < 1

    from tlcore.tasks.token_classification.baselines import _matched

    known = {("ana",): "person", ("ana", "lima", "&", "co"): "firm"}
    assert _matched("ANA met Ana Lima & Co.", known) == [(0, 3, "person"), (8, 21, "firm")]


@pytest.mark.parametrize("strategy", [one.id for one in STRATEGIES if not (one.needs or one.takes)])
def test_every_strategy_trains(strategy, bert, texts, tmp_path):
    from tlcore.training import fit
    from tlcore.training.job_progress import Tally

    if reason := next(one for one in STRATEGIES if one.id == strategy).refuse(TASK, None):
        pytest.skip(str(reason))
    source = open_folder(bert, nameless("tests/text"))
    processor = TASK.processor(source.preprocess, Options(), texts, "cpu")
    context = PlanContext(
        texts.info.n["train"], TASK.side(processor), 5_000, "cpu", 4, 8, 1e-2, TASK.rate, TASK.has_convex_head
    )
    spec = Spec(task=TASK.id, data=Data(dataset=texts.fingerprint), seeds=1, baseline="none")
    plan = make_plan(spec, strategy, context, processor, TASK.metrics[0])
    assert {phase["kind"] for phase in plan["arms"]["transfer"]["phases"]} == {"train"}
    found = TrainingContext(
        TASK,
        texts,
        source,
        TASK.fit_target(texts),
        plan,
        tmp_path / "run",
        tmp_path / "cache",
        Tally(lambda *a, **k: None),
    )
    found.folder.mkdir()
    result = fit.again(found, "transfer", 0, 1e-2)
    model = open_folder(result.weights, source.source).build(None, True)
    again = inference.outputs(TASK, model, found.examples["test"], 3, "cpu")
    kept = result.outputs("test")
    assert (again["tags"] == kept["tags"]).all()
    assert np.abs(again["sure"] - kept["sure"]).max() < 1e-3
    assert json.loads((result.weights / "config.json").read_text())["studio_pooling"] == "none"


def test_a_head_alone_is_tried_at_rates_for_a_head(bert):
    context = PlanContext(100, 62, 20_000_000, "cpu", 8, None, None, TASK.rate, TASK.has_convex_head)
    spec = Spec(task=TASK.id, data=Data(dataset="x"), seeds=1)
    arms = {
        name: make_plan(spec, name, context, {"size": 16}, TASK.metrics[0])["arms"]["transfer"]
        for name in ("feature-extraction", "fine-tuning", "linear-probe-then-fine-tune")
    }
    assert arms["feature-extraction"]["rates"] == pytest.approx([4e-4, 1.6e-3, 6.4e-3])
    assert arms["fine-tuning"]["rates"] == pytest.approx([2.5e-5, 1e-4, 4e-4])
    head = arms["linear-probe-then-fine-tune"]
    assert [rate * head["phases"][0]["scale"] for rate in head["rates"]] == pytest.approx([4e-4, 1.6e-3, 6.4e-3])


@pytest.fixture(scope="module")
def finished(tmp_path_factory, bert, file):
    """A whole run by the command line, both arms, and where it lies."""
    folder = tmp_path_factory.mktemp("run")
    report = text_models.run(
        folder,
        name="names",
        task=TASK.id,
        data={"path": str(file)},
        source=str(bert),
        strategy="fine-tuning",
        seeds=2,
        budget={"epochs": 12},
        options={"batch_size": 8, "learning_rate": 0.01},
    )
    return folder, report


def test_the_command_line_tells_the_whole_story(finished):
    _, report = finished
    assert report["metric"] == "entity-f1"
    assert report["transfer"]["value"] > 0.5
    assert {one["id"] for one in report["naive"]} == {"none", "dictionary"}
    assert {one["label"] for one in report["per_class"]} == set(text_models.ENTITIES)
    assert report["labels"] == sorted(text_models.ENTITIES), "kinds of entity; tags are the network's own"
    assert report["export"]["agrees"] is True
    assert all(one["score"] < 1 for one in report["worst"])


def test_the_bundle_answers_without_the_studio_as_the_report_says(finished, tmp_path):
    from tlcore.bundle import Bundle

    _, report = finished
    with zipfile.ZipFile(report["bundle"]) as archive:
        archive.extractall(tmp_path / "bundle")
        assert "entity F1" in archive.read("README.md").decode()
    given = list(csv.DictReader((Path(report["bundle"]).parent / "predictions.csv").open()))
    text_models.write_table(tmp_path / "asked.csv", [(one["text"], "?") for one in given])
    command = [sys.executable, "-I", "predict.py", str(tmp_path / "asked.csv"), "--places"]
    done = subprocess.run(command, cwd=tmp_path / "bundle", text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    result = list(csv.DictReader(done.stdout.splitlines()))
    assert [one["prediction"] for one in result] == [one["prediction"] for one in given]
    assert any("[" in one["prediction"] for one in result)
    for one, its in zip(result, given, strict=True):
        assert shown(its["text"], json.loads(one["entities"])) == one["prediction"]
    bundle = Bundle.open(report["bundle"])
    rows = bundle.predict([one["text"] for one in given])
    assert [row.prediction for row in rows] == [one["prediction"] for one in given]
    assert [list(map(list, row.spans)) for row in rows] == [json.loads(one["entities"]) for one in result]
    assert str(bundle.predict([" "])[0].reason) == "It has no text."
    expected = json.loads((tmp_path / "bundle" / "example" / "expected.json").read_text())
    ((only,), text) = bundle.predict_paths([tmp_path / "bundle" / "example" / "texts.csv"]).rows, given[0]["text"]
    assert only["prediction"] == expected["prediction"]
    assert shown(text, expected["entities"]) == expected["prediction"]
    (tmp_path / "bundle" / "model.onnx").unlink()
    torch = subprocess.run(
        [*command[:3], "--text", given[0]["text"]], cwd=tmp_path / "bundle", text=True, capture_output=True, timeout=120
    )
    (alone,) = csv.DictReader(torch.stdout.splitlines())
    assert alone["prediction"] == given[0]["prediction"], torch.stderr
    assert float(alone["confidence"]) == pytest.approx(rows[0].confidence, abs=1e-3)
