"""The measured evidence on the Strategy page, in each of its states and both languages."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import ui_seed
from test_ui_pages import LOCALES, home, opened, said  # noqa: F401  (a fixture)

from tests.conftest import draw
from tlcore import guidance, models, tasks
from tlcore.core.spec_parts import Options
from tlcore.data import auxiliary
from tlcore.data.dataset import Dataset
from tlcore.execution.job_kinds import measure
from tlcore.store import Store
from tlcore.store.tables import FAILED, SUCCEEDED

TASK = tasks.find("image-classification")


@pytest.fixture
def seeded(home, tiny_source):  # noqa: F811
    store = Store.open()
    fingerprint = ui_seed.dataset(store, home)
    project = ui_seed.project(store, fingerprint)
    draft = {"task": TASK.id, "source": str(tiny_source), "data": {"dataset": fingerprint}}
    store.projects.save_draft(project, draft)
    asked = {"task": TASK.id, "dataset": fingerprint, "source": str(tiny_source)}
    return SimpleNamespace(store=store, fingerprint=fingerprint, project=project, asked=asked, source=str(tiny_source))


def measured(seeded, thorough=True):
    dataset = Dataset.open(seeded.store, seeded.fingerprint)
    source = models.open_source(seeded.source, seeded.store)
    how = TASK.processor(source.preprocess, Options(image_size=32), dataset, "cpu")
    return guidance.measure_with(dataset, TASK, source, how, seeded.store.home / "cache", thorough=thorough)


def test_not_measured_a_button_queues_the_work(seeded):
    at = opened("strategy", project=seeded.project)
    at.button(key="measure-go").click().run()
    assert not at.exception, at.exception
    job = seeded.store.jobs.newest("measure", seeded.asked)
    assert job.state == "queued"
    assert job.project_id == seeded.project
    assert job.lane == "quick"
    assert any("Measuring" in str(one.value) for one in at.markdown)
    assert not [button for button in at.button if button.key == "measure-go"]


@pytest.mark.parametrize("locale", LOCALES)
def test_measuring_and_failed(seeded, locale):
    job = seeded.store.jobs.submit("measure", "local", seeded.asked, project_id=seeded.project)
    at = opened("strategy", locale, project=seeded.project)
    assert at.button(key="measure-cancel")
    ui_seed.end(seeded.store, job.id, FAILED, {"code": "x", "sentence": ui_seed.stored("The disk is full.")})
    at = opened("strategy", locale, project=seeded.project)
    assert "The disk is full" in said(at)
    assert at.button(key="measure-go")


def test_what_another_measures_on_the_same_data_is_seen_and_not_stopped(seeded):
    theirs = seeded.store.jobs.submit("measure", "bruno", seeded.asked)
    ranking = seeded.store.jobs.submit("rank", "bruno", {"dataset": seeded.fingerprint})
    at = opened("strategy", project=seeded.project)
    assert said(at).count("Somebody else has the same under way") == 2
    assert not {"measure-cancel", "measure-go", "rank-cancel", "rank-go"} & {button.key for button in at.button}
    for job in (theirs, ranking):
        ui_seed.end(seeded.store, job.id, FAILED, {"code": "x", "sentence": ui_seed.stored("The disk is full.")})
    at = opened("strategy", project=seeded.project)
    assert "The disk is full" not in said(at)
    assert not [box for box in at.expander if box.label == "Log"]
    assert at.button(key="measure-go")
    assert at.button(key="rank-go")


@pytest.mark.parametrize("locale", LOCALES)
def test_measured(seeded, locale):
    evidence = measured(seeded)
    at = opened("strategy", locale, project=seeded.project)
    values = [str(metric.value) for metric in at.metric]
    assert str(evidence.n_train) in values
    similarity = f"{evidence.similarity:.2f}"
    assert (similarity if locale == "en-US" else similarity.replace(".", ",")) in values
    assert len(at.tabs) == 4
    text = said(at)
    gain = evidence.size.learning_curve.sentence.params["gain"]
    assert str(int(gain)) in text
    assert not [button for button in at.button if button.key == "measure-go"]
    tables = "".join(str(table.value) for table in at.table)
    assert "LogME" in tables
    assert "NLEEP" in tables


@pytest.mark.parametrize("locale", LOCALES)
def test_examples_without_labels_are_compared_and_what_they_are_good_for_is_one_click_away(seeded, tmp_path, locale):
    folder = tmp_path / "night"
    folder.mkdir()
    for at in range(24):
        draw("dots", at).point(lambda value: value // 4).save(folder / f"{at}.png")
    other = auxiliary.read_set("unlabelled", str(folder), task=TASK, store=seeded.store, owner="local")
    draft = {**seeded.store.projects.get(seeded.project, "local").draft}
    draft["data"] = {**draft["data"], "unlabelled": other.fingerprint}
    seeded.store.projects.save_draft(seeded.project, draft)
    measured(seeded)
    at = opened("strategy", locale, project=seeded.project)
    assert not [button for button in at.button if str(button.key).startswith("advised-")]
    at.button(key="compare-go").click().run()
    job = seeded.store.jobs.newest("measure", {**seeded.asked, "unlabelled": other.fingerprint})
    assert job.state == "queued"
    measure.measure(seeded.store, job, lambda share, sentence=None, **more: None)
    ui_seed.end(seeded.store, job.id, SUCCEEDED)

    at = opened("strategy", locale, project=seeded.project)
    assert "night" in said(at)
    assert not [button for button in at.button if button.key == "compare-go"]
    at.button(key="advised-domain-adaptation").click().run()
    assert not at.exception, at.exception
    assert seeded.store.projects.get(seeded.project, "local").draft["strategy"] == "domain-adaptation"
    assert at.selectbox(key=f"s-domain-adaptation-method-{seeded.project}").value == "mcc"
    assert not [button for button in at.button if button.key == "advised-domain-adaptation"]


def test_ranked_and_another_source_is_taken(seeded, tmp_path):
    import shutil

    measured(seeded, thorough=False)
    other = tmp_path / "other"
    shutil.copytree(seeded.source, other)
    dataset = Dataset.open(seeded.store, seeded.fingerprint)
    rows = guidance.rank(dataset, TASK, [str(other), str(tmp_path / "nothing")], seeded.store, Options(image_size=32))
    assert len(rows) == 3
    at = opened("strategy", project=seeded.project)
    assert at.button(key="measure-go"), "only part of it was measured"
    text = said(at)
    assert "There is no folder or zip at" in text
    at.button(key=f"use-{other}").click().run()
    assert not at.exception, at.exception
    assert seeded.store.projects.get(seeded.project, "local").draft["source"] == str(other)
    at.button(key="rank-go").click().run()
    assert seeded.store.jobs.newest("rank", {"dataset": seeded.fingerprint}).input["source"] == str(other)
