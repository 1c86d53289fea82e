"""Shared pre-training in a report: its loss curve and its notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import Sentence, sentence
from tlcore.report.curves import Series
from tlcore.training.shared_phases import TRIAL

if TYPE_CHECKING:
    import pandas as pd

TITLE = sentence("Loss of pre-training")


def points_of(points: pd.DataFrame) -> pd.DataFrame:
    """The points of pre-training that have a loss, by phase and epoch; an empty frame if there are none."""
    if points.empty or "train_loss" not in points:
        return points[:0]
    return points[(points["trial"] == TRIAL) & points["train_loss"].notna()].sort_values(["phase", "epoch"])


def series(points: pd.DataFrame) -> list[Series]:
    """The loss curve of pre-training: at most one, since pre-training is shared by all seeds."""
    own = points_of(points)
    if own.empty:
        return []
    return [Series("transfer", 0, [float(v) for v in own["epoch"]], [float(v) for v in own["train_loss"]])]


def in_words(pre_training: dict[str, Any]) -> list[Sentence]:
    """Notes of a report on shared pre-training (see `training.shared_phases.begin_with`); empty if there was none."""
    if not pre_training:
        return []
    found = [
        sentence(
            "Pre-trained once, for all seeds: {epochs} epochs over {n} examples of {name} in {seconds} seconds, which "
            "are counted once; its loss went from {first} to {last}.",
            epochs=pre_training["epochs"],
            n=pre_training["examples"],
            name=pre_training["set"],
            seconds=round(pre_training["seconds"], 1),
            first=round(pre_training["losses"][0], 3),
            last=round(pre_training["losses"][-1], 3),
        ),
        sentence(
            "The from-scratch twin saw none of these examples: the difference tells what they and the source bring "
            "together. What they bring alone is the difference to training without pre-training, where that was made."
        ),
        sentence(
            "Seeds differ in the fine-tuning alone: the interval does not count what another pre-training would have "
            "changed."
        ),
    ]
    if pre_training["start"] == "random":
        found.append(
            sentence("Pre-training began with random weights: of the source model only the architecture was used.")
        )
    if pre_training["left_out"]:
        found.append(
            sentence(
                "{n} examples of the auxiliary dataset are validation or test examples of this run as well and were "
                "left out of pre-training.",
                n=pre_training["left_out"],
            )
        )
    if not pre_training["source"]:
        found.append(
            sentence(
                "The pre-trained network cannot be kept as a source model of its own: this architecture "
                "cannot be without its head."
            )
        )
    return [*found, *(Sentence.model_validate(note) for note in pre_training["notes"])]
