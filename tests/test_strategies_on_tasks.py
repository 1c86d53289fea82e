"""Every task with every strategy: what is promised trains two steps, what is frozen keeps still, the rest is refused.

New tasks and strategies come in by themselves: a task brings its sample, its kind of network a line in `tiny_sources`.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
import tiny_sources
import torch

from tlcore import data, flow, models
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence
from tlcore.core.spec_parts import Data
from tlcore.data.dataset import LEFT_OUT, SPLITS, Dataset
from tlcore.data.samples import SAMPLES
from tlcore.evaluation.statistics import scores
from tlcore.spec import from_dict
from tlcore.strategies import STRATEGIES
from tlcore.strategies.contract import missing
from tlcore.tasks import TASKS, find
from tlcore.training import fit, loop
from tlcore.training.context import TrainingContext
from tlcore.training.hooks.lora import fitting
from tlcore.training.run_progress import Watch

TRAIN, OTHERS = 16, 8  # examples: two steps of eight, and enough to be scored
PAIRS = [(task, strategy) for task in TASKS for strategy in STRATEGIES]
IDS = [f"{task.id}-{strategy.id}" for task, strategy in PAIRS]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("tasks")


@pytest.fixture(scope="module")
def workspace(home):
    from tlcore.store import Store

    store = Store.open(home / "workspace")
    yield store
    store.close()


@pytest.fixture(scope="module")
def cases(home, workspace):
    """A few examples of a task's sample, and a tiny source model, made once for each task."""
    kept = {}

    def case(task):
        if task.id not in kept:
            kind = next((kind for kind in task.source_families if kind in tiny_sources.SOURCES), None)
            sample = next((one for one in SAMPLES if find(one.task).roles == task.roles), None)
            if kind is None or sample is None:
                pytest.skip(f"{task.id} has no sample, or {task.source_families} no line in tiny_sources")
            upload = sample.write(home / task.id)
            columns = sample.spec.get("data", {}).get("columns", {})
            whole = data.read(Data(path=str(upload), columns=columns), task=task, store=workspace, owner="local")
            folder = home / "sources" / kind
            kept[task.id] = few(whole), folder if folder.exists() else tiny_sources.write(kind, folder)
        return kept[task.id]

    return case


def few(whole: Dataset) -> Dataset:
    """The same with a handful of examples of each label in each split; the rows keep their places."""
    rows = whole.rows
    place = rows.groupby(["split", "label"]).cumcount()
    labels = max(1, rows["label"].nunique())
    most = {split: -(-n // labels) for split, n in zip(SPLITS, (TRAIN, OTHERS, OTHERS), strict=True)}
    part = Dataset(whole.folder)
    part.rows = rows.assign(split=rows["split"].where(place < rows["split"].map(most), LEFT_OUT))
    n = {split: int((part.rows["split"] == split).sum()) for split in SPLITS}
    part.info = whole.info.model_copy(update={"n": n, "fingerprint": whole.fingerprint[::-1]})
    part.cached_as = whole.cached_as
    return part


def prepared(task, strategy, case, store, **options):
    """The run of a strategy on a task's few examples, ready to be trained."""
    dataset, folder = case
    names = [*strategy.needs, *strategy.takes]
    given = {"data": {"dataset": dataset.fingerprint, **dict.fromkeys(names, dataset.fingerprint)}}
    spec = from_dict(
        {
            "task": task.id,
            "source": str(folder),
            "strategy": strategy.id,
            "baseline": "none",
            "seeds": 1,
            **given,
            "budget": {"epochs": 1},
            "options": {"batch_size": 8, "learning_rate": 1e-3},
            "strategy_options": options,
        }
    )
    source = models.open_source(spec.source, store)
    sets = dict.fromkeys(names, dataset)
    plan = flow.plan_for(spec, task, dataset, source, sets=sets)
    run = store.runs.create(spec, "local")
    watch = Watch(lambda *args, **more: None, store, run.id, plan)
    return TrainingContext(
        task,
        dataset,
        source,
        task.fit_target(dataset),
        plan,
        store.runs.folder(run.id),
        store.home / "cache",
        watch,
        sets,
    )


def state(model):
    """Every tensor, one that two layers share once."""
    held = (*model.named_parameters(), *model.named_buffers())
    return {name: value.detach().clone() for name, value in held}


@pytest.mark.parametrize(("task", "strategy"), PAIRS, ids=IDS)
def test_a_pair_trains_two_steps_or_is_refused_with_the_reason(task, strategy, cases, workspace, monkeypatch):
    case = cases(task)
    if reason := strategy.refuse(task, None):
        assert isinstance(reason, Sentence)
        with pytest.raises(UnusableInput, match=re.escape(str(reason))):
            prepared(task, strategy, case, workspace)
        return
    outcome = prepared(task, strategy, case, workspace)
    original, looked = loop.train, []

    def watched(training):
        before, last = state(training.model), {}

        def on_epoch(**values):
            last.update(state(training.model))

        model, phase = training.model, training.phase
        parts = task.parts(model)
        trained = loop.trained(parts, phase["trainable"])
        moving = {name for part in parts if part.name in trained for name in (*part.parameters, *part.buffers)}
        adapted = {f"{name}.weight" for name in fitting(model)} if _has(phase, "lora") else set()
        training.on_epoch = on_epoch
        done = original(training)
        after = state(model)
        assert set(after) == set(before), "the network leaves as a plain one"
        buffers = {name for part in parts for name in part.buffers}
        kept = buffers if phase["statistics"] == "kept" else set()
        still = set(before) - moving - adapted | kept
        moved = {name for name in before if not torch.equal(before[name], after[name])}
        assert not moved & still, f"frozen, and moved all the same: {sorted(moved & still)[:5]}"
        if not phase.get("hooks"):
            assert any(not torch.equal(before[n], last[n]) for n in moving & set(before)), "nothing was trained"
        looked.append(phase)
        return done

    monkeypatch.setattr(loop, "train", watched)
    result = fit.fit(outcome)["transfer"][0]
    assert len(looked) == sum(phase["kind"] == "train" for phase in outcome.plan["arms"]["transfer"]["phases"])
    found = scores(
        task, [task.evaluate(result.outputs("test"), outcome.examples["test"], outcome.target)], outcome.target
    )
    assert all(np.isfinite(values).all() for values in found.values())


def _has(phase, hook):
    return any(one["id"] == hook for one in phase.get("hooks", ()))


@pytest.mark.parametrize("strategy", [one for one in STRATEGIES if one.needs], ids=lambda one: one.id)
def test_a_set_that_is_missing_is_asked_for(strategy):
    assert isinstance(missing(strategy, Data(path="x")), Sentence)
    assert missing(strategy, Data(path="x", **dict.fromkeys(strategy.needs, "y"))) is None


def test_lora_is_refused_by_name_and_by_the_network_itself(cases, workspace, tmp_path):
    """On a network without attention: by its architecture's name where that tells, else when it is opened."""
    from tlcore.strategies import find as strategy_of
    from tlcore.strategies.contract import unsuited

    task = next(one for one in TASKS if "image" in one.source_families)
    dataset, _ = cases(task)
    folder = tiny_sources.write("image", tmp_path / "resnet", attention=False)
    lora = strategy_of("lora")
    assert unsuited(lora, models.open_source(str(folder), workspace).source) is not None
    with pytest.raises(UnusableInput, match="made for transformers"):
        prepared(task, lora, (dataset, folder), workspace)
    result = prepared(task, strategy_of("fine-tuning"), (dataset, folder), workspace)
    result.plan["arms"]["transfer"]["phases"][0]["hooks"] = [{"id": "lora", "rank": 2, "alpha": 4, "dropout": 0.0}]
    with pytest.raises(UnusableInput, match="no attention"):
        fit.fit(result)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda one: one.id)
def test_a_run_killed_in_any_of_its_phases_ends_the_same_and_repeats_no_phase(strategy, cases, workspace, monkeypatch):
    from safetensors.torch import load_file

    task = next(one for one in TASKS if "image" in one.source_families)
    calm = fit.fit(prepared(task, strategy, cases(task), workspace))["transfer"][0]
    expected = load_file(calm.weights / "model.safetensors")
    phases = prepared(task, strategy, cases(task), workspace).plan["arms"]["transfer"]["phases"]
    for fatal in [place for place, phase in enumerate(phases) if phase["kind"] == "train"]:
        outcome = prepared(task, strategy, cases(task), workspace)
        seen = _Deadly(outcome, fatal)
        monkeypatch.setattr(loop, "train", seen.train)
        with pytest.raises(KeyboardInterrupt):
            fit.fit(outcome)
        seen.fatal, seen.places = None, []
        result = fit.fit(outcome)["transfer"][0]
        assert min(seen.places) == fatal, "a phase before it was repeated"
        found = load_file(result.weights / "model.safetensors")
        assert all(torch.equal(expected[name], found[name]) for name in expected)
        monkeypatch.undo()


class _Deadly:
    """Trains, notes the phases that were really trained, and dies after the first epoch of one of them."""

    def __init__(self, result, fatal):
        self.phases = result.plan["arms"]["transfer"]["phases"]
        self.fatal, self.places, self.original = fatal, [], loop.train

    def train(self, training):
        place = next(at for at, phase in enumerate(self.phases) if phase is training.phase)

        def on_epoch(epoch, **values):
            self.places.append(place)
            if place == self.fatal and epoch == 1:
                raise KeyboardInterrupt

        training.on_epoch = on_epoch
        return self.original(training)
