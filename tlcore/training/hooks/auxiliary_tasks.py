"""Auxiliary tasks trained beside the target task on shared layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.tasks.shared.inference import in_batches, metrics
from tlcore.training.hooks.contract import At, Ended
from tlcore.training.hooks.second_stream import draw
from tlcore.training.hooks.task_weighting import WEIGHTINGS

if TYPE_CHECKING:
    import torch

    from tlcore.training.auxiliary_tasks import AuxiliaryTask
    from tlcore.training.phase import Training


class SideTasks:
    """A linear head per auxiliary task on the input of the target task's head; a weighting combines the losses.

    The best state has the highest mean validation score over all tasks. At the end, the test outputs (n, classes) of
    the auxiliary heads are saved beside the checkpoint as ``side-<k>-test.npy``.
    """

    id = "side-tasks"
    what = sentence("heads of other tasks on the same layers")

    def __init__(self, sides: Sequence[str], weighting: str):
        self.names, self.kind = list(sides), weighting

    def begin(self, training: Training, device: str) -> None:
        from torch import nn

        if getattr(training.model, "head", None) is None:
            raise UnusableInput(
                sentence("Multi-task learning needs a network that ends in a linear head."), code="strategy-refused"
            )
        self.training, self.device = training, device
        self.auxiliary: list[AuxiliaryTask] = [training.auxiliary[name] for name in self.names]
        width = training.model.head.in_features
        self.heads = nn.ModuleList(nn.Linear(width, len(side.target["labels"])) for side in self.auxiliary).to(device)
        self.weighting = WEIGHTINGS[self.kind](1 + len(self.auxiliary), device)
        named = dict(training.model.named_parameters())
        last = next(part for part in reversed(training.task.parts(training.model)[:-1]) if part.parameters)
        self.shared = [named[name] for name in last.parameters if name in named and named[name].requires_grad]
        self.labels = [_beside(training.examples["train"], side) for side in self.auxiliary]
        self.best: tuple[tuple[float, float], dict[str, Any]] | None = None
        self._inputs: list[torch.Tensor] = []
        self._look = training.model.head.register_forward_pre_hook(
            lambda _, given: self._inputs.__setitem__(slice(None), [given[0].flatten(1)])
        )

    def parameters(self) -> list[torch.nn.Parameter]:
        return [*self.heads.parameters(), *self.weighting.parameters()]

    def loss(self, model: Any, batch: Any, given: Any, loss: torch.Tensor, at: At) -> torch.Tensor:
        """The combined loss.

        More labels of the same examples need no second forward pass; examples of an auxiliary dataset do. Examples
        without a label are ignored.
        """
        import torch
        from torch.nn.functional import cross_entropy

        features, losses = self._inputs[-1], [loss.float()]
        for side, head, labels in zip(self.auxiliary, self.heads, self.labels, strict=True):
            if labels is not None:
                seen, truth = features, torch.from_numpy(labels[batch["places"]]).to(self.device)
            else:
                other = draw(side.examples["train"], len(batch["places"]), at, self.device)
                seen, truth = self.training.task.features(model, other), other["labels"]
            known = truth >= 0
            losses.append(cross_entropy(head(seen[known]).float(), truth[known]) if known.any() else loss.new_zeros(()))
        self._inputs.clear()
        return self.weighting.join(losses, self.shared)

    def after_evaluation(self, model: Any, seen: dict[str, float], at: At) -> tuple[float, float]:
        metric = self.training.metric
        scores = [seen[metric.id]]
        for number, side in enumerate(self.auxiliary):
            examples = side.examples["validation"]
            scores.append(self._scored(model, number, "validation")[metric.id] if len(examples) else scores[0])
        now = (float(np.mean(scores)), -seen["loss"])
        if self.best is None or now > self.best[0]:
            self.best = (now, {name: value.detach().clone() for name, value in self.heads.state_dict().items()})
        return now

    def state_dict(self) -> dict[str, Any]:
        return {"heads": self.heads.state_dict(), "weighting": self.weighting.state_dict(), "best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.heads.load_state_dict(state["heads"])
        self.weighting.load_state_dict(state["weighting"])
        best = state["best"]
        self.best = None if best is None else (tuple(best[0]), best[1])

    def end(self, model: Any) -> Ended:
        self._look.remove()
        if self.best is not None:
            self.heads.load_state_dict(self.best[1])
        folder = self.training.checkpoint.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(len(self.auxiliary)):
            np.save(folder / f"side-{number}-test.npy", self._outputs(model, number, "test"))
        return Ended(measured={"weights": [round(weight, 3) for weight in self.weighting.weights()]})

    def _scored(self, model: Any, number: int, split: str) -> dict[str, float]:
        side = self.auxiliary[number]
        return metrics(self.training.task, self._outputs(model, number, split), side.examples[split], side.target)

    def _outputs(self, model: Any, number: int, split: str) -> np.ndarray:
        import torch

        examples, rows = self.auxiliary[number].examples[split], []
        model.eval()
        chunks = in_batches(np.arange(len(examples)), max(1, self.training.batch_size // self.training.accumulation))
        with torch.no_grad():
            for batch in examples.batches(chunks, None, self.device):
                rows.append(self.heads[number](self.training.task.features(model, batch)).float().cpu().numpy())
        classes = len(self.auxiliary[number].target["labels"])
        return np.concatenate(rows) if rows else np.zeros((0, classes), np.float32)


def _beside(examples: Any, side: AuxiliaryTask) -> np.ndarray | None:
    """An auxiliary task's label (n,) for each training example of the target task, -1 if it has none.

    None if the auxiliary task has its own examples.
    """
    if not side.same_examples:
        return None
    known = dict(zip(side.examples["train"].rows.tolist(), side.examples["train"].labels.tolist(), strict=True))
    return np.array([known.get(row, -1) for row in examples.rows.tolist()], dtype=np.int64)
