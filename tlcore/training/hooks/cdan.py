"""CDAN: like DANN, but the discriminator sees the features together with the predictions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.training.hooks.contract import At
from tlcore.training.hooks.domain_batches import Domains, discriminator, ramp, reversed_gradient

if TYPE_CHECKING:
    import torch

    from tlcore.training.phase import Training

MOST = 4096  # largest size of the full product; above it a random projection is used
PART = 1024


class Cdan:
    """Adds the loss of a discriminator on products of features and probabilities, behind a gradient reversal.

    The reversal strength rises to ``weight``; confident examples have more weight (Long et al. 2018, arXiv 1705.10667,
    CDAN+E).
    """

    id = "cdan"
    what = sentence("features and answers by which the domains cannot be told apart (CDAN)")

    def __init__(self, weight: float):
        self.weight = weight

    def begin(self, training: Training, device: str) -> None:
        import torch

        self.domains = Domains(training, device)
        width, classes = self.domains.width, self.domains.classes
        self.parts: tuple[Any, Any] | None = None
        if width * classes > MOST:  # the seed is set before begin(): a resumed training draws the same projection
            self.parts = torch.randn(width, PART).to(device), torch.randn(classes, PART).to(device)
        self.net = discriminator(PART if self.parts else width * classes).to(device)

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        return self.net.parameters()

    def loss(self, model: Any, batch: Any, given: Any, loss: torch.Tensor, at: At) -> torch.Tensor:
        seen = self.domains.see(model, batch, given, at)
        strength = self.weight * ramp(at.share)
        terms = []
        for features, logits, sign in ((seen.source, seen.source_logits, -1), (seen.target, seen.target_logits, 1)):
            shares = logits.softmax(dim=1).detach()
            rows = reversed_gradient(product(features, shares, self.parts), strength)
            terms.append(weighted(self.net(rows).float().squeeze(1) * sign, shares))
        return loss + 0.5 * (terms[0] + terms[1])

    def state_dict(self) -> dict[str, Any]:
        return {"net": self.net.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])

    def end(self, model: Any) -> None:
        self.domains.close()


def product(features: torch.Tensor, shares: torch.Tensor, parts: tuple[Any, Any] | None) -> torch.Tensor:
    """The outer product of features and probabilities, (n, d · classes), or its random projection, (n, `PART`)."""
    if parts is None:
        return (features.unsqueeze(2) * shares.unsqueeze(1)).flatten(1)
    return (features @ parts[0]) * (shares @ parts[1]) / PART**0.5


def weighted(wrong: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """The mean of softplus(``wrong``), weighted by 1 + exp(-entropy of the prediction); a scalar."""
    from torch.nn.functional import softplus

    entropy = -(shares * (shares + 1e-7).log()).sum(dim=1)
    weight = 1 + (-entropy).exp()
    return (softplus(wrong) * weight).sum() / weight.sum()
