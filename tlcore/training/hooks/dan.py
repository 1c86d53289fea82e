"""DAN: align the feature distributions of both domains by kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.training.hooks.contract import At
from tlcore.training.hooks.domain_batches import Domains

if TYPE_CHECKING:
    import torch

    from tlcore.training.phase import Training

WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # kernel widths, relative to the mean squared distance of all pairs


class Dan:
    """Adds ``weight`` times the squared maximum mean discrepancy of source and target features.

    The kernel is a mean of Gaussians (Long et al. 2015, arXiv 1502.02791; equally weighted kernels, one layer: the
    head's input).
    """

    id = "dan"
    what = sentence("the same distribution of features in both domains (DAN)")

    def __init__(self, weight: float):
        self.weight = weight

    def begin(self, training: Training, device: str) -> None:
        self.domains = Domains(training, device)

    def loss(self, model: Any, batch: Any, given: Any, loss: torch.Tensor, at: At) -> torch.Tensor:
        seen = self.domains.see(model, batch, given, at)
        return loss + self.weight * discrepancy(seen.source, seen.target)

    def end(self, model: Any) -> None:
        self.domains.close()


def discrepancy(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The unbiased estimate of MMD² (Gretton et al. 2012, equation 3) of features (n, d) and (m, d)."""
    import torch

    n = len(source)
    if min(n, len(target)) < 2:
        return 0.0 * (source.sum() + target.sum())
    rows = torch.cat([source, target])
    kernel_values = kernel((rows[:, None] - rows[None]).square().sum(dim=2))
    return (
        _off_diagonal(kernel_values[:n, :n]) + _off_diagonal(kernel_values[n:, n:]) - 2 * kernel_values[:n, n:].mean()
    )


def kernel(squared_distances: torch.Tensor) -> torch.Tensor:
    """Kernel values (k, k), 0 to 1, from squared distances (k, k)."""
    import torch

    k = len(squared_distances)
    scale = squared_distances.detach().sum() / (k * (k - 1))
    return torch.stack([torch.exp(-squared_distances / (width * scale)) for width in WIDTHS]).mean(dim=0)


def _off_diagonal(square: torch.Tensor) -> torch.Tensor:
    n = len(square)
    return (square.sum() - square.diagonal().sum()) / (n * (n - 1))
