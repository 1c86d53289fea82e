"""A network that finds answers in a context. Imports torch: import it inside functions only."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tlcore.models import tokenization
from tlcore.models.adapters.image_model import set_training, untied
from tlcore.models.adapters.text_model import matcher
from tlcore.models.layer_grouping import group
from tlcore.models.layer_groups import LayerGroup

HEADS = ("qa_outputs", "classifier")  # what transformers calls the head, by architecture
PIECE = 64  # windows that go through the network at once: a long context has hundreds
LIBRARY = "transformers"


class SpanModel(nn.Module):
    """``net`` is transformers' own network for question answering: an encoder and a linear layer that gives each token
    a logit to begin the answer and one to end it (Devlin et al. 2019, arXiv 1810.04805).

    There is no answer where the first token's two logits sum to more than those of the best span and ``no_answer``
    together; never, where that is None.
    """

    def __init__(self, net: nn.Module, config: dict[str, Any], folder: Path, length: int):
        super().__init__()
        self.net = net
        self.head_name = next(name for name in HEADS if isinstance(getattr(net, name, None), nn.Linear))
        self.library, self.config, self.folder, self.input_size = LIBRARY, config, folder, length
        kept = config.get("studio_no_answer", 0.0)
        self.no_answer: float | None = float(kept) if isinstance(kept, int | float) else None
        typed = "token_type_ids" in inspect.signature(net.forward).parameters
        self.takes_kinds = typed and (getattr(net.config, "type_vocab_size", 0) or 0) > 1
        self._parts: list[LayerGroup] | None = None

    @property
    def head(self) -> nn.Linear:
        """The last linear layer: D features of a token in, two logits out."""
        return getattr(self.net, self.head_name)

    @property
    def encoder(self) -> nn.Module:
        """The network below the head: token vectors from token ids."""
        return self.net.base_model

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        """Logits (B, T, 2) of token ids (B, T) with their ``mask`` (1 for tokens) and token type ids."""
        if len(ids) > PIECE and not torch.is_grad_enabled():
            pieces = zip(ids.split(PIECE), mask.split(PIECE), kinds.split(PIECE), strict=True)
            return torch.cat([self(*piece) for piece in pieces])
        given = {"token_type_ids": kinds} if self.takes_kinds else {}
        out = self.net(input_ids=ids, attention_mask=mask, **given)
        return torch.stack([out.start_logits, out.end_logits], dim=-1).float()

    def parts(self) -> list[LayerGroup]:
        """Embeddings first, then the layers, the head last; each parameter and buffer in exactly one."""
        if self._parts is None:
            self._parts = group(self.net, self.head_name, matcher(self.net), "net")
        return self._parts

    def set_training(self, trainable_parts: set[str]) -> None:
        """Train these parts and freeze the others, dropout included."""
        set_training(self, trainable_parts)

    def save(self, folder: Path, labels: list[str], preprocess: dict[str, Any]) -> None:
        """Write ``config.json``, ``model.safetensors`` and the tokenizer's files, as ``AutoModelForQuestionAnswering``
        of transformers loads them. ``preprocess`` is what evaluation used: ``max_length`` in tokens.
        """
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        config: dict[str, Any] = self.net.config.to_dict()
        for left_out in ("_name_or_path", "id2label", "label2id"):
            config.pop(left_out, None)
        config |= {
            "architectures": [type(self.net).__name__],
            "dtype": "float32",
            "studio_no_answer": self.no_answer,
            "studio_max_length": int(preprocess["max_length"]),
        }
        text = json.dumps(config, indent=2, default=str, ensure_ascii=False)
        (folder / "config.json").write_text(text, encoding="utf-8")
        save_file(untied(self.net), folder / "model.safetensors", metadata={"format": "pt"})
        tokenization.copy(self.folder, folder)
