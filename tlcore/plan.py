"""The Plan: everything that a run does, as JSON, made before the first step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tlcore.evaluation.records import Metric
from tlcore.spec import Spec
from tlcore.strategies import find
from tlcore.strategies.contract import PlanContext, Strategy, resolved
from tlcore.training.workload import epochs_of

VERSION = 1


def make_plan(
    spec: Spec, strategy_id: str, context: PlanContext, processor: dict[str, Any], metric: Metric
) -> dict[str, Any]:
    """Resolve a strategy for this data and machine.

    The scratch baseline has the fine-tuning plan's epochs, early stopping and number of learning-rate trials for every
    transfer strategy, so that transfer does not win by a smaller baseline budget. ``budget.baseline`` increases it.
    Raises ValueError for a wrong option, UnusableInput if the strategy refuses.
    """
    strategy, scratch = find(strategy_id), find("scratch")
    options = resolved(strategy, spec.strategy_options)
    compared = spec.baseline == "scratch" and strategy.id != "scratch"
    arms = {"transfer": _arm(strategy, replace(context, options=options), spec.budget.minutes)}
    if compared:
        arms |= _ablation(strategy, context, options, spec.budget.minutes)
        arms |= _single_task_baselines(strategy, context, arms["transfer"], spec.budget.minutes)
        arms["twin"] = _scratch_baseline(scratch, context, spec.budget.minutes, spec.budget.baseline)
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
    # a head alone is new; the encoder's rate does not apply
    scale = context.rate if strategy.pretrained and body else 1.0
    rates = (context.learning_rate,) if context.learning_rate else tuple(rate * scale for rate in strategy.rates)
    return {
        "strategy": strategy.id,
        "pretrained": strategy.pretrained,
        "phases": phases,
        "rates": list(rates) if gradient else [],
        "trial_epochs": max(2, round(context.most_epochs / 4)) if gradient and len(rates) > 1 else 0,
        "minutes": minutes,
    }


def _ablation(
    strategy: Strategy, context: PlanContext, options: dict[str, Any], minutes: float | None
) -> dict[str, dict[str, Any]]:
    """The ablation arm of a strategy; empty if it has no ablation or already equals it."""
    if strategy.ablation is None:
        return {}
    other = find(strategy.ablation.strategy)
    chosen = {name: value for name, value in options.items() if other.id == strategy.id}
    less = resolved(other, {**chosen, **strategy.ablation.options})
    if (other.id, less) == (strategy.id, options):
        return {}
    arm = _arm(other, replace(context, options=less), minutes)
    return {"plainer": {**arm, "title": strategy.ablation.title.model_dump()}}


def _single_task_baselines(
    strategy: Strategy, context: PlanContext, transfer: dict[str, Any], minutes: float | None
) -> dict[str, dict[str, Any]]:
    """One single-task baseline arm for each auxiliary task, trained with the strategy of the ablation."""
    auxiliary = [
        name for phase in transfer["phases"] for hook in phase.get("hooks", ()) for name in hook.get("sides", ())
    ]
    if not auxiliary or strategy.ablation is None:
        return {}
    other = find(strategy.ablation.strategy)
    arm = _arm(other, replace(context, options=resolved(other, strategy.ablation.options)), minutes)
    return {f"alone-{number}": {**arm, "side": name} for number, name in enumerate(auxiliary)}


def _scratch_baseline(scratch: Strategy, context: PlanContext, minutes: float | None, times: float) -> dict[str, Any]:
    """The arm of the scratch baseline.

    ``times`` > 1 multiplies its epochs, patience and minutes; the learning-rate search does not change.
    """
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
