"""Linear probe, then fine-tune: the head is fitted first, so that fine-tuning starts from a suitable head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import Sentence, sentence
from tlcore.strategies.contract import NO_SETS, PlanContext, has_nothing_new, head_phases, train_phase

if TYPE_CHECKING:
    from tlcore.core.spec_parts import Data
    from tlcore.tasks.contract import Task


class LinearProbeThenFineTune:
    id = "linear-probe-then-fine-tune"
    title = sentence("Linear probe, then fine-tune")
    what = sentence(
        "First the head alone is fitted on the frozen model; then all layers are fine-tuned gently from there."
    )
    helps = sentence(
        "Tens to hundreds of examples (of each class, where there are classes); it keeps good features and "
        "holds up better on unusual data."
    )
    hurts = sentence("Little is gained over feature extraction with very few examples, and it takes longer.")
    paper = "Kumar et al. 2022, arXiv 2202.10054"
    pretrained = True
    rates = (1e-4, 4e-4, 1.6e-3)
    options = ()
    needs = takes = NO_SETS
    tests_on = None
    ablation = None
    in_pilot = True
    unfit = ()

    def refuse(self, task: Task, data: Data | None) -> Sentence | None:
        return has_nothing_new(task)

    def phases(self, context: PlanContext) -> list[dict[str, Any]]:
        gently = train_phase(context, layer_decay=0.75, scale=0.25, statistics="kept")
        return [*head_phases(context, share=0.25), gently]
