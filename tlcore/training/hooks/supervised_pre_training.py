"""Supervised pre-training on the labels of an auxiliary dataset, with a head that is discarded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.training.hooks.contract import At

if TYPE_CHECKING:
    import torch

    from tlcore.data.dataset import Dataset
    from tlcore.training.context import TrainingContext
    from tlcore.training.phase import Training


class Supervised:
    """Cross-entropy over the labels of the phase's stream, with a new linear head on the features.

    Sharif Razavian et al. 2014, arXiv 1403.6382, and Kolesnikov et al. 2020, arXiv 1912.11370, on the value of such
    features.
    """

    id = "supervised"
    what = sentence("telling the labels of the second set")
    source_families = ("image", "text")
    views = 1
    most = 30

    @staticmethod
    def stream(context: TrainingContext, dataset: Dataset) -> Any:
        """The examples of the dataset with its own labels, which may differ from the target task's."""
        target = context.task.fit_target(dataset)
        return context.task.examples(dataset, context.processor, target, context.cache / "pictures", context.source)[
            "train"
        ]

    def begin(self, training: Training, device: str) -> None:
        from torch import nn

        self.task = training.task
        labels = self.task.fit_target(training.sets[training.phase["stream"]])["labels"]
        self.head = nn.Linear(training.model.head.in_features, len(labels)).to(device)

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        return self.head.parameters()

    def loss(self, model: Any, batch: Any, given: Any, loss: torch.Tensor, at: At) -> torch.Tensor:
        from torch.nn import functional

        logits = self.head(self.task.features(model, batch))
        return loss + functional.cross_entropy(logits.float(), batch["labels"])

    def state_dict(self) -> dict[str, Any]:
        return dict(self.head.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.head.load_state_dict(state)
