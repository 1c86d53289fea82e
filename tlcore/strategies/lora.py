"""LoRA: the source model is frozen; small adapters in its attention layers, and the head, are trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.strategies.contract import NO_SETS, PlanContext, train_phase
from tlcore.strategies.options import Option

if TYPE_CHECKING:
    from tlcore.core.spec_parts import Data
    from tlcore.tasks.contract import Task


class LoRA:
    id = "lora"
    title = sentence("LoRA")
    what = sentence(
        "The source model is frozen. Small adapters beside its attention layers are trained, with the head where one "
        "is new: a few per cent of the weights at most. They are merged into it at the end."
    )
    helps = sentence("Large transformers on small machines; it nearly keeps up with fine-tuning and forgets less.")
    hurts = sentence("Where the data are very unlike the source's; and networks without attention cannot have it.")
    paper = "Hu et al. 2021, arXiv 2106.09685"
    pretrained = True
    rates = (4e-4, 1.6e-3, 6.4e-3)
    options = (
        Option(
            "rank",
            sentence("Rank"),
            sentence("Width of the adapters: wider ones learn more, and take more memory."),
            8,
            1,
            64,
        ),
        Option(
            "alpha",
            sentence("Alpha"),
            sentence("How strongly the adapters count: they are multiplied by alpha over rank."),
            16.0,
            1.0,
            128.0,
        ),
        Option(
            "dropout",
            sentence("Dropout of the adapters"),
            sentence("Share of their inputs that is left out while training."),
            0.05,
            0.0,
            0.5,
        ),
    )
    needs = takes = NO_SETS
    tests_on = None
    ablation = None
    in_pilot = False
    unfit = (
        "resnet",
        "resnext",
        "mobilenet",
        "efficientnet",
        "convnext",
        "squeezenet",
        "regnet",
        "densenet",
        "vgg",
        "inception",
    )

    def refuse(self, task: Task, data: Data | None) -> None:
        return None

    def phases(self, context: PlanContext) -> list[dict[str, Any]]:
        trainable = "head" if context.has_new_head and not context.has_native_head else "nothing"
        return [train_phase(context, trainable=trainable, hooks=[{"id": "lora", **context.options}])]
