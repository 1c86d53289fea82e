"""From scratch: the same architecture with random weights; the scratch baseline of every transfer run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.strategies.contract import NO_SETS, PlanContext, train_phase

if TYPE_CHECKING:
    from tlcore.core.spec_parts import Data
    from tlcore.tasks.contract import Task


class Scratch:
    id = "scratch"
    title = sentence("From scratch")
    what = sentence("The same network with random weights learns from your data alone; nothing is transferred.")
    helps = sentence("Very many examples, or data so unlike the source's that its features mislead.")
    hurts = sentence("With few examples there is not enough to learn good features from.")
    paper = "He, Girshick & Dollár 2019, Rethinking ImageNet pre-training, arXiv 1811.08883"
    pretrained = False
    rates = (4e-4, 1.6e-3, 6.4e-3)
    options = ()
    needs = takes = NO_SETS
    tests_on = None
    ablation = None
    in_pilot = False  # unless a pilot asks for it
    unfit = ()

    def refuse(self, task: Task, data: Data | None) -> None:
        return None

    def phases(self, context: PlanContext) -> list[dict[str, Any]]:
        return [train_phase(context)]
