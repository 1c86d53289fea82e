"""MCC: minimise class confusion on the target domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.training.hooks.contract import At
from tlcore.training.hooks.domain_batches import Domains

if TYPE_CHECKING:
    import torch

    from tlcore.training.phase import Training

TEMPERATURE = 2.5


class Mcc:
    """Adds ``weight`` times the minimum class confusion on the target domain (Jin et al. 2020, arXiv 1912.03699)."""

    id = "mcc"
    what = sentence("no classes taken for each other in the target domain (MCC)")

    def __init__(self, weight: float):
        self.weight = weight

    def begin(self, training: Training, device: str) -> None:
        self.domains = Domains(training, device)

    def loss(self, model: Any, batch: Any, given: Any, loss: torch.Tensor, at: At) -> torch.Tensor:
        return loss + self.weight * confusion(self.domains.see(model, batch, given, at).target_logits)

    def end(self, model: Any) -> None:
        self.domains.close()


def confusion(logits: torch.Tensor) -> torch.Tensor:
    """The class confusion of logits (n, classes), a scalar: equations 2 to 6 of the paper.

    Probabilities are softened by `TEMPERATURE` and weighted by their certainty.
    """
    n, classes = logits.shape
    shares = (logits / TEMPERATURE).softmax(dim=1)
    entropy = -(shares * (shares + 1e-5).log()).sum(dim=1)
    weight = 1 + (-entropy.detach()).exp()
    weight = n * weight / weight.sum()
    together = (shares * weight[:, None]).T @ shares
    together = together / together.sum(dim=1, keepdim=True)
    return (together.sum() - together.diagonal().sum()) / classes
