"""The Plan: everything that will be done, as JSON, before the first step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tlcore.spec import Spec
from tlcore.strategies import find
from tlcore.strategies.contract import PlanContext, Strategy
from tlcore.strategies.options import resolved
from tlcore.tasks.contract import Metric

VERSION = 1


def make_plan(spec: Spec, strategy_id: str, context: PlanContext, processor: dict[str, Any],
              metric: Metric) -> dict[str, Any]:  # fmt: skip
    """Resolve a strategy for this data and machine.

    The twin has the fine-tuning plan's epochs, early stopping and number of learning-rate trials, whatever the
    transfer strategy is, so that transfer never wins because the twin was kept short; ``budget.twin`` gives it more.
    """
    strategy, scratch = find(strategy_id), find("scratch")
    options = resolved(strategy, spec.strategy_options)
    compared = spec.baseline == "scratch" and strategy.id != "scratch"
    arms = {"transfer": _arm(strategy, replace(context, options=options), spec.budget.minutes)}
    if compared:
        arms |= _plainer(strategy, context, options, spec.budget.minutes)
        arms |= _alone(strategy, context, arms["transfer"], spec.budget.minutes)
        arms["twin"] = _twin(scratch, context, spec.budget.minutes, spec.budget.twin)
    return {
        "version": VERSION,
        "strategy": strategy.id,
        "requested_strategy": spec.strategy,
        "options": options,
        "metric": metric.id,
        "arms": arms,
        "seeds": spec.seeds,
        "batch_size": context.batch,
        "n_train": context.n_train,
        "parameters": context.parameters,
        "side": context.size,
        "modality": context.modality,
        "device": context.device,
        "processor": processor,
    }


def _arm(strategy: Strategy, context: PlanContext, minutes: float | None) -> dict[str, Any]:
    phases = strategy.phases(context)
    gradient = [phase for phase in phases if phase["kind"] == "train" and not phase.get("once")]
    body = any(phase["trainable"] != "head" or phase.get("hooks") for phase in gradient)
    scale = context.rate if strategy.pretrained and body else 1.0  # a head alone is fresh, whatever the encoder bears
    rates = (context.learning_rate,) if context.learning_rate else tuple(rate * scale for rate in strategy.rates)
    return {
        "strategy": strategy.id,
        "pretrained": strategy.pretrained,
        "phases": phases,
        "rates": list(rates) if gradient else [],
        "trial_epochs": max(2, round(context.most_epochs / 4)) if gradient and len(rates) > 1 else 0,
        "minutes": minutes,
    }


def _plainer(strategy: Strategy, context: PlanContext, options: dict[str, Any],
             minutes: float | None) -> dict[str, dict[str, Any]]:  # fmt: skip
    """The arm without what is special about a strategy; none where it has no such thing, or is that already."""
    if strategy.plainer is None:
        return {}
    other = find(strategy.plainer.strategy)
    chosen = {name: value for name, value in options.items() if other.id == strategy.id}
    less = resolved(other, {**chosen, **strategy.plainer.options})
    if (other.id, less) == (strategy.id, options):
        return {}
    arm = _arm(other, replace(context, options=less), minutes)
    return {"plainer": {**arm, "title": strategy.plainer.title.model_dump()}}


def _alone(strategy: Strategy, context: PlanContext, transfer: dict[str, Any],
           minutes: float | None) -> dict[str, dict[str, Any]]:  # fmt: skip
    """One arm for each side task of a strategy: that task learned alone, as the plainer arm learns the target's."""
    sides = [name for phase in transfer["phases"] for hook in phase.get("hooks", ()) for name in hook.get("sides", ())]
    if not sides or strategy.plainer is None:
        return {}
    other = find(strategy.plainer.strategy)
    arm = _arm(other, replace(context, options=resolved(other, strategy.plainer.options)), minutes)
    return {f"alone-{number}": {**arm, "side": name} for number, name in enumerate(sides)}


def _twin(scratch: Strategy, context: PlanContext, minutes: float | None, times: float) -> dict[str, Any]:
    """The twin's arm. A longer budget stretches its trainings and their patience; the search of its rate stays."""
    arm = _arm(scratch, context, minutes)
    if times == 1:
        return arm
    longer = replace(context, epochs=max(1, round(times * context.most_epochs)))
    return {
        **arm,
        "phases": scratch.phases(longer),
        "minutes": None if minutes is None else times * minutes,
        "budget": times,
        "ordinary_epochs": epochs_of(arm),
    }


def epochs_of(arm: dict[str, Any]) -> int:
    """Epochs at most in one training of an arm, over its phases; those that are done once for all are not counted."""
    return sum(phase["epochs"] for phase in arm["phases"] if phase["kind"] == "train" and not phase.get("once"))


def passes_once(plan: dict[str, Any], phase: dict[str, Any]) -> float:
    """The work of a phase that is done once, in passes over the training set."""
    return phase["epochs"] * phase["examples"] * phase["views"] / max(1, plan["n_train"])


def work_of(plan: dict[str, Any], arm: str) -> float:
    """The most work of an arm, in passes over the training set (forward and backward); for progress and time left."""
    told = plan["arms"][arm]
    passes = sum({"extract": 0.6, "solve": 0.2}.get(phase["kind"], 0.0) for phase in told["phases"])
    passes += sum(passes_once(plan, phase) for phase in told["phases"] if phase.get("once"))
    epochs = epochs_of(told)
    if epochs:
        passes += len(told["rates"]) * told["trial_epochs"] + plan["seeds"] * epochs
    return passes


def guess_seconds(plan: dict[str, Any], cores: int) -> float:
    """A rough guess of the time of both arms, all seeds: from the passes at most, an example's work and model size.

    It starts from about 60 MobileNet-sized pictures of 224 px a second, forward and backward, on two CPU cores, and
    2,500 on a GPU.
    """
    speed = 2_500.0 if plan["device"] == "cuda" else 30.0 * max(1, cores)
    each = (plan.get("side", plan["processor"]["size"]) / 224) ** 2 * max(0.3, plan["parameters"] / 3.5e6) ** 0.5
    passes = 0.0
    for name, arm in plan["arms"].items():
        passes += work_of(plan, name) * max((phase.get("cost", 1.0) for phase in arm["phases"]), default=1.0)
    return 15 + passes * plan["n_train"] * each / speed
