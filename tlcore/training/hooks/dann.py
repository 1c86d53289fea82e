"""DANN: train features on which a discriminator cannot separate the domains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.training.hooks.contract import At
from tlcore.training.hooks.domain_batches import Domains, discriminator, ramp, reversed_gradient

if TYPE_CHECKING:
    import torch

    from tlcore.training.phase import Training


class Dann:
    """Adds the loss of a domain discriminator behind a gradient reversal whose strength rises to ``weight``.

    Ganin et al. 2016, arXiv 1505.07818.
    """

    id = "dann"
    what = sentence("features by which the domains cannot be told apart (DANN)")

    def __init__(self, weight: float):
        self.weight = weight

    def begin(self, training: Training, device: str) -> None:
        self.domains = Domains(training, device)
        self.net = discriminator(self.domains.width).to(device)

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        return self.net.parameters()

    def loss(self, model: Any, batch: Any, given: Any, loss: torch.Tensor, at: At) -> torch.Tensor:
        seen = self.domains.see(model, batch, given, at)
        strength = self.weight * ramp(at.share)
        guesses = [self.net(reversed_gradient(rows, strength)).float() for rows in (seen.source, seen.target)]
        return loss + domain_loss(*guesses)

    def state_dict(self) -> dict[str, Any]:
        return {"net": self.net.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])

    def end(self, model: Any) -> None:
        self.domains.close()


def domain_loss(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The mean binary cross-entropy of a discriminator's logits (n, 1) and (m, 1), half for each domain."""
    from torch.nn.functional import softplus

    return 0.5 * (softplus(-source).mean() + softplus(target).mean())
