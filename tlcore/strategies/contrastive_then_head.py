"""Contrastive tuning, then a head: train the features on pairs of labelled examples, then fit a linear head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import Sentence, sentence
from tlcore.strategies.contract import NO_SETS, PlanContext, extract_phase, solve_phase, train_phase

if TYPE_CHECKING:
    from tlcore.core.spec_parts import Data
    from tlcore.tasks.contract import Task


class ContrastiveThenHead:
    id = "contrastive-then-head"
    title = sentence("Contrastive tuning, then a head")
    what = sentence(
        "The source model first learns to draw examples of one class together and to drive others apart, from pairs "
        "of them; then a linear head is fitted on its new features."
    )
    helps = sentence("A few labels a class, sentence encoders above all: every pair of examples teaches something.")
    hurts = sentence("With many labels it gains nothing over fine-tuning; classes that are no groups of like things.")
    paper = "Tunstall et al. 2022, SetFit, arXiv 2209.11055"
    pretrained = True
    rates = (4e-5, 1.6e-4)
    options = ()
    needs = takes = NO_SETS
    tests_on = None
    ablation = None
    in_pilot = False
    unfit = ()

    def refuse(self, task: Task, data: Data | None) -> Sentence | None:
        if task.has_convex_head and task.labelled:
            return None
        return sentence("It needs examples that have one class each, and a head that can be fitted on features.")

    def phases(self, context: PlanContext) -> list[dict[str, Any]]:
        tuning = train_phase(context, layer_decay=0.75, share=0.5, hooks=[{"id": "contrastive"}])
        return [tuning, extract_phase(), solve_phase()]
