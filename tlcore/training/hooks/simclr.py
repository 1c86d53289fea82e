"""SimCLR, contrastive pre-training: match the two views of one picture among the views of all others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.tasks.shared.image_examples import PAIRS, Canvases, PictureExamples
from tlcore.training.hooks.contract import At, Ended

if TYPE_CHECKING:
    import torch

    from tlcore.data.dataset import Dataset
    from tlcore.training.context import TrainingContext
    from tlcore.training.phase import Training

WIDTH = 128  # output size of the projection head


class SimClr:
    """SimCLR (Chen et al. 2020, arXiv 2002.05709) with the NT-Xent loss.

    The features of two strong augmentations of a picture go through a projection head (one hidden layer), which is
    discarded afterwards.
    """

    id = "simclr"
    what = sentence("finding two views of one picture again")
    source_families = ("image",)
    views = 2
    most = 100  # default limit of epochs

    def __init__(self, temperature: float):
        self.temperature = temperature

    @staticmethod
    def stream(context: TrainingContext, dataset: Dataset) -> Any:
        """The pictures of the dataset, in batches of pairs of views."""
        flips = context.processor["augmentation"] == "standard"
        processor = {**context.processor, "augmentation": PAIRS if flips else f"{PAIRS}-no-flip"}
        canvases = Canvases(dataset, processor["canvas"], processor["interpolation"], context.cache / "pictures")
        return PictureExamples(dataset, "train", [], processor, canvases)

    def begin(self, training: Training, device: str) -> None:
        from torch import nn

        self.task, self.parted = training.task, training.accumulation > 1
        width = training.model.head.in_features
        self.projection = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, WIDTH)).to(device)

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        return self.projection.parameters()

    def loss(self, model: Any, batch: Any, given: Any, loss: torch.Tensor, at: At) -> torch.Tensor:
        projected = self.projection(self.task.features(model, batch))
        return loss + nt_xent(projected, self.temperature)

    def state_dict(self) -> dict[str, Any]:
        return dict(self.projection.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.projection.load_state_dict(state)

    def end(self, model: Any) -> Ended | None:
        if not self.parted:
            return None
        return Ended(
            [sentence("For lack of memory each picture was compared with those of its part of the batch alone.")]
        )


def nt_xent(projected: torch.Tensor, temperature: float) -> torch.Tensor:
    """The normalised, temperature-scaled cross-entropy of ``projected`` (2k, d), a scalar.

    Rows i and k + i are views of one picture. The mean over all 2k rows of -log softmax of the similarity to the other
    view among all other rows (Chen et al. 2020, equation 1).
    """
    import torch
    from torch.nn import functional

    views = functional.normalize(projected.float(), dim=1)
    n = len(views)
    similarities = (views @ views.T / temperature).masked_fill(
        torch.eye(n, dtype=torch.bool, device=views.device), -torch.inf
    )
    return functional.cross_entropy(similarities, (torch.arange(n, device=views.device) + n // 2) % n)
