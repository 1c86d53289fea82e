"""What Strategy and Data say to tasks without classes: nothing of classes and accuracy, and what was measured."""

from __future__ import annotations

import pair_models
import pytest
import text_models
from text_pages import opened, said

from tlcore import data, guidance, models, tasks
from tlcore.core.spec_parts import Data, Options
from tlcore.data.samples import SAMPLES
from tlcore.store import Store

WITHOUT = [one for one in SAMPLES if not tasks.find(one.task).labelled]


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCORE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    kept = Store.open()
    yield kept
    kept.close()


def project(store, task, path, source=None):
    made = data.read(Data(path=str(path)), task=task, store=store, owner="local")
    draft = {"task": task.id, "source": source or task.default_source, "data": {"dataset": made.fingerprint}}
    return made, store.projects.create("p", "local", draft).id


@pytest.mark.parametrize("sample", WITHOUT, ids=[one.id for one in WITHOUT])
def test_no_sentence_speaks_of_classes_that_are_not_there(sample, store, tmp_path):
    task = tasks.find(sample.task)
    _, one = project(store, task, sample.write(tmp_path))
    result = said(opened("strategy", project=one))
    for word in ("accuracy", "your classes", "Smallest class", "smallest class", "labels a class"):
        assert word not in result, word
    assert "Upload your examples" in said(opened("data", project=one))


def test_a_race_of_one_strategy_is_not_offered(store, tmp_path):
    sample = next(one for one in SAMPLES if one.task == "text-generation")
    _, one = project(store, tasks.find(sample.task), sample.write(tmp_path))
    at = opened("strategy", project=one)
    assert "this task can have one alone" in said(at)
    assert not [button for button in at.button if button.key == "race-go"]


def test_what_is_measured_without_classes_is_kept_and_shown(store, tmp_path):
    task = tasks.find("translation")
    folder = pair_models.write_model(tmp_path / "t5", "t5")
    path = text_models.write_table(tmp_path / "t.csv", pair_models.pairs(60), "source,target")
    made, one = project(store, task, path, str(folder))
    assert "Measure on your data" in [button.label for button in opened("strategy", project=one).button]
    source = models.open_source(str(folder), store)
    processor = task.processor(source.preprocess, Options(), made, "cpu")
    guidance.measure_with(made, task, source, processor, store.home / "cache")
    evidence = guidance.kept(store, made.fingerprint, str(folder))
    assert evidence is not None
    assert evidence.thorough
    at = opened("strategy", project=one)
    assert "Measure on your data" not in [button.label for button in at.button]
    assert [metric.label for metric in at.metric] == ["Training examples", "Similarity, 0 to 1"]
    assert "What the source model learned" in said(at)
