"""Gradual unfreezing: train the head first, then more and more layers from the head down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.strategies.contract import NO_SETS, PlanContext, head_phases, train_phase
from tlcore.strategies.options import Option

if TYPE_CHECKING:
    from tlcore.core.spec_parts import Data
    from tlcore.tasks.contract import Task

HEAD = 0.2  # share of the epochs for a head that is trained


class GradualUnfreezing:
    id = "gradual-unfreezing"
    title = sentence("Gradual unfreezing")
    what = sentence(
        "First a new head is fitted, where there is one; then the last layers are trained, then ever more, until all "
        "are; lower layers move more slowly."
    )
    helps = sentence(
        "Texts above all, and tens to hundreds of examples (of each class, where there are classes): the "
        "general layers are disturbed last."
    )
    hurts = sentence("It takes as long as fine-tuning, and each stage has a part of the epochs only.")
    paper = "Howard & Ruder 2018, ULMFiT, arXiv 1801.06146"
    pretrained = True
    rates = (1e-4, 4e-4, 1.6e-3)
    options = (
        Option(
            "stages", sentence("Stages"), sentence("In how many steps the layers below the head are unfrozen."), 3, 2, 6
        ),
    )
    needs = takes = NO_SETS
    tests_on = None
    ablation = None
    in_pilot = False
    unfit = ()

    def refuse(self, task: Task, data: Data | None) -> None:
        return None

    def phases(self, context: PlanContext) -> list[dict[str, Any]]:
        """The phases. Batch norm keeps the source's statistics, since the head was fitted on them."""
        stages = int(context.options["stages"])
        each = {
            "layer_decay": 0.75,
            "statistics": "kept",
            "share": (1 if context.has_convex_head else 1 - HEAD) / stages,
        }
        shares = [*(stage / stages for stage in range(1, stages)), "all"]
        first = head_phases(context, share=HEAD) if context.has_new_head else []
        return [*first, *(train_phase(context, trainable=one, **each) for one in shares)]
