"""A whole translation: run by the command line, its report, its bundle, its pages."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pair_models
import pytest
import text_models
import yaml
from streamlit.testing.v1 import AppTest

from tlcore import data, models, tasks
from tlcore.core.spec_parts import Data, Options
from tlcore.spec import from_dict

ROOT = Path(__file__).resolve().parents[1]
TASK = tasks.find("translation")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return text_models.write_table(tmp_path_factory.mktemp("pairs") / "t.csv", pair_models.pairs(60), "source,target")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, table):
    """A whole run by the command line, both arms, and where it lies."""
    folder = tmp_path_factory.mktemp("pair-run")
    bert = text_models.write_model(folder / "bert")
    (folder / "spec.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "pairs",
                "task": "translation",
                "data": {"path": str(table)},
                "source": str(bert),
                "strategy": "fine-tuning",
                "seeds": 2,
                "budget": {"epochs": 12},
                "options": {"batch_size": 8, "learning_rate": 0.01},
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "tlcore", "run", str(folder / "spec.yaml"), "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "TLCORE_HOME": str(folder / "home")},
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, json.loads(done.stdout)


def test_the_command_line_tells_the_whole_story(finished):
    _, report = finished
    assert report["metric"] == "chrf"
    assert set(report["transfer"]["metrics"]) == {"chrf", "bleu"}
    assert report["verdict"] in ("transfer-helps", "no-clear-difference", "negative-transfer")
    naive = {one["id"]: one for one in report["naive"]}
    assert set(naive) == {"copy", "nearest", "source"}
    assert naive["source"]["value"] is None
    best = max([report["baseline"]["value"], *(one["value"] for one in naive.values() if one["value"] is not None)])
    assert report["difference"]["value"] == pytest.approx(report["transfer"]["value"] - best), (
        "against the best of them"
    )
    assert report["export"]["skipped"]
    assert all({"text", "truth", "prediction", "score"} <= set(one) for one in report["worst"])
    assert report["labels"] is None


def test_the_score_is_sacrebleus_of_the_answers_that_are_listed(finished):
    import sacrebleu

    _, report = finished
    rows = list(csv.DictReader((Path(report["bundle"]).parent / "predictions.csv").open()))
    written, truth = ([row[name] for row in rows] for name in ("prediction", "truth"))
    assert len(rows) == report["n_test"]
    assert report["packed"]["value"] == pytest.approx(sacrebleu.corpus_chrf(written, [truth]).score / 100, abs=1e-6)
    assert report["packed"]["metrics"]["bleu"] == pytest.approx(
        sacrebleu.corpus_bleu(written, [truth]).score / 100, abs=1e-6
    )


def test_the_bundle_answers_without_the_studio_as_the_report_says(finished, tmp_path):
    from tlcore.bundle import Bundle
    from tlcore.execution.job_kinds.predict import ask

    _, report = finished
    with zipfile.ZipFile(report["bundle"]) as archive:
        archive.extractall(tmp_path / "bundle")
    rows = list(csv.DictReader((Path(report["bundle"]).parent / "predictions.csv").open()))
    text_models.write_table(tmp_path / "asked.csv", [(one["text"], "?") for one in rows], "source,target")
    done = subprocess.run(
        [sys.executable, "-I", "predict.py", str(tmp_path / "asked.csv")],
        cwd=tmp_path / "bundle",
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    result = list(csv.DictReader(done.stdout.splitlines()))
    assert [one["prediction"] for one in result] == [one["prediction"] for one in rows]
    assert [one["input"] for one in result] == [f"asked.csv:{i}" for i in range(2, len(rows) + 2)]
    expected = json.loads((tmp_path / "bundle" / "example" / "expected.json").read_text())
    assert expected["prediction"] == next(
        one["prediction"] for one in rows if one["text"] in (tmp_path / "bundle" / "example" / "texts.csv").read_text()
    )
    bundle = Bundle.open(report["bundle"])
    assert [row.prediction for row in bundle.predict([one["text"] for one in rows])] == [
        one["prediction"] for one in rows
    ]
    assert str(bundle.predict([""])[0].reason) == "It has no text."

    class Job:
        input = {"bundle": report["bundle"], "inputs": [rows[0]["text"], " "], "settings": {"beams": 4}}  # noqa: RUF012

    answers = ask(None, Job, lambda *a, **k: None)["rows"]
    assert answers[0]["prediction"] is not None
    assert answers[1]["reason"]["text"] == "It has no text."


def test_the_bundle_is_a_source_that_is_told_as_it_is(finished, table, store, tmp_path):
    _, report = finished
    spec = {"name": "again", "task": "translation", "data": {"path": str(table)}, "source": report["bundle"]}
    source = models.open_source(from_dict(spec).source, store)
    assert source.modality == "seq2seq"
    made = data.read(Data(path=str(table)), task=TASK, store=store, owner="local")
    processor, target = TASK.processor(source.preprocess, Options(), made, "cpu"), TASK.fit_target(made)
    found = {
        one.id: one
        for one in TASK.baselines(made, TASK.examples(made, processor, target, None, source), target, source)
    }
    ones = np.ones((1, made.info.n["test"]))
    value = float(TASK.aggregate(found["source"].records, ones, target)["chrf"][0])
    assert value == pytest.approx(report["packed"]["value"], abs=1e-3), "the same test set, the same weights"


@pytest.fixture
def project(finished, monkeypatch):
    """A project with that run, in its workspace."""
    from tlcore.store import Store

    folder, report = finished
    monkeypatch.setenv("TLCORE_HOME", str(folder / "home"))
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    store = Store.open()
    draft = {
        "task": TASK.id,
        "source": str(folder / "bert"),
        "data": {"dataset": store.runs.get(report["run"]).dataset},
    }
    made = store.projects.create("Pairs", "local", draft).id
    store.runs.set(report["run"], project_id=made)
    yield store, made
    store.close()


def opened(page: str, project: str, locale: str = "en-US") -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=90)
    at.context = {"locale": locale, "timezone": "America/Sao_Paulo"}
    at.query_params["project"] = project
    at.run()
    at.switch_page(f"pages/{page}.py")
    at.query_params["project"] = project
    at.run()
    assert not at.exception, at.exception
    return at


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
@pytest.mark.parametrize("page", ["source", "data", "strategy", "train", "compare", "share"])
def test_every_page_stands(project, page, locale):
    opened(page, project[1], locale)


def test_the_page_asks_the_worker_and_shows_its_answers(project, finished):
    from tlcore.execution.foreground import run_here

    store, made = project
    at = opened("share", made)
    run = finished[1]["run"]
    at.text_area(key=f"try-text-{run}").set_value("good food\nthe room").run()
    at.number_input(key=f"knob-beams-{run}").set_value(2).run()
    at.button(key=f"ask-{run}").click().run()
    assert not at.exception, at.exception
    job = store.jobs.newest("ask", {})
    assert job.input["settings"] == {"beams": 2}
    assert job.input["inputs"] == ["good food", "the room"]
    rows = run_here(store, job.id).output["rows"]
    at.run()
    assert not at.exception, at.exception
    shown = "\n".join(one.value for one in at.markdown)
    assert "> the room" in shown
    assert all(f"**{row['prediction']}**" in shown for row in rows)


def test_languages_are_asked_for_on_the_strategy_page(project):
    store, made = project
    at = opened("strategy", made)
    at.text_input(key=f"o-target-{made}").set_value(" pt ").run()
    assert store.projects.get(made, "local").draft["options"]["target_language"] == "pt"
