"""Texts with any number of labels: tables of every shape, scores by hand, every strategy, a run and its bundle."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import text_models
from sources_models import source as nameless

from tlcore import data, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, t
from tlcore.core.spec_parts import Data, Options, Split
from tlcore.data.confirm import confirm
from tlcore.data.staging import stage
from tlcore.evaluation.records import Records
from tlcore.models.loading import open_folder
from tlcore.plan import make_plan
from tlcore.spec import Spec
from tlcore.strategies import STRATEGIES
from tlcore.strategies.contract import PlanContext
from tlcore.tasks.shared import inference
from tlcore.training.context import TrainingContext

TASK = tasks.find("multi-label-text-classification")


def examples(n: int, seed: int = 0) -> list[tuple[str, list[str]]]:
    """Texts whose words tell their labels: ``good``, ``bad``, ``travel`` (film, train), or none of them."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[str]] = {}
    while len(found) < n:
        labels = [name for name in ("bad", "good", "travel") if rng.random() < 0.45]
        own = {"good": text_models.GOOD, "bad": text_models.BAD, "travel": ["train", "film"]}
        words = [str(rng.choice(own[name])) for name in labels]
        words += [str(w) for w in rng.choice(["the", "a", "food", "room", "was", "is", "one", "two", "six"], 4)]
        found.setdefault(" ".join(rng.permutation(words)), labels)
    return list(found.items())


ROWS = examples(90)


def staged(source, folder, **how):
    return stage(source, task=TASK, folder=folder / "staged", **how)


def sets_of(found) -> dict[str, list[str]]:
    return {row.text: [one for one in row.labels.split("; ") if one] for row in found.rows.itertuples()}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rows = [(text, ";".join(labels)) for text, labels in ROWS]
    return text_models.write_table(tmp_path_factory.mktemp("table") / "t.csv", rows, "text,labels")


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return text_models.write_model(tmp_path_factory.mktemp("bert"))


@pytest.fixture
def texts(table, store):
    return data.read(Data(path=str(table)), task=TASK, store=store, owner="local")


SHAPES = {
    "semicolons": lambda labels: " ; ".join(labels),
    "bars": lambda labels: "|".join(labels),
    "commas": lambda labels: ", ".join(labels),
    "JSON lists": json.dumps,
    "Python lists": repr,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_labels_in_one_cell(tmp_path, shape):
    path = text_models.write_table(tmp_path / "t.csv", [(a, SHAPES[shape](b)) for a, b in ROWS], "text,labels")
    assert sets_of(staged(path, tmp_path)) == dict(ROWS)


@pytest.mark.parametrize("suffix", ["jsonl", "json", "parquet"])
def test_labels_as_lists(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    rows = [{"text": text, "tags": labels} for text, labels in ROWS]
    if suffix == "parquet":
        pd.DataFrame(rows).to_parquet(path, index=False)
    else:
        path.write_text(json.dumps(rows) if suffix == "json" else "\n".join(map(json.dumps, rows)))
    assert sets_of(staged(path, tmp_path)) == dict(ROWS)


def test_commas_in_sentences_are_no_separators(tmp_path):
    rows = [(text, f"reason {i}, told at length") for i, (text, _) in enumerate(ROWS)]
    found = staged(text_models.write_table(tmp_path / "t.csv", rows, "text,label"), tmp_path)
    assert all(len(labels) == 1 for labels in sets_of(found).values())
    assert "separator" not in {one.code for one in found.findings}


def test_what_the_check_says(tmp_path):
    rows = [*((text, ";".join(labels)) for text, labels in ROWS), ("one very rare thing", "Travel;odd")]
    found = {
        one.code: t(one.sentence)
        for one in staged(text_models.write_table(tmp_path / "t.csv", rows, "text,labels"), tmp_path).findings
    }
    assert "separated by ;" in found["separator"]
    assert "odd" in found["rare-labels"]
    assert "Travel" in found["look-alike-labels"]
    assert f"Texts without a label: {sum(not labels for _, labels in ROWS)}" in found["label-counts"]
    single = [(text, labels[0]) for text, labels in ROWS if labels]
    assert "one-label-each" in {
        one.code for one in staged(text_models.write_table(tmp_path / "u.csv", single), tmp_path).findings
    }


def test_same_text_other_labels(tmp_path):
    rows = [
        *((text, ";".join(labels)) for text, labels in ROWS),
        ("twice here", "good;bad"),
        ("Twice, here!", "good"),
        ("copied", "bad;good"),
        ("Copied.", "good;bad"),
        ("plain", ""),
        ("plain!", ""),
    ]
    found = staged(text_models.write_table(tmp_path / "t.csv", rows, "text,labels"), tmp_path)
    assert len(found.rows) == len(ROWS) + 2
    codes = {one.code: one.count for one in found.findings}
    assert (codes["conflict"], codes["duplicate"]) == (2, 2)


LINES = {
    "a record for labels": ('{"text": "a b", "labels": {"x": 1}}', "holds something that is no label"),
    "a list in a list": ('{"text": "a b", "labels": [["x"]]}', "holds something that is no label"),
    "a label too long": ('{"text": "a b", "labels": ["%s"]}' % ("x" * 300), "longer than 200"),
    "a semicolon inside": ('{"text": "a b", "labels": ["x;y"]}', "holds a semicolon"),
    "too many labels": (json.dumps({"text": "a b", "labels": [str(i) for i in range(101)]}), "at most 100"),
    "no text": ('{"text": "", "labels": ["good"]}', "no text"),
    "a list for a text": ('{"text": ["a"], "labels": ["good"]}', "list or a record"),
    "no object": ("[1, 2]", "not a JSON object"),
    "cut off": ('{"text": "a b", "labels"', "not a JSON object"),
    "text too long": (json.dumps({"text": "x" * 100_001, "labels": []}), "longer than 100,000"),
}


@pytest.mark.parametrize("name", LINES)
def test_a_bad_row_is_set_aside_and_the_rest_is_used(tmp_path, name):
    line, reason = LINES[name]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join([*(json.dumps({"text": a, "labels": b}) for a, b in ROWS), line]) + "\n")
    found = staged(path, tmp_path)
    assert len(found.rows) == len(ROWS)
    (aside,) = found.set_aside()
    assert (aside.file, aside.row) == ("t.jsonl", len(ROWS) + 1)
    assert reason in t(aside.reason)


WHOLES = {
    "no labels at all": (b"text,labels\none text,\nanother text,\na third text,\n", "No text has a label"),
    "one label for all": (b"text,labels\none text,x\nanother text,x\na third text,x\n", "nothing to tell apart"),
    "no column": (b"text,when\none text,x\n", "no column for the label"),
    "empty": (b"", "empty"),
    "nothing usable": (b"text,labels\n,x\n,y\n", "Nothing of"),
}


@pytest.mark.parametrize("name", WHOLES)
def test_a_table_that_cannot_be_used_is_refused_in_a_sentence(tmp_path, store, name):
    content, reason = WHOLES[name]
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(UnusableInput) as refused:
        data.read(Data(path=str(tmp_path / "t.csv")), task=TASK, store=store, owner="local")
    assert reason in str(refused.value)


def test_every_label_is_in_every_split(tmp_path, store):
    rows = [(text, ";".join([*labels, *(["rare"] if i % 15 == 0 else [])])) for i, (text, labels) in enumerate(ROWS)]
    found = staged(text_models.write_table(tmp_path / "t.csv", rows, "text,labels"), tmp_path)
    made = confirm(found, store, split=Split(), corrections=None, name="x", owner="local")
    n = made.info.n
    assert abs(n["test"] - 18) <= 2
    assert abs(n["validation"] - 13.5) <= 2
    share = {}
    for name in ("train", "validation", "test"):
        held = made.split(name)["labels"].str.split("; ")
        share[name] = {
            label: held.map(lambda own, label=label: label in own).mean() for label in ("good", "bad", "travel", "rare")
        }
    for label in ("good", "bad", "travel"):
        assert max(part[label] for part in share.values()) - min(part[label] for part in share.values()) < 0.12
    assert all(part["rare"] > 0 for part in share.values())


def test_scores_by_hand():
    """Three texts, labels a and b, and a fourth text whose only label no training text has."""
    truth = np.array([[1, 0], [1, 1], [0, 0], [0, 0]], bool)
    said = np.array([[1, 1], [1, 0], [0, 0], [0, 0]], bool)
    records = Records(
        ["1", "2", "3", "4"], np.arange(4), {"truth": truth, "prediction": said, "unknown": np.array([0, 0, 0, 1])}
    )
    found = TASK.aggregate(records, np.array([[1, 1, 1, 1], [1, 0, 0, 0]]), {"labels": ["a", "b"]})
    # a: 2 of 2 right, F1 1; b: said once, there once, never both, F1 0. Micro: 2 hits, 3 said, 3 + 1 there.
    assert found["macro-f1"] == pytest.approx([0.5, 0.5])
    assert found["micro-f1"] == pytest.approx([4 / 7, 2 / 3])
    assert found["exact-match"] == pytest.approx([0.25, 0.0])
    result = TASK.by_label(records, {"labels": ["a", "b"]})
    assert result["unknown_label"] == 1
    assert result["per_class"] == [
        {"label": "a", "n": 2, "precision": 1.0, "recall": 1.0, "f1": 1.0},
        {"label": "b", "n": 1, "precision": 0.0, "recall": 0.0, "f1": 0.0},
    ]


def test_scores_are_those_of_scikit_learn():
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(0)
    truth, said = rng.random((50, 4)) < 0.4, rng.random((50, 4)) < 0.4
    records = Records(
        [str(i) for i in range(50)], np.arange(50), {"truth": truth, "prediction": said, "unknown": np.zeros(50, int)}
    )
    found = TASK.aggregate(records, np.ones((1, 50)), {})
    assert found["macro-f1"][0] == pytest.approx(f1_score(truth, said, average="macro"))
    assert found["micro-f1"][0] == pytest.approx(f1_score(truth, said, average="micro"))
    assert found["exact-match"][0] == pytest.approx((truth == said).all(axis=1).mean())


def test_a_solved_head_is_a_logistic_regression_for_each_label():
    from sklearn.linear_model import LogisticRegression

    from tlcore.models.logistic_head import logistic_heads

    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 5)).astype(np.float32)
    truth = np.stack(
        [x[:, 0] + 0.3 * rng.normal(size=400) > 0, x[:, 1] > 0.5, np.ones(400, bool), np.zeros(400, bool)], axis=1
    )
    found = logistic_heads(x[:300], truth[:300], x[300:], truth[300:])
    logits = x[300:] @ found["weight"].T + found["bias"]
    assert ((logits > 0) == truth[300:]).mean(axis=0) == pytest.approx([0.95, 0.97, 1, 1], abs=0.05)
    z = (x[:300] - x[:300].mean(0)) / x[:300].std(0)
    reference = LogisticRegression(C=found["strength"] * 20, max_iter=500).fit(z, truth[:300, 0])
    mine = (x[:300] @ found["weight"].T + found["bias"])[:, 0]
    assert mine == pytest.approx(reference.decision_function(z), abs=0.05)
    best = max(found["tried"], key=lambda one: (one["macro-f1"], -one["loss"]))
    assert best["strength"] == found["strength"]


@pytest.mark.parametrize("strategy", [one.id for one in STRATEGIES if not (one.needs or one.takes)])
def test_every_strategy_trains(strategy, bert, texts, tmp_path):
    from tlcore.training import fit
    from tlcore.training.job_progress import Tally

    source = open_folder(bert, nameless("tests/text"))
    if reason := next(one for one in STRATEGIES if one.id == strategy).refuse(TASK, None):
        pytest.skip(str(reason))
    processor = TASK.processor(source.preprocess, Options(), texts, "cpu")
    context = PlanContext(texts.info.n["train"], TASK.side(processor), 5_000, "cpu", 1, 16, 1e-3, TASK.rate)
    spec = Spec(task=TASK.id, data=Data(dataset=texts.fingerprint), seeds=1, baseline="none")
    plan = make_plan(spec, strategy, context, processor, TASK.metrics[0])
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
    result = fit.again(found, "transfer", 0, 1e-3)
    model = open_folder(result.weights, source.source).build(None, True)
    again = inference.outputs(TASK, model, found.examples["test"], 3, "cpu")
    assert np.abs(again - result.outputs("test")).max() < 1e-3
    assert 0 <= result.validation["macro-f1"] <= 1


def test_words_alone_find_what_words_tell(bert, texts):
    target = TASK.fit_target(texts)
    made = TASK.examples(texts, {"size": 16, "pad": 0}, target, None)
    found = {one.id: one for one in TASK.baselines(texts, made, target, open_folder(bert, nameless("tests/text")))}
    ones = np.ones((1, len(made["test"])))
    assert TASK.aggregate(found["words"].records, ones, target)["macro-f1"][0] >= 0.7
    commonest = texts.split("train")["labels"].mode()[0]
    exact = (texts.split("test")["labels"] == commonest).mean()
    assert TASK.aggregate(found["majority"].records, ones, target)["exact-match"][0] == pytest.approx(exact)


def test_a_whole_run_and_its_bundle(tmp_path, bert, table):
    """By the command line; predict.py of the bundle gives the report's answers without the studio."""
    report = text_models.run(
        tmp_path,
        name="labels",
        task=TASK.id,
        data={"path": str(table)},
        source=str(bert),
        strategy="feature-extraction",
        seeds=2,
        budget={"epochs": 2},
        options={"batch_size": 16, "learning_rate": 0.01},
    )
    assert report["metric"] == "macro-f1"
    assert {one["label"] for one in report["per_class"]} == {"bad", "good", "travel"}
    assert report["export"]["agrees"] is True
    with zipfile.ZipFile(report["bundle"]) as archive:
        archive.extractall(tmp_path / "bundle")
    calibration = json.loads((tmp_path / "bundle" / "calibration.json").read_text())
    assert calibration["thresholds"] == [one["threshold"] for one in report["thresholds"]["labels"]]
    from_ = dict(zip(("bad", "good", "travel"), calibration["thresholds"], strict=True))
    assert {one["label"]: one["threshold"] for one in report["per_class"]} == from_
    given = list(csv.DictReader((Path(report["bundle"]).parent / "predictions.csv").open()))
    text_models.write_table(tmp_path / "asked.csv", [(one["text"], "?") for one in given])
    ran = subprocess.run(
        [sys.executable, "-I", "predict.py", str(tmp_path / "asked.csv")],
        cwd=tmp_path / "bundle",
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    result = list(csv.DictReader(ran.stdout.splitlines()))
    assert [one["prediction"] for one in result] == [one["prediction"] for one in given]
    assert any("; " in one["prediction"] for one in result)
    for one in result:
        shares = {label: float(one[label]) for label in ("bad", "good", "travel")}
        assert one["prediction"] == "; ".join(label for label, p in shares.items() if p >= from_[label])
        assert float(one["confidence"]) == pytest.approx(min(max(p, 1 - p) for p in shares.values()), abs=1e-5)

    from tlcore.bundle import Bundle

    rows = Bundle.open(report["bundle"]).predict([one["text"] for one in given])
    assert [row.prediction for row in rows] == [one["prediction"] for one in given]
    half = _at_one_half(report, tmp_path / "home")
    assert report["thresholds"]["half"]["metrics"] == pytest.approx(half)
    page = (tmp_path / "bundle" / "report.html").read_text()
    assert "Given from" in page
    result = str(Sentence.model_validate(report["sentences"]["thresholds"]))
    assert result.partition("'")[0] in page
    assert result in (tmp_path / "bundle" / "README.md").read_text()


def _at_one_half(report, home):
    """The packed model's scores on the test set with one half for every label, from its stored logits."""
    from tlcore.data.dataset import Dataset
    from tlcore.store import Store

    store = Store.open(home)
    made = Dataset.open(store, report["dataset"]["fingerprint"])
    store.close()
    target = TASK.fit_target(made)
    test = TASK.examples(made, {"size": 16, "pad": 0}, target, None)["test"]
    outputs = np.load(
        Path(report["bundle"]).parent / "arms" / "transfer" / f"seed-{report['packed']['seed']}" / "outputs-test.npy"
    )
    records = Records(
        test.ids, np.arange(len(test)), {"truth": test.labels, "prediction": outputs > 0, "unknown": test.unknown}
    )
    return {name: float(value[0]) for name, value in TASK.aggregate(records, np.ones((1, len(test))), target).items()}
