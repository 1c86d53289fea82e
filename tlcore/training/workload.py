"""The work of a Plan: epochs, passes over the training set, seconds; and the titles of its arms."""

from __future__ import annotations

from typing import Any

from tlcore.core.i18n import Sentence, sentence

ARMS = {
    "transfer": sentence("transfer"),
    "plainer": sentence("ablation"),
    "twin": sentence("from-scratch twin"),
}


def arm_in_words(plan: dict[str, Any], arm: str) -> Sentence:
    """The title of an arm."""
    return ARMS.get(arm) or sentence("{task} learned alone", task=plan["arms"][arm]["side"])


def epochs_of(arm: dict[str, Any]) -> int:
    """The maximum of epochs in one training of an arm, over its phases, without shared pre-training."""
    return sum(phase["epochs"] for phase in arm["phases"] if phase["kind"] == "train" and not phase.get("once"))


def passes_once(plan: dict[str, Any], phase: dict[str, Any]) -> float:
    """The work of a shared phase, in passes over the training set."""
    return phase["epochs"] * phase["examples"] * phase["views"] / max(1, plan["n_train"])


def work_of(plan: dict[str, Any], arm: str) -> float:
    """The maximum work of an arm, in passes over the training set (forward and backward); for progress."""
    arm_plan = plan["arms"][arm]
    passes = sum({"extract": 0.6, "solve": 0.2}.get(phase["kind"], 0.0) for phase in arm_plan["phases"])
    passes += sum(passes_once(plan, phase) for phase in arm_plan["phases"] if phase.get("once"))
    epochs = epochs_of(arm_plan)
    if epochs:
        passes += len(arm_plan["rates"]) * arm_plan["trial_epochs"] + plan["seeds"] * epochs
    return passes


def guess_seconds(plan: dict[str, Any], cores: int) -> float:
    """A rough estimate in seconds for all arms and seeds, from the maximum of passes, example size and model size.

    Based on about 60 MobileNet-sized pictures of 224 px per second, forward and backward, on two CPU cores, and 2,500
    on a GPU.
    """
    speed = 2_500.0 if plan["device"] == "cuda" else 30.0 * max(1, cores)
    each = (plan.get("side", plan["processor"]["size"]) / 224) ** 2 * max(0.3, plan["parameters"] / 3.5e6) ** 0.5
    passes = 0.0
    for name, arm in plan["arms"].items():
        passes += work_of(plan, name) * max((phase.get("cost", 1.0) for phase in arm["phases"]), default=1.0)
    return 15 + passes * plan["n_train"] * each / speed
