"""Weights of several tasks in joint training. One class each, one line in WEIGHTINGS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch

ALPHA, RATE = 1.5, 0.025  # GradNorm: asymmetry, i.e. how strongly training rates are balanced; step size of the weights


class Weighting(Protocol):
    """Combines the losses of the tasks, the target task's first."""

    def __init__(self, tasks: int, device: str): ...

    def parameters(self) -> list[torch.nn.Parameter]:
        """Parameters trained beside the network."""

    def join(self, losses: Sequence[torch.Tensor], shared: Sequence[torch.nn.Parameter]) -> torch.Tensor:
        """The combined loss (a scalar) of the tasks' losses; ``shared``: the weights of the last shared layer group."""

    def weights(self) -> list[float]:
        """The present weight of each task."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Uniform:
    """The mean of the losses."""

    def __init__(self, tasks: int, device: str):
        self.tasks = tasks

    def parameters(self) -> list[torch.nn.Parameter]:
        return []

    def join(self, losses: Sequence[torch.Tensor], shared: Sequence[torch.nn.Parameter]) -> torch.Tensor:
        return sum(losses[1:], losses[0]) / len(losses)

    def weights(self) -> list[float]:
        return [1.0] * self.tasks

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class Uncertainty:
    """Each loss scaled by a learned variance: the sum over tasks of exp(-s) L + s / 2, with s the log variance.

    Kendall, Gal & Cipolla 2018, arXiv 1705.07115, equation 10, classification.
    """

    def __init__(self, tasks: int, device: str):
        import torch

        self.log_variance = torch.nn.Parameter(torch.zeros(tasks, device=device))

    def parameters(self) -> list[torch.nn.Parameter]:
        return [self.log_variance]

    def join(self, losses: Sequence[torch.Tensor], shared: Sequence[torch.nn.Parameter]) -> torch.Tensor:
        import torch

        return (torch.exp(-self.log_variance) * torch.stack(list(losses)) + self.log_variance / 2).sum()

    def weights(self) -> list[float]:
        return (-self.log_variance.detach()).exp().tolist()

    def state_dict(self) -> dict[str, Any]:
        return {"log_variance": self.log_variance.detach().clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.log_variance.data.copy_(state["log_variance"])


class GradNorm:
    """Adapts the weights so that the tasks' gradients on the last shared layer have similar norms.

    Norms are larger for tasks whose loss fell less since the first step (Chen et al. 2018, arXiv 1711.02257, algorithm
    1): G = w |∇L|; its target is the mean of all G times (relative inverse rate) ^ alpha. The gradient of |G - target|
    by w is the sign times |∇L|. The weights sum to the number of tasks.
    """

    def __init__(self, tasks: int, device: str):
        import torch

        self.weight = torch.ones(tasks, device=device)
        self.first: torch.Tensor | None = None

    def parameters(self) -> list[torch.nn.Parameter]:
        return []

    def join(self, losses: Sequence[torch.Tensor], shared: Sequence[torch.nn.Parameter]) -> torch.Tensor:
        import torch

        every = torch.stack(list(losses))
        joined = (self.weight * every).sum() / len(losses)
        if not every.requires_grad:
            return joined
        now, here = every.detach().float(), torch.tensor([loss.requires_grad for loss in losses], device=every.device)
        if self.first is None:
            self.first = torch.full_like(now, torch.nan)
        self.first = torch.where(here & self.first.isnan(), now.clamp(min=1e-6), self.first)
        if here.sum() > 1:  # a task without a label in this batch has no gradient and keeps its weight
            norms = torch.stack([self._norm(loss, shared) for loss in losses if loss.requires_grad])
            moved = step(self.weight[here], norms, (now / self.first)[here])
            share = 1.0 if bool(here.all()) else self.weight[here].mean()
            self.weight = self.weight.masked_scatter(here, moved * share)
        return joined

    def _norm(self, loss: torch.Tensor, shared: Sequence[torch.nn.Parameter]) -> torch.Tensor:
        import torch

        found = torch.autograd.grad(loss, list(shared), retain_graph=True, allow_unused=True)
        parts = [one.float().square().sum() for one in found if one is not None]
        return torch.stack(parts).sum().sqrt() if parts else loss.new_zeros((), dtype=torch.float32)

    def weights(self) -> list[float]:
        return self.weight.tolist()

    def state_dict(self) -> dict[str, Any]:
        return {"weight": self.weight.clone(), "first": None if self.first is None else self.first.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.weight = state["weight"].to(self.weight.device)
        self.first = None if state["first"] is None else state["first"].to(self.weight.device)


def step(weight: torch.Tensor, norms: torch.Tensor, fallen: torch.Tensor) -> torch.Tensor:
    """GradNorm's weights (tasks,) after one step.

    ``norms`` (tasks,): norms of the unweighted gradients; ``fallen`` (tasks,): losses relative to the first ones.
    """
    import torch

    sizes = weight * norms
    wanted = sizes.mean() * (fallen / fallen.mean().clamp(min=1e-6)) ** ALPHA
    moved = (weight - RATE * torch.sign(sizes - wanted) * norms / norms.mean().clamp(min=1e-12)).clamp(min=0.05)
    return moved * len(moved) / moved.sum()


WEIGHTINGS: dict[str, type[Weighting]] = {"uniform": Uniform, "uncertainty": Uncertainty, "gradnorm": GradNorm}
