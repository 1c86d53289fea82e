"""Large language models are tuned by LoRA where the person leaves the strategy open: advice, page, Plan and run."""

from __future__ import annotations

from dataclasses import replace

import pair_models
import pytest
import text_models
from text_pages import opened, said

from tlcore import data, flow, models, tasks
from tlcore.core.spec_parts import Budget, Data
from tlcore.execution.foreground import run_here
from tlcore.guidance import about, advise, kept_advice, measure, measurement, pilot
from tlcore.guidance.advice_rule import BASE
from tlcore.spec import Spec
from tlcore.store import Store

NLLB, OPUS = "facebook/nllb-200-distilled-600M", "Helsinki-NLP/opus-mt-en-de"
ENCODER = "FacebookAI/xlm-roberta-base"


def pairs(folder, store, n=60):
    path = text_models.write_table(folder / "t.csv", pair_models.pairs(n), "source,target")
    return data.read(Data(path=str(path)), task=tasks.find("translation"), store=store, owner="local")


def texts(folder, store, n):
    path = text_models.write_table(folder / "t.csv", text_models.sentences(n))
    return data.read(Data(path=str(path)), task=tasks.find("text-classification"), store=store, owner="local")


def spec(dataset, source):
    return Spec(task=dataset.info.task, data=Data(dataset=dataset.fingerprint), source=source)


def test_who_changes_nothing_trains_adapters_of_a_large_model(tmp_path, store):
    made = pairs(tmp_path, store)
    advice = kept_advice(store, made, NLLB)
    assert advice.strategy == "lora"
    assert "615 million" in " ".join(map(str, advice.reasons))
    asked = spec(made, NLLB)
    assert asked.strategy == "auto"
    for how in (None, lambda: kept_advice(store, made, NLLB)):
        plan = flow.preview(asked, made, models.find(NLLB, store), how)
        assert (plan["strategy"], plan["requested_strategy"]) == ("lora", "auto")
        (phase,) = plan["arms"]["transfer"]["phases"]
        assert phase["trainable"] == "nothing", "its own decoder has adapters, and is not trained whole"
    assert kept_advice(store, made, OPUS).strategy == "fine-tuning", "few pairs, a small model, and nothing new on it"


def test_on_the_strategy_page_it_is_chosen_already(tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("TLCORE_HOME", str(home))
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    store = Store.open()
    made = pairs(tmp_path, store)
    draft = {"task": "translation", "source": NLLB, "data": {"dataset": made.fingerprint}}
    project = store.projects.create("Pairs", "local", draft).id
    at = opened("strategy", project=project)
    pills = next(one for one in at.button_group if one.key == f"strategy-{project}")
    assert pills.value == ["auto"] or pills.value == "auto"
    assert "As the studio advises (LoRA)" in str(pills.options)
    assert "Advice: LoRA" in said(at)
    assert any("low-rank adapters" in table.value.to_string() for table in at.table)
    assert "strategy" not in store.projects.get(project, "local").draft
    store.close()


@pytest.mark.parametrize(
    "task",
    [
        "text-classification",
        "multi-label-text-classification",
        "token-classification",
        "question-answering",
        "translation",
        "summarization",
        "text-generation",
    ],
)
def test_it_stands_for_whatever_gradients_would_train(task, store):
    """A head that is solved stays: it looks at every example once and takes the least memory of all."""
    found = tasks.find(task)
    source = replace(models.find(ENCODER, store), modality=found.source_families[0], parameters=560_000_000)
    among = measurement.advised_strategies(found, source)
    assert "lora" in among
    assert (BASE in among) == found.has_convex_head
    assert "lora" not in measurement.advised_strategies(found, replace(source, parameters=278_000_000))
    assert "lora" not in measurement.advised_strategies(
        found, replace(source, architecture="resnet50", modality="image")
    )


@pytest.mark.parametrize(("n", "expected"), [(20, BASE), (100, "lora"), (1200, "lora")])
def test_classes_by_counts(tmp_path, store, n, expected):
    made = texts(tmp_path, store, n)
    source = replace(models.find(ENCODER, store), parameters=560_000_000)
    assert advise(about(measure(made), tasks.find("text-classification"), source)).strategy == expected


def test_a_folder_tells_its_size_without_being_opened(tmp_path, store, monkeypatch):
    folder = pair_models.write_model(tmp_path / "t5", "t5")
    seen = models.known(str(folder), store)
    assert (seen.modality, seen.parameters) == ("seq2seq", models.open_source(str(folder), store).source.parameters)
    made = pairs(tmp_path, store)
    assert kept_advice(store, made, str(folder)).strategy == "fine-tuning"
    monkeypatch.setattr(measurement, "LARGE", seen.parameters - 1)
    assert kept_advice(store, made, str(folder)).strategy == "lora"


def test_a_run_with_an_open_strategy_trains_adapters_alone(tmp_path, store, monkeypatch):
    """What `tlcore run` does of a Spec without a strategy, on a network that counts as large here."""
    from tlcore.training import fit
    from tlcore.training.context import TrainingContext
    from tlcore.training.job_progress import Tally

    monkeypatch.setattr(measurement, "LARGE", 1_000)
    folder, made = pair_models.write_model(tmp_path / "t5", "t5"), pairs(tmp_path, store)
    task, source = tasks.find("translation"), models.open_source(str(folder), store)
    asked = Spec(
        task=task.id,
        data=Data(dataset=made.fingerprint),
        source=str(folder),
        seeds=1,
        baseline="none",
        budget={"epochs": 1},
        options={"batch_size": 16},
    )
    advice = lambda: flow.advised(asked, task, made, source, store, lambda *args, **more: None, "local")  # noqa: E731
    plan = flow.plan_for(asked, task, made, source, advice)
    assert plan["strategy"] == "lora"
    found = TrainingContext(
        task,
        made,
        source,
        task.fit_target(made),
        plan,
        tmp_path / "run",
        store.home / "cache",
        Tally(lambda *a, **k: None),
    )
    found.folder.mkdir()
    result = fit.again(found, "transfer", 0, 1e-2)
    lora = result.measured["lora"]
    attention = 3 * 2 * 4  # self-attention of both sides and the decoder's look at the source; two layers; q, k, v, o
    assert lora["trained"] == attention * 2 * 16 * 8, "A and B of every matrix of 16 by 16, and nothing else"
    assert lora["merge_difference"] < 1e-3


def test_a_race_trains_adapters_where_all_layers_of_a_large_model_would_be_trained(tmp_path, store, monkeypatch):
    folder, made = text_models.write_model(tmp_path / "bert"), texts(tmp_path, store, 60)
    task, source = tasks.find("text-classification"), models.known(str(folder), store)
    assert set(pilot.candidates(task, source=source)) == set(pilot.candidates(task)) != {BASE, "lora"}
    before = kept_advice(store, made, str(folder))
    monkeypatch.setattr(measurement, "LARGE", 1_000)
    assert pilot.candidates(task, source=source) == [BASE, "lora"]
    assert pilot.candidates(tasks.find("translation"), source=models.find(NLLB, store)) == ["lora"]
    assert "scratch" in pilot.candidates(task, source=source, scratch=True)
    result = spec(made, str(folder)).model_copy(update={"budget": Budget(epochs=1)})
    asked = pilot.request(result, made.fingerprint)
    job = run_here(store, store.jobs.submit("race", "local", asked, lane="train").id)
    assert job.state == "succeeded", job.error
    found = pilot.kept(store, asked)
    assert {one["strategy"] for one in found["candidates"]} == {BASE, "lora"}
    assert all(0 <= one["rungs"][-1]["score"] <= 1 for one in found["candidates"])
    after = kept_advice(store, made, str(folder))
    assert not after.raced, "the rule knows nothing of LoRA, so that such a race is not joined with it"
    assert after.strategy == (BASE if before.strategy == BASE else "lora")
