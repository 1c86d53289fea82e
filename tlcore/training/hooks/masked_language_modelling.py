"""Masked language modelling: hidden tokens of a text are to be guessed from what stands around them."""

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
    """BERT's objective (Devlin et al. 2019, arXiv 1810.04805, task 1); gone on with on texts of a person's own field it
    is domain-adaptive pre-training (Gururangan et al. 2020, arXiv 2004.10964).

    The head that guesses is the source's own where ``own_head`` and its file has one, else a fresh one of its
    architecture; either way its last layer is the table of the network's own tokens.
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
        """Its texts, some of their tokens hidden."""
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
        if not asked.any():  # a few short texts may have nothing hidden
            return loss + 0.0 * states.sum()
        return loss + functional.cross_entropy(self.head(states[asked]).float(), batch["truth"][asked])

    def state_dict(self) -> dict[str, Any]:
        return {name: value.detach().clone() for name, value in self.head.own().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        import torch

        with torch.no_grad():
            for name, value in self.head.own().items():
                value.copy_(state[name])
