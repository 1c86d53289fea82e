"""What a hook may do while a phase trains. Torch appears in annotations only: hooks import it inside their methods."""

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
    """Where a training stands. All that is random in a hook follows from it and the seed, never from a generator that
    lives on: then a training that was killed goes on to the same weights.
    """

    seed: int
    epoch: int  # those that are done
    step: int = 0  # in this epoch
    seen: int = 0  # examples of this epoch that were seen before
    share: float = 0.0  # of the training that is done, 0-1


@dataclass
class Ended:
    """What a hook leaves behind: sentences for the report, numbers that it measured (JSON, under the hook's id), and
    the score of the model by the loop's order where the hook changed it for a better one.
    """

    notes: list[Sentence] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)
    score: tuple[float, float] | None = None


class Hook(Protocol):
    """A loss that is added, layers that are added, a second model that follows: what a `train` phase names in ``hooks``
    as ``{"id": …, **settings}``. One file in this folder, one line in its ``__init__``; an instance serves one
    training. Everything but ``id``, ``what`` and `begin` may be left out.
    """

    id: str
    what: Sentence  # what it adds, in a few words: shown in the plan

    def __init__(self, **settings: Any) -> None: ...

    @staticmethod
    def stream(context: TrainingContext, dataset: Dataset) -> Any:
        """The training examples of a further set as a phase that is done once goes through them (``len()``,
        ``.batches``), where the hook does not take those of the task with the target's labels.
        """

    def begin(self, training: Training, device: str) -> None:
        """Before the first step, and before a checkpoint is loaded; ``told.model`` lies on the device and what is
        frozen is frozen. Layers may be put into it; torch's generator is seeded. Raises UnusableInput where it cannot
        work with this task or network.
        """

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        """What is trained beside the parts of the phase, at the rate of the head."""

    def loss(self, model: Any, batch: Any, given: Any, loss: torch.Tensor, at: At) -> torch.Tensor:
        """The loss of a batch with what the hook adds. ``given`` is what the network gave (`Task.loss`); in a phase
        with a ``stream`` of its own it is None, and the loss zero until hooks add to it.
        """

    def after_step(self, model: Any, at: At) -> None:
        """After each step of the optimiser."""

    def after_evaluation(self, model: Any, seen: dict[str, float], at: At) -> tuple[float, float] | None:
        """After each epoch, in evaluation mode and without gradients: by what the best state is chosen (higher is
        better), or None where that stays the loop's matter. ``seen`` are the validation scores; what is added to it
        is shown in the curves.
        """

    def state_dict(self) -> dict[str, Any]:
        """What goes into the checkpoint: tensors, numbers, strings and containers of them."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""

    def end(self, model: Any) -> Ended | None:
        """Once the best state is loaded. The model must leave as a plain one: layers that were put in are merged."""
