"""Fine-tuning: all layers train, lower layers with smaller learning rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.strategies.contract import NO_SETS, PlanContext, train_phase
from tlcore.strategies.options import Option

if TYPE_CHECKING:
    from tlcore.core.spec_parts import Data
    from tlcore.tasks.contract import Task


class FineTuning:
    id = "fine-tuning"
    title = sentence("Fine-tuning")
    what = sentence(
        "All layers are trained on, starting from the source model's weights; layers nearer to the input move more "
        "slowly (layer-wise learning rates)."
    )
    helps = sentence("Hundreds of examples or more, or data that differ from the source's.")
    hurts = sentence(
        "With few examples it over-fits, and a new random head, where there is one, first pulls good features "
        "out of shape."
    )
    paper = "Yosinski et al. 2014, arXiv 1411.1792; Howard & Ruder 2018, arXiv 1801.06146"
    pretrained = True
    rates = (1e-4, 4e-4, 1.6e-3)
    options = (
        Option(
            "pull_to_source",
            sentence("Pull towards the source model"),
            sentence("How strongly weights are pulled back to those of the source model (L2-SP); 0 is not at all."),
            0.0,
            0.0,
            1.0,
        ),
        Option(
            "soup",
            sentence("Average of the best epochs"),
            sentence(
                "Average the weights of the three best epochs, where that is better on validation data (model soup)."
            ),
            False,
        ),
    )
    needs = takes = NO_SETS
    tests_on = None
    ablation = None
    in_pilot = True
    unfit = ()

    def refuse(self, task: Task, data: Data | None) -> None:
        return None

    def phases(self, context: PlanContext) -> list[dict[str, Any]]:
        return [train_phase(context, layer_decay=0.75, hooks=optional_hooks(context))]


def optional_hooks(context: PlanContext) -> list[dict[str, Any]]:
    """The hooks requested by the options."""
    hooks: list[dict[str, Any]] = []
    if strength := context.options.get("pull_to_source"):
        hooks.append({"id": "l2-sp", "strength": strength})
    if context.options.get("soup"):
        hooks.append({"id": "soup", "most": 3})
    return hooks
