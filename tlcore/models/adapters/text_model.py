"""A text network behind the same small contract as an image network. Imports torch: import it inside functions only."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tlcore.models import tokenization
from tlcore.models.adapters.image_model import set_training, untied
from tlcore.models.layer_grouping import NECK, STEM, Key, group
from tlcore.models.layer_groups import LayerGroup

DROPOUT = 0.1  # before the head
LAYER = re.compile(r"\.(?:layer|layers|albert_layers)\.(\d+)\.")


class _Net(nn.Module):
    """An encoder and, where there is one, a linear head on the mean of its token vectors."""

    def __init__(self, encoder: nn.Module, head: nn.Linear | None):
        super().__init__()
        self.encoder, self.dropout, self.head = encoder, nn.Dropout(DROPOUT), head


class TextModel(nn.Module):
    """``net.encoder`` is transformers' own network; ``head`` a linear layer on the mean of its last token vectors
    (mean pooling, as sentence encoders are used: Reimers and Gurevych 2019, arXiv 1908.10084).

    ``head`` is None only where ``build(num_classes=None)`` opened a source without a head; then ``forward`` gives
    features.
    """

    def __init__(self, encoder: nn.Module, head: nn.Linear | None, config: dict[str, Any], folder: Path, length: int):
        super().__init__()
        self.net = _Net(encoder, head)
        self.head_name = "head"
        self.library, self.config, self.folder, self.input_size = "transformers", config, folder, length
        self._parts: list[LayerGroup] | None = None

    @property
    def head(self) -> nn.Linear | None:
        """The last linear layer: D features in, C classes out."""
        return self.net.head

    @property
    def encoder(self) -> nn.Module:
        """The network below the head: token vectors from token ids."""
        return self.net.encoder

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Logits (B, C) of token ids (B, T) whose ``mask`` (B, T) is 1 for tokens and 0 for padding."""
        return self.classify(self.net.dropout(self.features(ids, mask)))

    def vectors(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The last token vectors, (B, T, D)."""
        return self.net.encoder(input_ids=ids, attention_mask=mask).last_hidden_state

    def each(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Logits (B, T, C) of each token, where the head was made to sit on single tokens."""
        return self.classify(self.net.dropout(self.vectors(ids, mask)))

    def features(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The mean of the last token vectors, (B, D): what the head sees."""
        hidden = self.vectors(ids, mask)
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        """Logits (…, C) of features (…, D)."""
        return features if self.head is None else self.head(features)

    def example(self, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """One input that means nothing, to try the network with."""
        return torch.ones(1, min(size, 8), dtype=torch.long), torch.ones(1, min(size, 8), dtype=torch.long)

    def parts(self) -> list[LayerGroup]:
        """Embeddings first, then the layers, the head last; each parameter and buffer in exactly one."""
        if self._parts is None:
            self._parts = group(self.net, None if self.head is None else "head", matcher(self.net), "net")
        return self._parts

    def set_training(self, trainable_parts: set[str]) -> None:
        """Train these parts and freeze the others, dropout included."""
        set_training(self, trainable_parts)

    def cam_module(self) -> None:
        """A text has no map of places."""
        return None

    def save(self, folder: Path, labels: list[str], preprocess: dict[str, Any]) -> None:
        """Write ``config.json``, ``model.safetensors`` and the tokenizer's files.

        ``AutoModel`` of transformers loads the encoder from it; ``head.weight`` and ``head.bias`` in the same file are
        the head. ``preprocess`` is what evaluation used: ``max_length`` in tokens, and ``pooling`` where the head does
        not sit on their mean.
        """
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        config: dict[str, Any] = self.net.encoder.config.to_dict()
        for left_out in ("_name_or_path", "num_labels"):
            config.pop(left_out, None)
        config |= {
            "architectures": [type(self.net.encoder).__name__],
            "id2label": {str(i): label for i, label in enumerate(labels)},
            "label2id": {label: i for i, label in enumerate(labels)},
            "dtype": "float32",
            "studio_pooling": preprocess.get("pooling", "mean"),
            "studio_max_length": int(preprocess["max_length"]),
        }
        text = json.dumps(config, indent=2, default=str, ensure_ascii=False)
        (folder / "config.json").write_text(text, encoding="utf-8")
        weights = untied(self.net.encoder)
        if self.head is not None:
            weights |= {f"head.{name}": tensor for name, tensor in untied(self.head).items()}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        tokenization.copy(self.folder, folder)


def matcher(net: nn.Module) -> Any:
    """The order of a tensor's name: embeddings, numbered layers, what follows them."""
    names = [name for name, _ in net.named_parameters()]
    numbered = [place for place, name in enumerate(names) if LAYER.search(name)]
    last = numbered[-1] if numbered else len(names)
    behind = {name for place, name in enumerate(names) if place > last}

    def find(name: str) -> Key:
        if match := LAYER.search(name):
            return (float(match[1]),)
        return NECK if name in behind and "embed" not in name else STEM

    return find
