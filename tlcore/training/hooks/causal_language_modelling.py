"""Causal language modelling: each token of a text is to be told from those before it."""

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
    """The loss that a network which writes has anyway, on texts without prompts: domain-adaptive pre-training where the
    network already writes (Gururangan et al. 2020, arXiv 2004.10964; Radford et al. 2018 on the objective).
    """

    id = "causal"
    what = sentence("going on with texts")
    source_families = ("causal",)
    views = 1
    most = 20

    @staticmethod
    def stream(context: TrainingContext, dataset: Dataset) -> Any:
        """Its texts as they are, all of each scored, whatever the form of the target task's examples."""
        processor = {**context.processor, "form": "plain"}
        return context.task.examples(dataset, processor, context.target, context.cache / "pictures", context.source)[
            "train"
        ]

    def begin(self, training: Training, device: str) -> None:
        self.task = training.task

    def loss(self, model: Any, batch: Any, given: Any, loss: torch.Tensor, at: At) -> torch.Tensor:
        return loss + self.task.loss(model, batch)[0]
