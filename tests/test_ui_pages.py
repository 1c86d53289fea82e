"""Every page in its states, in both languages: nothing raises, and what matters is said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import ui_seed
from streamlit.testing.v1 import AppTest

from tlcore.data.dataset import Dataset
from tlcore.store import Store

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
LOCALES = ("en-US", "pt-BR")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCORE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    return tmp_path


@pytest.fixture
def filled(home):
    """One project with data and a run in each state, and one with an upload that was checked."""
    store = Store.open()
    fingerprint = ui_seed.dataset(store, home)
    project = ui_seed.project(store, fingerprint)
    runs = {name: ui_seed.run(store, project, fingerprint, name) for name in ("waits", "runs", "fails", "ends")}
    ui_seed.running(store, runs["runs"])
    ui_seed.failed(store, runs["fails"])
    ui_seed.finished(store, runs["ends"], fingerprint)
    checked = ui_seed.project(store, name="Checked")
    job = ui_seed.staged_job(store, checked, home)
    store.projects.save_draft(checked, {"task": "image-classification", "check": job})
    return SimpleNamespace(store=store, project=project, runs=runs, fingerprint=fingerprint, checked=checked, job=job)


def opened(page: str, locale: str = "en-US", **params: str) -> AppTest:
    """The page as a browser with this address and language shows it."""
    at = AppTest.from_file(ROOT / "app.py", default_timeout=90)
    at.context = {"locale": locale, "timezone": "America/Sao_Paulo"}
    for name, value in params.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception, at.exception
    if page != "start":
        at.switch_page(f"pages/{page}.py")
        for name, value in params.items():
            at.query_params[name] = value
        at.run()
        assert not at.exception, at.exception
    return at


def said(at: AppTest) -> str:
    """Everything written on the page."""
    kinds = (
        "title",
        "header",
        "subheader",
        "markdown",
        "caption",
        "info",
        "warning",
        "error",
        "success",
        "badge",
    )
    return "\n".join(str(element.value) for kind in kinds for element in at.get(kind))


@pytest.mark.parametrize("page", PAGES)
def test_page_of_an_empty_studio(home, page):
    at = opened(page)
    assert at.title


@pytest.mark.parametrize("page", PAGES)
def test_page_of_a_filled_project_in_both_languages(filled, page):
    titles = {opened(page, locale, project=filled.project).title[0].value for locale in LOCALES}
    assert len(titles) == (1 if page == "start" else 2), "the title is said in each language"


@pytest.mark.parametrize("state", ["waits", "runs", "fails", "ends"])
@pytest.mark.parametrize("page", ["train", "compare", "share"])
def test_page_of_a_run_in_each_state(filled, page, state):
    at = opened(page, project=filled.project, run=filled.runs[state])
    assert at.title


def test_failed_run_says_why(filled):
    text = said(opened("train", project=filled.project, run=filled.runs["fails"]))
    assert "not enough memory" in text


def test_finished_run_says_its_verdict(filled):
    text = said(opened("compare", project=filled.project, run=filled.runs["ends"]))
    assert "Transfer helps" in text
    assert "Of 100 new examples" in text


def test_waiting_run_says_that_no_worker_is_there(filled):
    from sqlalchemy import update

    from tlcore.store.tables import Job

    with filled.store.transaction() as session:
        session.execute(update(Job).values(created=Job.created - 60))
    text = said(opened("train", project=filled.project, run=filled.runs["waits"]))
    assert "tlcore worker" in text


def test_project_of_somebody_else_stays_shut(filled):
    theirs = filled.store.projects.create("Secret plans", "somebody@example.org").id
    text = said(opened("data", project=theirs))
    assert "Secret plans" not in text
    assert "No project is open" in text


def click(at: AppTest, key: str) -> AppTest:
    at.button(key=key).click().run()
    assert not at.exception, at.exception
    return at


def test_a_sample_becomes_a_project_whose_check_is_queued(home):
    at = opened("start")
    click(at, "sample-digits")
    store = Store.open()
    (project,) = store.projects.all("local")
    job = store.jobs.get(project.draft["check"])
    assert (job.kind, job.state, job.input["sample"]) == ("check-upload", "queued", "digits")
    assert project.draft["options"]["augmentation"] == "no-flip", "mirrored digits mean something else"
    assert at.title[0].value == "Data"


def test_a_new_project_needs_a_name(home):
    at = opened("start")
    at.button[0].click().run()
    assert "name" in said(at)
    assert Store.open().projects.all("local") == []
    at.text_input(key="new-name").set_value("Leaves")
    at.form_submit_button[0].click().run()
    assert [project.name for project in Store.open().projects.all("local")] == ["Leaves"]
    assert at.title[0].value == "Source"


def test_an_upload_is_kept_and_its_check_is_queued(home):
    project = ui_seed.project(Store.open())
    at = opened("data", project=project)
    data = ui_seed.pictures_zip(home / "a.zip").read_bytes()
    at.file_uploader(key="upload-zip").upload("my photos.zip", data).run()
    click(at, "upload-check")
    store = Store.open()
    job = store.jobs.get(store.projects.get(project, "local").draft["check"])
    assert Path(job.input["path"]).read_bytes() == data
    assert job.input["name"] == "my photos.zip"


def test_a_checked_upload_is_confirmed(filled):
    at = opened("data", project=filled.checked)
    assert "broken.png" in said(at), "what was set aside is named"
    click(at, "confirm")
    draft = filled.store.projects.get(filled.checked, "local").draft
    made = Dataset.open(filled.store, draft["data"]["dataset"])
    assert sum(made.info.n.values()) == 28
    assert made.fingerprint in said(at)


def test_corrections_are_used_when_the_upload_is_confirmed(filled):
    store = filled.store
    wrong = "circle/circle_00.png"
    draft = store.projects.get(filled.checked, "local").draft
    store.projects.save_draft(filled.checked, {**draft, "data": {"corrections": {wrong: "square"}}})
    click(opened("data", project=filled.checked), "confirm")
    made = Dataset.open(store, store.projects.get(filled.checked, "local").draft["data"]["dataset"])
    assert made.rows.set_index("id")["label"][wrong] == "square"


def test_a_failed_check_says_why_and_offers_another_upload(home):
    store = Store.open()
    project = ui_seed.project(store)
    job = store.jobs.submit("check-upload", "local", {"path": "x", "task": "image-classification"}, project_id=project)
    ui_seed.end(
        store,
        job.id,
        "failed",
        {"code": "x", "sentence": ui_seed.stored("{file} is empty.", file="a*b*.zip")},
    )
    store.projects.save_draft(project, {"task": "image-classification", "check": job.id})
    at = opened("data", project=project)
    assert "a\\*b\\*.zip is empty." in said(at), "a file name is no markup"
    assert at.file_uploader(key="upload-zip")


def test_options_are_kept_and_the_run_asks_for_them(filled):
    at = opened("strategy", project=filled.project)
    at.number_input(key=f"o-seeds-{filled.project}").set_value(5).run()
    at.number_input(key=f"o-image-{filled.project}").set_value(64).run()
    at = opened("strategy", project=filled.project)  # another session: the draft is in the store
    assert at.number_input(key=f"o-seeds-{filled.project}").value == 5
    assert "seeds: 5" in at.code[0].value
    click(at, "start-run")
    newest = filled.store.runs.of_project(filled.project)[0]
    assert (newest.spec["seeds"], newest.spec["options"]["image_size"]) == (5, 64)
    assert at.title[0].value == "Train"


def test_a_strategy_asks_for_its_own_settings_once_it_is_chosen(filled):
    filled.store.projects.save_draft(
        filled.project, {**filled.store.projects.get(filled.project, "local").draft, "strategy": "fine-tuning"}
    )
    at = opened("strategy", project=filled.project)
    at.toggle(key=f"s-fine-tuning-soup-{filled.project}").set_value(True).run()
    assert "soup: true" in at.code[0].value
    at.button_group(key=f"strategy-{filled.project}").set_value("feature-extraction").run()
    assert "soup" not in at.code[0].value, "another strategy forgets them"
    with pytest.raises(KeyError):
        at.toggle(key=f"s-fine-tuning-soup-{filled.project}")


def test_a_failed_run_goes_on(filled):
    click(opened("train", project=filled.project, run=filled.runs["fails"]), "resume-run")
    assert filled.store.jobs.get(filled.runs["fails"]).state == "queued"


def test_a_run_is_cancelled_only_after_a_question(filled):
    at = click(opened("train", project=filled.project, run=filled.runs["runs"]), "cancel-run")
    assert not filled.store.jobs.get(filled.runs["runs"]).cancel_requested
    assert at.button(key="cancel-yes")


def test_a_model_is_published_and_found_by_everybody(filled):
    click(opened("share", project=filled.project, run=filled.runs["ends"]), "publish-go")
    (model,) = filled.store.models.all()
    assert (model.run_id, model.about["verdict"]) == (filled.runs["ends"], "transfer-helps")
    assert "Transfer helps" in said(opened("library"))


def test_language_is_switched_for_the_session(home):
    at = opened("start")
    assert "Your projects" in said(at)
    at.selectbox(key="language_picker").select("pt_BR").run()
    assert "Your projects" not in said(at)
    assert "Your projects" not in said(opened("start", lang="pt-BR")), "an address can name the language"


def test_one_seed_gives_scores_and_no_verdict(filled):
    run = ui_seed.run(filled.store, filled.project, filled.fingerprint, "one", seeds=1, baseline="none")
    ui_seed.finished(filled.store, run, filled.fingerprint, verdict=None, baseline=None, difference=None, seeds=1)
    text = said(opened("compare", project=filled.project, run=run))
    assert "No verdict" in text
    assert "Transfer helps" not in text.split("All runs")[0].replace("Transfer helps: accuracy", "")


def test_columns_of_an_uploaded_table_are_offered(home):
    at = opened("data", project=ui_seed.project(Store.open()))
    at.session_state["upload-way-image"] = "table"
    at.run()
    at.file_uploader(key="upload-table").upload("list.csv", b"photo;kind;patient\na.png;x;1\n")
    at.file_uploader(key="upload-table-zip").upload("a.zip", ui_seed.pictures_zip(home / "a.zip").read_bytes()).run()
    assert not at.exception
    at.selectbox(key="column-label-pick").select("kind").run()
    click(at, "upload-check")
    store = Store.open()
    job = store.jobs.get(store.projects.all("local")[0].draft["check"])
    assert job.input["columns"] == {"label": "kind"}
    assert {path.name for path in Path(job.input["path"]).iterdir()} == {"list.csv", "a.zip"}


def test_sizes_of_the_pictures_are_said(filled):
    at = opened("data", project=filled.checked)
    at.segmented_control(key="staged-view").set_value("counts").run()
    assert not at.exception
    assert "from 40 to 40" in said(at)


def test_two_projects_of_one_name_stay_apart_in_the_picker(home):
    store = Store.open()
    made = [store.projects.create("Surface defects", "local") for _ in range(2)]
    at = opened("start", project=made[1].id)
    shown = at.sidebar.selectbox(key="project_picker")
    assert sorted(shown.options) == ["Surface defects", "Surface defects (2)"]
    assert at.session_state["studio"].project == made[1].id


def test_a_sample_is_checked_from_the_data_page_with_its_own_settings(home):
    store = Store.open()
    project = store.projects.create("Mine", "local", {"task": "image-classification"})
    at = opened("data", project=project.id)
    at = at.segmented_control(key="upload-way-image").set_value("sample").run()
    at = click(at, "upload-sample-go")
    draft = store.projects.get(project.id, "local").draft
    assert draft["sample"] == "surface-defects"
    assert draft["budget"] == {"epochs": 20}
    assert store.jobs.get(draft["check"]).input["sample"] == "surface-defects"


def test_what_a_sample_cuts_is_said_where_it_can_be_changed(filled):
    store, project = filled.store, filled.project
    draft = store.projects.get(project, "local").draft
    store.projects.save_draft(project, {**draft, "sample": "surface-defects"})
    assert "at most 20 epochs" in said(opened("strategy", project=project))
