"""Label savings on the page, in every state."""

from __future__ import annotations

import numpy as np
import pytest
from test_label_savings import SIZES, analysed, scratch
from test_ui_pages import filled, home, opened, said  # noqa: F401  (fixtures)

from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation.label_savings import sentences
from tlcore.store.tables import FAILED


def measurable(store, run_id: str, **more) -> None:
    """The seeded run with what a real report has beside it."""
    report = store.runs.get(run_id).report
    each = [{"seed": s, "seconds": 4.0, "validation": {"accuracy": 0.8}} for s in range(2)]
    report = {**report, "dataset": {**report["dataset"], "n": {"train": 320, "validation": 60, "test": 90}}, **more}
    for key in ("transfer", "baseline"):
        report[key] = {**report[key], "per_seed": each}
    store.runs.set(run_id, report=report, plan={"device": "cpu"})


def tab(filled, locale: str = "en-US"):  # noqa: F811
    at = opened("compare", locale, project=filled.project, run=filled.runs["ends"])
    at.segmented_control(key="compare-part").set_value("savings").run()
    assert not at.exception, at.exception
    return at


def test_page_before_it_is_measured(filled):  # noqa: F811
    measurable(filled.store, filled.runs["ends"])
    at = tab(filled)
    assert "20, 40, 80, 160" in said(at)
    at.button(key="savings-go").click().run()
    job = filled.store.jobs.newest("label-savings", {"run": filled.runs["ends"]})
    assert (job.state, job.lane) == ("queued", "train")
    assert at.button(key="savings-cancel")


def test_page_of_a_run_that_cannot_be_measured(filled):  # noqa: F811
    filled.store.runs.set(filled.runs["ends"], plan=None)
    assert "cannot be measured" in said(tab(filled))


def test_page_while_it_is_measured_and_when_it_failed(filled):  # noqa: F811
    store, run_id = filled.store, filled.runs["ends"]
    measurable(store, run_id)
    job = store.jobs.submit("label-savings", "local", {"run": run_id}, lane="train")
    assert store.jobs.take(job.id, "test")
    result = {"share": 0.4, "sentence": sentence("Training with {n} labels", n=40).model_dump(), "seconds_left": 33}
    store.jobs.beat(job.id, 1, progress=result)
    at = tab(filled)
    assert "33 s" in said(at)
    message = sentence("There was not enough memory for this.").model_dump()
    store.jobs.finish(job.id, 1, FAILED, error={"code": "x", "sentence": message})
    at = tab(filled)
    assert "not enough memory" in said(at)
    at.button(key="savings-go").click().run()
    assert store.jobs.get(job.id).state == "queued", "it goes on where it was"


@pytest.mark.parametrize("transfer", [[0.35, 0.30, 0.26, 0.22, 0.12], [0.2, 0.1, 0.06, 0.04, 0.03]])
@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
def test_page_when_it_is_measured(filled, locale, transfer):  # noqa: F811
    result = {
        **analysed(np.array(transfer), scratch(SIZES), 4, units=600),
        "seeds": 3,
        "n_test": 600,
        "watts": {"value": 120.0, "how": "nvml"},
    }
    result["sentences"] = {name: one.model_dump() for name, one in sentences(result).items()}
    measurable(filled.store, filled.runs["ends"], label_savings=result)
    at = tab(filled, locale)
    assert len(at.get("plotly_chart")) == 1
    if locale == "en-US":
        assert str(Sentence.model_validate(result["sentences"]["equal"]))[:30] in said(at)
        assert at.number_input(key=f"tts-watts-{filled.runs['ends']}").value == 120.0
        assert "NVML" in said(at)
