"""The walk with named entities, page by page: an upload, its preview, a finished run, and texts to try."""

from __future__ import annotations

from pathlib import Path

import pytest
import text_models
from text_pages import opened, project_with_run, said, tables

from tlcore.core.i18n import translate
from tlcore.ui.try_entities import marked

TASK = "token-classification"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A workspace with a finished run, made by the command line."""
    folder = tmp_path_factory.mktemp("entities-ui")
    (folder / "t.conll").write_text(text_models.conll(text_models.tagged(60)))
    bert = text_models.write_model(folder / "bert")
    report = text_models.run(
        folder,
        name="names",
        task=TASK,
        data={"path": str(folder / "t.conll")},
        source=str(bert),
        strategy="fine-tuning",
        seeds=2,
        budget={"epochs": 8},
        options={"batch_size": 8, "learning_rate": 0.01},
    )
    return folder, report["run"]


@pytest.fixture
def project(home, monkeypatch):
    yield from project_with_run(*home, monkeypatch, TASK, "Names")


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
@pytest.mark.parametrize("page", ["source", "data", "strategy", "train", "compare", "share", "library"])
def test_every_page_stands(project, page, locale):
    opened(page, locale, project=project[1])


def test_pasted_columns_are_checked_as_columns(project):
    store, made = project
    store.projects.save_draft(made, {"task": TASK})
    at = opened("data", project=made)
    at.segmented_control(key="upload-way-text").set_value("paste").run()
    assert "a token and its tag on each line" in said(at)
    at.text_area(key="upload-texts-pasted").set_value("Ana B-person\nlives O\n").run()
    at.button(key="upload-check").click().run()
    assert not at.exception, at.exception
    job = store.jobs.get(store.projects.get(made, "local").draft["check"])
    assert Path(job.input["path"]).name == "pasted.conll"


def test_the_preview_shows_entities_to_read(project):
    at = opened("data", project=project[1])
    assert "[thing]" in tables(at) or "[number]" in tables(at)
    assert '[["' not in tables(at)


def test_compare_tells_each_kind_of_entity_and_the_worst_answers(project, home):
    at = opened("compare", project=project[1], run=home[1])
    parts = at.segmented_control(key="compare-part").options
    assert "Calibration" not in parts
    for part in ("classes", "errors", "slices", "naive", "savings"):
        at.segmented_control(key="compare-part").set_value(part).run()
        assert not at.exception, (part, at.exception)
        if part == "classes":
            assert {"thing", "number"} <= set(at.dataframe[0].value["label"])
    every = next(one.value for one in at.dataframe if "against" in one.value)
    assert (every["metric"] == "entity F1").all()
    result = translate(project[0].runs.get(home[1]).report["reference"]["title"])
    assert every["against"].tolist() == [result], "what the difference is from"


def test_a_typed_text_is_shown_with_its_entities_marked(project, home):
    from tlcore.bundle import Bundle

    store, made = project
    at = opened("share", project=made, run=home[1])
    typed = ["the food was very one", "is not <b>the</b> *room*"]
    at.text_area(key=f"try-text-{home[1]}").set_value("\n".join(typed)).run()
    assert not at.exception, at.exception
    rows = Bundle.open(store.runs.folder(home[1]) / "bundle.zip").predict(typed)
    assert any(row.spans for row in rows)
    for text, row in zip(typed, rows, strict=True):
        assert marked(text, row.spans, ["number", "thing"]) in said(at)
    assert "It looks for: number, thing" in said(at)


def test_marks_carry_the_label_and_no_markup_of_the_text():
    result = marked("*Ana* saw [Rio]", [(1, 4, "a_b"), (11, 14, "place")], ["a_b", "place"])
    assert result == r"\*:blue-background[Ana (**a\_b**)]\* saw \[:green-background[Rio (**place**)]\]"
