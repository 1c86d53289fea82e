"""Every page in its states, in both languages: nothing raises, and what matters is said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import ui_seed
from streamlit.testing.v1 import AppTest

from tlcore.store import Store
from tlcore.words import match

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
    runs = {
        name: ui_seed.run(store, project, fingerprint, name) for name in ("waits", "runs", "fails", "ends")
    }
    ui_seed.running(store, runs["runs"])
    ui_seed.failed(store, runs["fails"])
    ui_seed.finished(store, runs["ends"], fingerprint)
    checked = ui_seed.project(store, name="Checked")
    job = ui_seed.staged_job(store, checked, home)
    store.projects.save_draft(checked, {"task": "image-classification", "check": job})
    return SimpleNamespace(
        store=store, project=project, runs=runs, fingerprint=fingerprint, checked=checked, job=job
    )


def opened(page: str, locale: str = "en-US", **params: str) -> AppTest:
    """The page as a browser with this address and language shows it."""
    at = AppTest.from_file(ROOT / "app.py", default_timeout=30)
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


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("page", PAGES)
def test_page_of_an_empty_studio(home, page, locale):
    at = opened(page, locale)
    assert at.title
    assert match(locale) in ("en", "pt_BR")


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("page", PAGES)
def test_page_of_a_filled_project(filled, page, locale):
    at = opened(page, locale, project=filled.project)
    assert at.title


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
    assert "Of 100 new pictures" in text


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
