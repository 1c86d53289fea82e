"""The Plan: JSON, the same for the same Spec, and with a twin that is not kept short."""

from __future__ import annotations

import json

import pytest

from tlcore import tasks
from tlcore.core.i18n import t
from tlcore.core.spec_parts import Data
from tlcore.plan import make_plan
from tlcore.spec import Spec
from tlcore.strategies import STRATEGIES
from tlcore.strategies.contract import PlanContext
from tlcore.strategies.phase_text import phases_in_words
from tlcore.training.workload import epochs_of, guess_seconds, work_of

METRIC = tasks.find("image-classification").metrics[0]


def plan(strategy, **changes):
    spec = Spec(task="image-classification", data=Data(path="x"), strategy=strategy, **changes)
    context = PlanContext(
        n_train=200,
        size=64,
        parameters=3_500_000,
        device="cpu",
        epochs=None,
        batch_size=None,
        learning_rate=None,
        auxiliary=("size",),
    )
    return make_plan(spec, strategy, context, {"size": 64}, METRIC)


@pytest.mark.parametrize("strategy", [s.id for s in STRATEGIES])
def test_a_plan_is_json_and_is_said_in_words(strategy):
    result = plan(strategy)
    assert json.loads(json.dumps(result)) == result
    assert work_of(result, "transfer") > 0
    assert guess_seconds(result, 2) > 0
    for arm in result["arms"].values():
        for phase in phases_in_words(arm):
            assert t(phase["title"])


@pytest.mark.parametrize("strategy", ["feature-extraction", "fine-tuning", "linear-probe-then-fine-tune"])
def test_the_twin_has_the_budget_of_fine_tuning_whatever_the_strategy(strategy):
    twin, tuned = plan(strategy)["arms"]["twin"], plan("fine-tuning")["arms"]["transfer"]
    assert epochs_of(twin) == epochs_of(tuned)
    assert len(twin["rates"]) == len(tuned["rates"])
    assert twin["trial_epochs"] == tuned["trial_epochs"]
    assert twin["phases"][-1]["patience"] == tuned["phases"][-1]["patience"]
    assert not twin["pretrained"]


def test_scratch_has_no_twin_and_a_refused_baseline_has_none():
    assert "twin" not in plan("scratch")["arms"]
    assert "twin" not in plan("fine-tuning", baseline="none")["arms"]


def test_a_learning_rate_that_was_asked_for_is_not_searched():
    context = PlanContext(200, 64, 3_500_000, "cpu", 5, None, 1e-3)
    spec = Spec(task="image-classification", data=Data(path="x"), strategy="fine-tuning")
    arm = make_plan(spec, "fine-tuning", context, {"size": 64}, METRIC)["arms"]["transfer"]
    assert arm["rates"] == [1e-3]
    assert arm["trial_epochs"] == 0
    assert epochs_of(arm) == 5


@pytest.mark.parametrize("n", [4, 30, 100, 300, 5_000, 100_000])
def test_defaults_are_sensible_at_every_size(n):
    context = PlanContext(n, 224, 25_000_000, "cpu", None, None, None)
    assert 8 <= context.most_epochs <= 40
    assert 8 <= context.batch <= 32
    assert context.batch & (context.batch - 1) == 0
