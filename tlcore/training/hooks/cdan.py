"""CDAN: as DANN, but the second network sees the features together with the answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.training.hooks.contract import At
from tlcore.training.hooks.domain_batches import Domains, discriminator, ramp, reversed_gradient

if TYPE_CHECKING:
    import torch

    from tlcore.training.phase import Training

MOST = 4096  # numbers of a whole product; above it a random part is taken
PART = 1024


class Cdan:
    """Adds the loss of a discriminator of the products of features and probabilities, behind a reversed gradient whose
    strength rises to ``weight``; sure examples count more (Long et al. 2018, arXiv 1705.10667, CDAN+E).
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
        if width * classes > MOST:  # the seed is set before a hook begins: a resumed training draws the same
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
    """Every feature times every probability, (n, d · classes), or the paper's random map of it, (n, `PART`)."""
    if parts is None:
        return (features.unsqueeze(2) * shares.unsqueeze(1)).flatten(1)
    return (features @ parts[0]) * (shares @ parts[1]) / PART**0.5


def weighted(wrong: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """The mean of softplus(``wrong``) with weights 1 + exp(-entropy of the answer), which add up to the batch."""
    from torch.nn.functional import softplus

    entropy = -(shares * (shares + 1e-7).log()).sum(dim=1)
    weight = 1 + (-entropy).exp()
    return (softplus(wrong) * weight).sum() / weight.sum()
