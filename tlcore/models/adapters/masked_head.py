"""The head of a text encoder that guesses hidden tokens. Imports torch: import it inside functions only."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from tlcore.models.adapters.transformers_text import with_masked_head


class MaskedHead(nn.Module):
    """Token vectors (N, D) to logits (N, V), as the architecture of an encoder does it, around a model's own
    ``encoder``: the last layer shares the encoder's table of tokens, so that both learn.

    With ``brought`` it is the head that the model's folder brings, where it has one, else a fresh one.
    """

    def __init__(self, model: Any, brought: bool):
        super().__init__()
        from transformers import AutoModelForMaskedLM

        encoder = model.encoder
        place = SimpleNamespace(config=model.config, folder=model.folder, preprocess={}, size_checked=True)
        whole: Any = with_masked_head(place) if brought else None
        self.brought = whole is not None
        if whole is None:
            whole = AutoModelForMaskedLM.from_config(encoder.config, dtype=torch.float32)
        setattr(whole, whole.base_model_prefix, encoder)
        whole.tie_weights()
        setattr(whole, whole.base_model_prefix, _Given(encoder))
        self.whole = whole.train()
        self._shared = {id(parameter) for parameter in encoder.parameters()}

    def own(self) -> dict[str, nn.Parameter]:
        """The weights that are the head's alone, by name."""
        return {name: one for name, one in self.whole.named_parameters() if id(one) not in self._shared}

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Only the places that are asked for go through the head: a table of tokens is wide."""
        given = getattr(self.whole, self.whole.base_model_prefix)
        given.states = states[None]
        try:
            nothing = torch.zeros(1, len(states), dtype=torch.long, device=states.device)
            return self.whole(input_ids=nothing).logits[0]
        finally:
            given.states = None


class _Given(nn.Module):
    """Stands where a masked model has its encoder, and gives the token vectors that were computed already."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.beside = (encoder,)  # in a tuple: no part of this module
        self.states: torch.Tensor | None = None

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["beside"][0], name)  # some heads look at the encoder's embeddings

    def forward(self, *inputs: Any, **args: Any) -> Any:
        from transformers.modeling_outputs import BaseModelOutput

        return BaseModelOutput(last_hidden_state=self.states)
