"""Deep CORAL: align the covariances of the outputs on both domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.training.hooks.contract import At
from tlcore.training.hooks.domain_batches import Domains

if TYPE_CHECKING:
    import torch

    from tlcore.training.phase import Training


class Coral:
    """Adds ``weight`` times the distance of the logits' covariances on both domains.

    The paper uses its last layer, too (Sun & Saenko 2016, Deep CORAL, arXiv 1607.01719). On wide features, its divisor
    4 d² would make the loss negligible.
    """

    id = "coral"
    what = sentence("the same covariances in both domains (Deep CORAL)")

    def __init__(self, weight: float):
        self.weight = weight

    def begin(self, training: Training, device: str) -> None:
        self.domains = Domains(training, device)

    def loss(self, model: Any, batch: Any, given: Any, loss: torch.Tensor, at: At) -> torch.Tensor:
        seen = self.domains.see(model, batch, given, at)
        return loss + self.weight * distance(seen.source_logits, seen.target_logits)

    def end(self, model: Any) -> None:
        self.domains.close()


def distance(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """‖C_s - C_t‖² / (4 d²) of rows (n, d) and (m, d), with the Frobenius norm: equation 1 of the paper."""

    def covariance(rows: torch.Tensor) -> torch.Tensor:
        centred = rows - rows.mean(dim=0)
        return centred.T @ centred / (len(rows) - 1)

    if min(len(source), len(target)) < 2:
        return 0.0 * (source.sum() + target.sum())
    return (covariance(source) - covariance(target)).square().sum() / (4 * source.shape[1] ** 2)
