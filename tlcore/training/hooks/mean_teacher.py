"""Self-training with a mean teacher: on the target domain, predict the outputs of the network's own moving average."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.training.hooks.contract import At
from tlcore.training.hooks.second_stream import draw, needed

if TYPE_CHECKING:
    import torch

    from tlcore.training.phase import Training

DECAY = 0.99
SURE = 0.9  # least confidence of the teacher for an example to count
OTHER_VIEW = 7_777


class MeanTeacher:
    """Adds ``weight`` times the squared difference of the student's and the teacher's probabilities on target examples.

    The teacher sees another augmentation of the same examples; only its confident predictions count (French et al.
    2018, arXiv 1706.05208, after Tarvainen & Valpola 2017, arXiv 1703.01780).
    """

    id = "mean-teacher"
    what = sentence("a teacher, its own running average, in the target domain")

    def __init__(self, weight: float):
        self.weight = weight
        self.steps = 0

    def begin(self, training: Training, device: str) -> None:
        self.training, self.device = training, device
        self.examples = needed(training, "unlabelled")
        self.teacher = copy.deepcopy(training.model).requires_grad_(False)

    def loss(self, model: Any, batch: Any, given: Any, loss: torch.Tensor, at: At) -> torch.Tensor:
        import torch

        task = self.training.task
        mine = draw(self.examples, len(given), at, self.device)
        logits = model.classify(task.features(model, mine)).float()
        self.teacher.train()  # its batch norm adapts to the target domain
        with torch.no_grad():
            other = draw(self.examples, len(given), at, self.device, view=OTHER_VIEW)
            shares = self.teacher.classify(task.features(self.teacher, other)).float().softmax(dim=1)
        return loss + self.weight * disagreement(logits.softmax(dim=1), shares)

    def after_step(self, model: Any, at: At) -> None:
        self.steps += 1
        follow(self.teacher, model, min(DECAY, 1 - 1 / (self.steps + 1)))

    def state_dict(self) -> dict[str, Any]:
        return {"teacher": self.teacher.state_dict(), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.teacher.load_state_dict(state["teacher"])
        self.steps = state["steps"]


def disagreement(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """The squared difference of probabilities (n, classes), 0 where the teacher is not confident.

    Mean over classes and over all examples.
    """
    sure = (teacher.max(dim=1).values >= SURE).float()
    return ((student - teacher).square().mean(dim=1) * sure).mean()


def follow(teacher: Any, student: Any, decay: float) -> None:
    """Update the moving average of the weights; the teacher's buffers do not change."""
    import torch

    with torch.no_grad():
        for mine, its in zip(teacher.parameters(), student.parameters(), strict=True):
            mine.lerp_(its, 1 - decay)
