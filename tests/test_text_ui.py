"""The walk with texts, page by page: upload, checks, preview, strategy, a finished run, errors, and trying it."""

from __future__ import annotations

from pathlib import Path

import pytest
import text_models
from text_pages import opened, project_with_run, said, tables

from tlcore import tasks
from tlcore.data.dataset import Dataset
from tlcore.data.staging import stage
from tlcore.execution.job_kinds.explain import explain
from tlcore.store.tables import SUCCEEDED

ROOT = Path(__file__).resolve().parents[1]
TASK = "sentiment-analysis"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A workspace with a finished run on texts, made by the command line."""
    folder = tmp_path_factory.mktemp("text-ui")
    names = {"good": "positive", "bad": "negative"}
    rows = [(text, names[label]) for text, label in text_models.sentences(60)]
    text_models.write_table(folder / "t.csv", rows)
    bert = text_models.write_model(folder / "bert")
    report = text_models.run(
        folder,
        name="texts",
        task=TASK,
        data={"path": str(folder / "t.csv")},
        source=str(bert),
        strategy="feature-extraction",
        seeds=2,
        budget={"epochs": 1},
        options={"batch_size": 16, "learning_rate": 0.01},
    )
    return folder, report["run"]


@pytest.fixture
def project(home, monkeypatch):
    yield from project_with_run(*home, monkeypatch, TASK, "Texts")


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
@pytest.mark.parametrize("page", ["start", "source", "data", "strategy", "train", "compare", "share", "library"])
def test_every_page_stands(project, page, locale):
    opened(page, locale, project=project[1])


def test_the_source_page_lists_text_models_with_their_languages(project):
    at = opened("source", project=project[1])
    table = at.dataframe[0].value
    assert "MiniLM sentence encoder, small" in set(table["title"])
    assert not table["title"].str.contains("ResNet").any()
    assert "pt" in set(table["languages"])


def test_choosing_a_text_task_takes_its_own_source(project):
    store, made = project
    store.projects.save_draft(made, {"task": TASK})
    opened("source", project=made)
    assert store.projects.get(made, "local").draft["source"] == "bundled/minilm-l6"


def test_a_pasted_table_is_checked(project):
    store, made = project
    store.projects.save_draft(made, {"task": TASK})
    at = opened("data", project=made)
    at.segmented_control(key="upload-way-text").set_value("paste").run()
    at.text_area(key="upload-texts-pasted").set_value("frase,nota\nbom dia,positive\n").run()
    assert at.selectbox(key="column-label-pick").options == ["frase", "nota"]
    at.button(key="upload-check").click().run()
    assert not at.exception, at.exception
    job = store.jobs.get(store.projects.get(made, "local").draft["check"])
    assert Path(job.input["path"]).read_text() == "frase,nota\nbom dia,positive\n"
    assert job.input["task"] == TASK


def test_the_hub_is_offered_where_a_reader_of_the_task_takes_it(project):
    store, made = project
    for task, offered in (("text-classification", True), ("translation", True), ("question-answering", False)):
        store.projects.save_draft(made, {"task": task})
        ways = opened("data", project=made).segmented_control(key="upload-way-text")
        assert ("A dataset on the hub" in ways.options) == offered


def test_a_checked_upload_shows_its_texts_and_is_confirmed(project, home, tmp_path):
    store, made = project
    job = store.jobs.submit("check-upload", "local", {"path": "x", "task": TASK}, project_id=made)
    rows = [*text_models.sentences(30, seed=5), ("mail ana@example.com", "good")]
    stage(text_models.write_table(tmp_path / "u.csv", rows), task=tasks.find(TASK), folder=store.jobs.folder(job.id))
    assert store.jobs.take(job.id, "test")
    assert store.jobs.finish(job.id, store.jobs.get(job.id).attempt, SUCCEEDED, output={})
    store.projects.save_draft(made, {"task": TASK, "check": job.id})
    at = opened("data", project=made)
    assert "personal data" in said(at)
    assert "Texts31" in said(at)
    assert rows[1][0] in tables(at)  # the class bad comes first
    next(box for box in at.text_input if box.key.endswith("-search")).set_value(rows[3][0][:9]).run()
    assert rows[3][0] in tables(at)
    at.button(key="confirm").click().run()
    assert not at.exception, at.exception
    fingerprint = store.projects.get(made, "local").draft["data"]["dataset"]
    assert sum(Dataset.open(store, fingerprint).info.n.values()) == 31


def test_the_strategy_page_says_how_much_of_a_text_is_read(project):
    at = opened("strategy", project=project[1])
    assert "Texts of at most" in said(at)
    keys = {str(one.key) for one in at.number_input}
    assert f"o-max-{project[1]}" in keys
    assert f"o-image-{project[1]}" not in keys
    at.number_input(key=f"o-max-{project[1]}").set_value(8).run()
    assert "cut after 8 tokens" in said(at)


def test_errors_are_a_table_to_search(project, home):
    store, made = project
    run = store.runs.get(home[1])
    words = [
        {
            "id": f"t.csv:{i}",
            "text": text,
            "truth": "positive",
            "prediction": "negative",
            "confidence": 0.9,
            "confidence_truth": 0.1,
            "picture": None,
            "gradcam": None,
            "words": [[text, 0.5], [" x", -0.4]],
        }
        for i, text in enumerate(("the food was fine", "slow train"), 2)
    ]
    kept = run.report["worst"]
    store.runs.set(run.id, report={**run.report, "worst": words})
    try:
        at = opened("compare", project=made, run=run.id)
        at.segmented_control(key="compare-part").set_value("errors").run()
        assert "the food was fine" in tables(at)
        next(box for box in at.text_input if box.key == f"errors-{run.id}-search").set_value("SLOW").run()
        assert "slow train" in tables(at)
        assert "the food was fine" not in tables(at)
        marked = "".join(one.proto.body for one in at.get("html"))
        assert "slow train<sup>+</sup>" in marked
        assert "x<sup>−</sup>" in marked
        first = Dataset.open(store, run.dataset).rows.iloc[0]
        asked = {**words[1], "id": first["id"]}
        del asked["words"]  # as where a model is large: the worker is asked
        store.runs.set(run.id, report={**run.report, "worst": [asked]})
        at.run()
        next(one for one in at.button if one.label == "Show which words moved the answer").click().run()
        assert not at.exception, at.exception
        (job,) = [job for job in store.jobs.queue() if job.kind == "explain"]
        assert job.input == {"run": run.id, "text": first["text"], "label": "negative"}
        result = explain(store, job, lambda *_, **__: None)
        assert "".join(piece for piece, _ in result["words"]) == first["text"]
        assert result["explained"] == "negative"
        store.jobs.cancel(job.id)
        for part in ("classes", "slices", "naive", "calibration", "savings"):
            at.segmented_control(key="compare-part").set_value(part).run()
            assert not at.exception, (part, at.exception)
    finally:
        store.runs.set(run.id, report={**run.report, "worst": kept})


def test_a_typed_text_is_answered_by_the_bundle(project, home):
    from tlcore.bundle import Bundle

    store, made = project
    at = opened("share", project=made, run=home[1])
    at.text_area(key=f"try-text-{home[1]}").set_value("good happy food\nawful sad room").run()
    assert not at.exception, at.exception
    path = store.runs.folder(home[1]) / "bundle.zip"
    for row in Bundle.open(path).predict(["good happy food", "awful sad room"]):
        assert f"**{row.prediction}**, {100 * row.confidence:.1f} % sure" in said(at)


def test_the_sample_is_two_languages_and_clean(tmp_path):
    from tlcore.data.samples import find

    sample = find("feedback")
    path = sample.write(tmp_path)
    assert path.read_bytes() == sample.write(tmp_path / "again").read_bytes()
    found = stage(path, task=tasks.find(sample.task), folder=tmp_path / "staged")
    assert found.counts == {"negative": 40, "neutral": 40, "positive": 40}
    assert not found.set_aside()
    assert {one.code for one in found.findings} == {"columns", "languages", "polarity"}
