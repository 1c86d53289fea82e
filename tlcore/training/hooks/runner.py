"""Runs the hooks of one training; each in order, and only the methods it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tlcore.training.hooks.contract import At, Ended, Hook

if TYPE_CHECKING:
    from tlcore.training.phase import Training


class HookRunner:
    """Several hooks as one."""

    def __init__(self, hooks: Sequence[Hook]):
        self.hooks = hooks

    def begin(self, training: Training, device: str) -> None:
        import torch

        for place, hook in enumerate(self.hooks):
            torch.manual_seed(training.seed * 1_000_003 + place)
            hook.begin(training, device)

    def parameters(self) -> list[Any]:
        return [parameter for do in self._having("parameters") for parameter in do()]

    def loss(self, model: Any, batch: Any, given: Any, loss: Any, at: At) -> Any:
        for do in self._having("loss"):
            loss = do(model, batch, given, loss, at)
        return loss

    def after_step(self, model: Any, at: At) -> None:
        for do in self._having("after_step"):
            do(model, at)

    def after_evaluation(self, model: Any, seen: dict[str, float], at: At) -> tuple[float, float] | None:
        """The result of the first hook that returns one; every hook is called."""
        import torch

        with torch.no_grad():
            found = [do(model, seen, at) for do in self._having("after_evaluation")]
        return next((order for order in found if order is not None), None)

    def state_dict(self) -> list[dict[str, Any]]:
        return [hook.state_dict() if hasattr(hook, "state_dict") else {} for hook in self.hooks]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        for hook, state in zip(self.hooks, states, strict=True):
            if hasattr(hook, "load_state_dict"):
                hook.load_state_dict(state)

    def end(self, model: Any) -> Ended:
        """The combined results of all hooks."""
        whole = Ended()
        for hook in self.hooks:
            left = hook.end(model) if hasattr(hook, "end") else None
            if left is not None:
                whole.notes += left.notes
                whole.measured |= {hook.id: left.measured} if left.measured else {}
                whole.score = left.score or whole.score
        return whole

    def _having(self, name: str) -> list[Any]:
        return [getattr(hook, name) for hook in self.hooks if hasattr(hook, name)]
