"""The pages with questions: a preview with its columns, trying the model on a context, and parts of the report."""

from __future__ import annotations

import pytest
import text_models
from test_text_ui import opened, said, tables
from text_pages import project_with_run

from tlcore import tasks
from tlcore.bundle import Bundle
from tlcore.data.staging import stage
from tlcore.store.tables import SUCCEEDED

TASK = "question-answering"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A workspace with a finished run on questions, made by the command line."""
    folder = tmp_path_factory.mktemp("question-ui")
    table = text_models.write_questions(folder / "q.csv", text_models.questions(120))
    bert = text_models.write_model(folder / "bert")
    report = text_models.run(
        folder,
        name="questions",
        task=TASK,
        data={"path": str(table)},
        source=str(bert),
        strategy="fine-tuning",
        seeds=2,
        budget={"epochs": 1},
        options={"batch_size": 16, "learning_rate": 0.01},
    )
    return folder, report["run"]


@pytest.fixture
def project(home, monkeypatch):
    yield from project_with_run(*home, monkeypatch, TASK, "Questions")


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
@pytest.mark.parametrize("page", ["start", "source", "data", "strategy", "train", "compare", "share"])
def test_every_page_stands(project, page, locale):
    opened(page, locale, project=project[1])


def test_a_checked_upload_shows_questions_and_answers(project, tmp_path):
    store, made = project
    job = store.jobs.submit("check-upload", "local", {"path": "x", "task": TASK}, project_id=made)
    rows = text_models.questions(12, seed=7)
    stage(
        text_models.write_questions(tmp_path / "q.json", rows), task=tasks.find(TASK), folder=store.jobs.folder(job.id)
    )
    assert store.jobs.take(job.id, "test")
    assert store.jobs.finish(job.id, store.jobs.get(job.id).attempt, SUCCEEDED, output={})
    store.projects.save_draft(made, {"task": TASK, "check": job.id})
    at = opened("data", project=made)
    frame = next(one.value for one in at.dataframe if "question" in one.value)
    assert list(frame.columns) == ["text", "question", "answer", "title", "row"]
    assert rows[0]["answer"] in set(frame["answer"])
    assert "do not answer" in said(at) or "does not answer" in said(at)


def test_answers_are_shown_in_their_places(project, home):
    store, made = project
    run_id = home[1]
    context, question = "the food was lovely and the room was broken", "was it good"
    bundle = Bundle.open(store.runs.folder(run_id) / "bundle.zip")
    bundle_says = bundle.predict([{"context": context, "question": question}])[0]
    at = opened("share", project=made, run=run_id)
    at.text_area(key=f"try-context-{run_id}").set_value(context)
    at.text_area(key=f"try-question-{run_id}").set_value(f"{question}\nwas it bad").run()
    assert not at.exception, at.exception
    shown = said(at)
    assert f"{100 * bundle_says.confidence:.1f} % sure" in shown
    if bundle_says.spans:
        assert f":green-background[**{bundle_says.prediction}**]" in shown
    else:
        assert "The context gives no answer." in shown


def test_the_place_of_an_answer_in_a_long_context():
    from tlcore.ui.try_questions import marked

    context = "a" * 1000 + " *lovely* " + "b" * 1000
    start = context.index("lovely")
    shown = marked(context, start, start + 6)
    assert "**lovely**" in shown
    assert shown.startswith("… ")
    assert shown.endswith(" …")
    assert len(shown) < 1300


def test_errors_and_parts_are_told(project, home):
    store, made = project
    at = opened("compare", project=made, run=home[1])
    result = {}
    for part in ("errors", "slices", "naive"):
        at.segmented_control(key="compare-part").set_value(part).run()
        assert not at.exception, (part, at.exception)
        result[part] = said(at) + tables(at) + "".join(one.value.to_string() for one in at.table)
    assert "was it" in result["errors"]
    assert "answerable" in result["slices"]
    assert "commonest answer" in result["naive"]
    page = (store.runs.folder(home[1]) / "report.pt_BR.html").read_text()
    assert "a resposta mais comum do treino" in page
