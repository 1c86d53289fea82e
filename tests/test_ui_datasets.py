"""A person deletes a dataset on the page Data, clears the cache on the page Server, and uploads a workbook."""

from __future__ import annotations

import io

import openpyxl
import pytest
import ui_seed
from test_ui_pages import click, home, opened, said  # noqa: F401  (home is a fixture)

from tlcore.store import Store


@pytest.fixture
def seeded(home):  # noqa: F811  (the fixture of that name)
    store = Store.open()
    fingerprint = ui_seed.dataset(store, home)
    project = ui_seed.project(store, fingerprint)
    run = ui_seed.run(store, project, fingerprint, "ends")
    ui_seed.finished(store, run, fingerprint)
    return store, fingerprint, project, run


def answer(at) -> None:
    """Yes, in the dialog: a browser runs that alone, a test all of the page, and so with the button that opened it."""
    at.button(key="dataset-delete").click()
    click(at, "dataset-delete-go")


def test_a_dataset_is_deleted_after_a_question(seeded):
    store, fingerprint, project, run = seeded
    at = click(opened("data", project=project), "dataset-delete")
    assert "Runs of yours made from it: 1" in said(at)
    assert store.datasets.all("local"), "nothing goes before the answer"
    answer(at)
    assert store.datasets.all("local") == []
    assert not store.datasets.folder(fingerprint).exists()
    assert "data" not in store.projects.get(project, "local").draft
    assert "Upload your examples" in said(opened("data", project=project))
    text = said(opened("compare", project=project, run=run))
    assert "data of this run were deleted" in text
    assert "Transfer helps" in text


def test_the_question_names_nobody_else(seeded):
    store, fingerprint, project, _ = seeded
    store.datasets.add(_info(fingerprint), "bruno", {})
    text = said(click(opened("data", project=project), "dataset-delete"))
    assert "Others on this server have the same content" in text
    assert "bruno" not in text
    assert "theirs-4711" not in text


def _info(fingerprint: str):
    from types import SimpleNamespace

    return SimpleNamespace(fingerprint=fingerprint, task="image-classification", name="theirs-4711", n={"train": 3})


def test_the_errors_of_a_run_whose_data_were_deleted_are_not_called_none(seeded):
    _, _, project, run = seeded
    answer(click(opened("data", project=project), "dataset-delete"))
    at = opened("compare", project=project, run=run)
    at.segmented_control(key="compare-part").set_value("errors").run()
    assert not at.exception
    assert "made no error" not in said(at)
    assert said(at).count("data of this run were deleted") == 2


def test_the_cache_is_shown_and_cleared(home, monkeypatch):  # noqa: F811
    store = Store.open()
    monkeypatch.setenv("TLCORE_CACHE_GB", "3")
    path = store.home / "cache" / "tokens" / "x.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(5_000_000))
    at = opened("server")
    shown = {metric.label: metric.value for metric in at.metric}
    assert shown["Cache"].startswith("5")
    assert shown["Limit of the cache"].startswith("3")
    click(at, "cache-clear")
    assert not path.exists()


def test_a_workbook_is_opened_once_however_often_the_page_runs(home, monkeypatch):  # noqa: F811
    from tlcore.data.tables import workbooks

    times = []
    real = workbooks.Sheet.__init__
    monkeypatch.setattr(workbooks.Sheet, "__init__", lambda self, *args: (times.append(1), real(self, *args))[1])
    book = openpyxl.Workbook()
    book.active.append(["photo", "kind"])
    book.active.append(["a.png", "x"])
    book.save(out := io.BytesIO())
    project = ui_seed.project(Store.open())
    at = opened("data", project=project)
    at.session_state["upload-way-image"] = "table"
    at.run()
    at.file_uploader(key="upload-table").upload("list.xlsx", out.getvalue())
    at.file_uploader(key="upload-table-zip").upload("a.zip", ui_seed.pictures_zip(home / "a.zip").read_bytes()).run()
    assert at.selectbox(key="column-image-pick").options == ["photo", "kind"]
    at.text_input(key="column-group").set_value("x").run()
    at.text_input(key="column-group").set_value("y").run()
    assert len(times) == 1
