"""The interface of a hook in a training phase. Torch appears in annotations only: hooks import it inside methods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tlcore.core.i18n import Sentence

if TYPE_CHECKING:
    import torch

    from tlcore.data.dataset import Dataset
    from tlcore.training.context import TrainingContext
    from tlcore.training.phase import Training


@dataclass(frozen=True)
class At:
    """The position within a training.

    All randomness of a hook derives from it and the seed, never from a long-lived generator, so that a killed training
    resumes to the same weights.
    """

    seed: int
    epoch: int  # finished epochs
    step: int = 0  # index within this epoch
    seen: int = 0  # examples of this epoch seen before
    share: float = 0.0  # finished share of the training, 0-1


@dataclass
class Ended:
    """The result of a hook: sentences for the report, measured numbers (JSON, under the hook's id), and a score.

    ``score``: the model's score in the loop's order, set if the hook replaced the model by a better one.
    """

    notes: list[Sentence] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)
    score: tuple[float, float] | None = None


class Hook(Protocol):
    """An added loss, added layers or a second model that follows the first, named in ``hooks`` of a `train` phase.

    Named as ``{"id": …, **settings}``. One file in this folder, one line in its ``__init__``; an instance serves one
    training. Everything but ``id``, ``what`` and `begin` is optional.
    """

    id: str
    what: Sentence  # short description, shown in the plan

    def __init__(self, **settings: Any) -> None: ...

    @staticmethod
    def stream(context: TrainingContext, dataset: Dataset) -> Any:
        """The training examples of an auxiliary dataset for a shared phase (``len()``, ``.batches``).

        Only for hooks that do not use the task's examples with the target's labels.
        """

    def begin(self, training: Training, device: str) -> None:
        """Called before the first step and before a checkpoint is loaded.

        ``training.model`` is on the device, frozen layers are frozen, and torch's generator is seeded. Layers may be
        added to the model. Raises UnusableInput if the hook does not support the task or network.
        """

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        """Extra trained parameters, beside those of the phase, at the head's learning rate."""

    def loss(self, model: Any, batch: Any, given: Any, loss: torch.Tensor, at: At) -> torch.Tensor:
        """The loss of a batch with the hook's addition.

        ``given`` is the network's output (`Task.loss`). In a phase with its own ``stream`` it is None, and the loss is
        zero until hooks add to it.
        """

    def after_step(self, model: Any, at: At) -> None:
        """Called after each step of the optimiser."""

    def after_evaluation(self, model: Any, seen: dict[str, float], at: At) -> tuple[float, float] | None:
        """Called after each epoch, in evaluation mode and without gradients.

        Returns the key that selects the best state (higher is better), or None to leave that to the loop. ``seen``: the
        validation scores; entries added to it appear in the curves.
        """

    def state_dict(self) -> dict[str, Any]:
        """The state for the checkpoint: tensors, numbers, strings and containers of them."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of `state_dict`."""

    def end(self, model: Any) -> Ended | None:
        """Called once the best state is loaded. Added layers must be merged, so that the model is a plain one again."""
