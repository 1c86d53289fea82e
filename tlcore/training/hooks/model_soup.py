"""Model soup: the averaged weights of the best epochs, used only if better on validation data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.tasks.shared.inference import order
from tlcore.training.hooks.contract import At, Ended
from tlcore.training.kernels import half

if TYPE_CHECKING:
    from tlcore.training.phase import Training


class Soup:
    """Averages the ``most`` best states of one training.

    Wortsman et al. 2022, arXiv 2203.05482, the uniform soup, of epochs instead of runs as in Izmailov et al. 2018,
    arXiv 1803.05407. Integer tensors, such as batch norm's counters, come from the best state.
    """

    id = "soup"
    what = sentence("the average of the best epochs")

    def __init__(self, most: int):
        self.most = most
        self.best: list[tuple[list[float], dict[str, Any]]] = []

    def begin(self, training: Training, device: str) -> None:
        self.training, self.device = training, device

    def after_evaluation(self, model: Any, seen: dict[str, float], at: At) -> None:
        now = list(order(self.training.metric, seen))
        if len(self.best) == self.most and now <= self.best[-1][0]:
            return
        state = {name: value.detach().to("cpu", copy=True) for name, value in model.state_dict().items()}
        self.best = sorted([*self.best, (now, state)], key=lambda one: one[0], reverse=True)[: self.most]

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best = list(state["best"])

    def end(self, model: Any) -> Ended:
        if len(self.best) < 2:
            return Ended()
        import torch

        best, states = self.best[0][0], [state for _, state in self.best]
        mixed = {name: average([state[name] for state in states]) for name in states[0]}
        before = {name: value.detach().to("cpu", copy=True) for name, value in model.state_dict().items()}
        model.load_state_dict(mixed)
        with torch.autocast(self.device.partition(":")[0], torch.bfloat16, enabled=half(model, self.training.machine)):
            # same precision as in training
            now = order(self.training.metric, self.training.validated(model, self.device))
        kept = list(now) > list(best)
        if not kept:
            model.load_state_dict(before)
        measured = {"epochs": len(states), "kept": kept, "before": best[0], "after": now[0]}
        if kept:
            note = sentence(
                "The weights are the average of the {n} best epochs, which is better on validation data than "
                "the best epoch alone.",
                n=len(states),
            )
        else:
            note = sentence(
                "The average of the {n} best epochs was no better on validation data than the best epoch, "
                "which was kept.",
                n=len(states),
            )
        return Ended([note], measured, now if kept else None)


def average(tensors: list[Any]) -> Any:
    """The elementwise mean of the tensors; the first one if they are not floating-point."""
    import torch

    return torch.stack(tensors).mean(dim=0) if tensors[0].is_floating_point() else tensors[0]
