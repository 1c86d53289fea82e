"""Masked language modelling: predict masked tokens of a text from their context."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.tasks.shared import masked_texts
from tlcore.training.hooks.contract import At

if TYPE_CHECKING:
    import torch

    from tlcore.data.dataset import Dataset
    from tlcore.training.context import TrainingContext
    from tlcore.training.phase import Training


class Masked:
    """BERT's objective (Devlin et al. 2019, arXiv 1810.04805, task 1).

    Continued on texts of the user's field it is domain-adaptive pre-training (Gururangan et al. 2020, arXiv
    2004.10964). The prediction head is the source's native one
    with ``own_head`` and if its file has one, else a new one of its architecture. Its last layer is always the
    network's token embedding.
    """

    id = "masked"
    what = sentence("guessing hidden parts of texts")
    source_families = ("text",)
    views = 1
    most = 20

    def __init__(self, own_head: bool):
        self.own_head = own_head

    @staticmethod
    def stream(context: TrainingContext, dataset: Dataset) -> Any:
        """The texts of the dataset with some tokens masked."""
        return masked_texts.of(context, dataset)

    def begin(self, training: Training, device: str) -> None:
        from tlcore.models.adapters.masked_head import MaskedHead

        self.head = MaskedHead(training.model, self.own_head).to(device)

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        return self.head.own().values()

    def loss(self, model: Any, batch: Any, given: Any, loss: torch.Tensor, at: At) -> torch.Tensor:
        from torch.nn import functional

        asked = batch["asked"]
        states = model.encoder(input_ids=batch["ids"], attention_mask=batch["mask"]).last_hidden_state
        if not asked.any():  # a batch of short texts may have no masked token
            return loss + 0.0 * states.sum()
        return loss + functional.cross_entropy(self.head(states[asked]).float(), batch["truth"][asked])

    def state_dict(self) -> dict[str, Any]:
        return {name: value.detach().clone() for name, value in self.head.own().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        import torch

        with torch.no_grad():
            for name, value in self.head.own().items():
                value.copy_(state[name])
