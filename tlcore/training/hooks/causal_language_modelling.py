"""Causal language modelling: predict each token of a text from the tokens before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.training.hooks.contract import At

if TYPE_CHECKING:
    import torch

    from tlcore.data.dataset import Dataset
    from tlcore.training.context import TrainingContext
    from tlcore.training.phase import Training


class Causal:
    """The causal model's usual loss on texts without prompts: domain-adaptive pre-training.

    Gururangan et al. 2020, arXiv 2004.10964; Radford et al. 2018 for the objective.
    """

    id = "causal"
    what = sentence("going on with texts")
    source_families = ("causal",)
    views = 1
    most = 20

    @staticmethod
    def stream(context: TrainingContext, dataset: Dataset) -> Any:
        """The plain texts of the dataset with every token scored, whatever the format of the target task's examples."""
        processor = {**context.processor, "form": "plain"}
        return context.task.examples(dataset, processor, context.target, context.cache / "pictures", context.source)[
            "train"
        ]

    def begin(self, training: Training, device: str) -> None:
        self.task = training.task

    def loss(self, model: Any, batch: Any, given: Any, loss: torch.Tensor, at: At) -> torch.Tensor:
        return loss + self.task.loss(model, batch)[0]
