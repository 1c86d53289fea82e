"""Contrastive tuning, then a head: few labels move the features by pairs, and a linear head is fitted on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import Sentence, say
from tlcore.strategies.contract import NO_SETS, PlanContext, extract_phase, solve_phase, train_phase

if TYPE_CHECKING:
    from tlcore.core.spec_parts import Data
    from tlcore.tasks.contract import Task


class ContrastiveThenHead:
    id = "contrastive-then-head"
    title = say("Contrastive tuning, then a head")
    what = say(
        "The source model first learns to draw examples of one class together and to drive others apart, from pairs "
        "of them; then a linear head is fitted on its new features."
    )
    helps = say("A few labels a class, sentence encoders above all: every pair of examples teaches something.")
    hurts = say("With many labels it gains nothing over fine-tuning; classes that are no groups of like things.")
    paper = "Tunstall et al. 2022, SetFit, arXiv 2209.11055"
    pretrained = True
    rates = (4e-5, 1.6e-4)
    options = ()
    needs = takes = NO_SETS
    tests_on = None
    plainer = None
    races = False
    unfit = ()

    def refuse(self, task: Task, data: Data | None) -> Sentence | None:
        if task.solves and task.labelled:
            return None
        return say("It needs examples that have one class each, and a head that can be fitted on features.")

    def phases(self, context: PlanContext) -> list[dict[str, Any]]:
        tuning = train_phase(context, layer_decay=0.75, share=0.5, hooks=[{"id": "contrastive"}])
        return [tuning, extract_phase(), solve_phase()]
