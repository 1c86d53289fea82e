"""L2-SP: regularise weights towards their pretrained values instead of zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.training.hooks.contract import At

if TYPE_CHECKING:
    import torch

    from tlcore.training.phase import Training


class L2SP:
    """Adds ``strength`` / 2 times the squared distance of the trained weights below the head from their initial values.

    Li, Grandvalet & Davoine 2018, arXiv 1802.01483, equation 3, with beta left to weight decay: the head starts from
    random weights, so it has no starting point to stay near.
    """

    id = "l2-sp"
    what = sentence("a pull towards the weights they started from")

    def __init__(self, strength: float):
        self.strength = strength

    def begin(self, training: Training, device: str) -> None:
        head = set(training.task.parts(training.model)[-1].parameters)
        self.pairs = [
            (parameter, parameter.detach().clone())
            for name, parameter in training.model.named_parameters()
            if parameter.requires_grad and name not in head
        ]

    def loss(self, model: Any, batch: Any, given: Any, loss: torch.Tensor, at: At) -> torch.Tensor:
        if not self.pairs:
            return loss
        away = sum((parameter.float() - start.float()).square().sum() for parameter, start in self.pairs)
        return loss + 0.5 * self.strength * away
