"""A run of question answering by the command line, and what its bundle answers without the studio."""

# ruff: noqa: F811  (fixtures of the other file)
from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import text_models
from test_question_tasks import TASK, bert, opened, table  # noqa: F401

from tlcore.runtime.answer_spans import best_answer, said


@pytest.fixture(scope="module")
def finished(tmp_path_factory, bert, table):
    """A whole run by the command line, both arms, and where it lies."""
    folder = tmp_path_factory.mktemp("question-run")
    return folder, text_models.run(
        folder,
        name="questions",
        task=TASK.id,
        data={"path": str(table)},
        source=str(bert),
        strategy="fine-tuning",
        seeds=2,
        budget={"epochs": 3},
        options={"batch_size": 16, "learning_rate": 0.01, "max_length": 24},
    )


def test_the_command_line_tells_the_whole_story(finished):
    _, report = finished
    assert report["task"] == TASK.id
    assert report["verdict"] in ("transfer-helps", "no-clear-difference", "negative-transfer")
    assert {one["id"] for one in report["naive"]} == {"constant", "sentence", "as-is"}
    best = max([report["baseline"]["value"], *(one["value"] for one in report["naive"] if one["value"] is not None)])
    assert report["difference"]["value"] == pytest.approx(report["transfer"]["value"] - best)
    assert set(report["transfer"]["metrics"]) == {"f1", "exact-match"}
    assert report["export"]["agrees"] is True
    assert report["export"]["same_class_report"] == report["export"]["n"]
    assert all(one["score"] < 1 and "—" in one["text"] for one in report["worst"])


def test_the_bundle_answers_without_the_studio_as_the_report_says(finished, table, tmp_path):
    from tlcore.bundle import Bundle

    _, report = finished
    with zipfile.ZipFile(report["bundle"]) as archive:
        archive.extractall(tmp_path / "bundle")
    given = list(csv.DictReader((Path(report["bundle"]).parent / "predictions.csv").open()))
    rows = {f"q.csv:{i}": row for i, row in enumerate(csv.DictReader(table.open()), start=2)}
    asked = [rows[one["input"]] for one in given]
    text_models.write_questions(tmp_path / "asked.csv", asked)
    (tmp_path / "asked.jsonl").write_text("\n".join(map(json.dumps, [*asked, {"context": "", "question": "x"}])))
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "predict.py",
            str(tmp_path / "asked.csv"),
            str(tmp_path / "asked.jsonl"),
            "example/questions.csv",
        ],
        cwd=tmp_path / "bundle",
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    result = list(csv.DictReader(done.stdout.splitlines()))
    n = len(given)
    assert [one["prediction"] for one in result[:n]] == [one["prediction"] for one in given]
    assert [one["prediction"] for one in result[n : 2 * n]] == [one["prediction"] for one in given]
    assert "Its context is empty." in done.stderr
    expected = json.loads((tmp_path / "bundle" / "example" / "expected.json").read_text())
    assert result[-1]["prediction"] == expected["prediction"]
    assert float(result[-1]["confidence"]) == pytest.approx(expected["confidence"], abs=1e-4)
    opened_ = Bundle.open(report["bundle"])
    found = opened_.predict(asked)
    assert [row.prediction for row in found] == [one["prediction"] for one in given]
    for row, one in zip(found, asked, strict=True):
        assert "".join(one["context"][a:b] for a, b, _ in row.spans) == row.prediction
    strange = opened_.predict([{"context": "  ", "question": "x"}, {"context": "a b", "question": ""}, "text", 3])
    assert [str(row.reason) for row in strange] == [
        "Its context is empty.",
        "Its question is empty.",
        "A question and a context are needed.",
        "A question and a context are needed.",
    ]
    answers = opened_.predict_paths([tmp_path / "asked.csv", tmp_path / "none.csv"])
    assert len(answers.rows) == n
    assert answers.set_aside == [{"input": str(tmp_path / "none.csv"), "reason": "There is no such file."}]


def test_the_bundle_loads_in_transformers_and_says_how(finished, tmp_path):
    import torch
    from transformers import AutoModelForQuestionAnswering

    from tlcore.bundle import Bundle

    _, report = finished
    with zipfile.ZipFile(report["bundle"]) as archive:
        archive.extractall(tmp_path)
    model = AutoModelForQuestionAnswering.from_pretrained(tmp_path).eval()
    how = json.loads((tmp_path / "answering.json").read_text())
    assert how == {"longest": 30, "no_answer": json.loads((tmp_path / "config.json").read_text())["studio_no_answer"]}
    bundle = Bundle.open(report["bundle"])
    question, context, every = bundle.prepared.one(("was it good", "the food was lovely"))
    assert (question, context, len(every)) == ("was it good", "the food was lovely", 1)
    given = [torch.from_numpy(one) for one in bundle.prepared.feed([(question, context, every)]).values()]
    with torch.inference_mode():
        out = model(input_ids=given[0], attention_mask=given[1], token_type_ids=given[2])
    logits = torch.stack([out.start_logits, out.end_logits], dim=-1)[0].numpy()
    best = best_answer([logits], [every[0][2]], **how)
    row = bundle.predict([{"question": question, "context": context}])[0]
    assert said(context, *best[:3])[0] == row.prediction
    assert row.confidence == pytest.approx(best[3], abs=1e-4)
    card = (tmp_path / "README.md").read_text()
    assert "AutoModelForQuestionAnswering" in card
    assert "pipeline_tag: question-answering" in card


def test_without_onnx_predict_py_uses_torch(finished, tmp_path):
    _, report = finished
    with zipfile.ZipFile(report["bundle"]) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "model.onnx").unlink()
    done = subprocess.run(
        [sys.executable, "-I", "predict.py", "example/questions.csv"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    expected = json.loads((tmp_path / "example" / "expected.json").read_text())
    row = next(csv.DictReader(done.stdout.splitlines()))
    assert row["prediction"] == expected["prediction"]
    assert float(row["confidence"]) == pytest.approx(expected["confidence"], abs=1e-3)
