"""A network that goes on writing, behind the studio's contract for models. Imports torch: inside functions only."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from tlcore.models import tokenization
from tlcore.models.adapters.image_model import set_training
from tlcore.models.layer_grouping import NECK, STEM, Key, group
from tlcore.models.layer_groups import LayerGroup

LAYER = re.compile(r"\.(?:layers|h)\.(\d+)\.")
AT_ONCE = 2_048  # places whose words are weighed at once: a vocabulary of 150,000 times this is 1.2 GB
UNSCORED = -100  # in labels, as transformers has it


class CausalModel(nn.Module):
    """``net`` is transformers' own network with its own output layer, which may share its weights with the input's."""

    head = None
    head_name = "head"

    def __init__(self, net: nn.Module, config: dict[str, Any], folder: Path, length: int):
        super().__init__()
        self.net = net
        self.library, self.config, self.folder, self.input_size = "transformers", config, folder, length
        self._parts: list[LayerGroup] | None = None

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Logits (B, T, V) of the token that follows each of ``ids`` (B, T)."""
        return self.net(input_ids=ids, attention_mask=mask, use_cache=False).logits

    def weighed(
        self, ids: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Of each place to be scored: its loss in nats (N,), whether the likeliest token was right (N,), and its row.

        ``labels`` (B, T) are the ids where a token is scored given those before it, -100 elsewhere. Logits are made for
        these places alone and a few at a time, and made again for the gradient: a whole batch of them would not fit.
        """
        hidden = self.net.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state[:, :-1]
        wanted = labels[:, 1:]
        rows, places = (wanted != UNSCORED).nonzero(as_tuple=True)
        states, truth = hidden[rows, places], wanted[rows, places]
        losses, hits = [], []
        for start in range(0, len(rows), AT_ONCE):
            piece = states[start : start + AT_ONCE], truth[start : start + AT_ONCE]
            keep = torch.is_grad_enabled()
            loss, hit = checkpoint(self._losses, *piece, use_reentrant=False) if keep else self._losses(*piece)
            losses.append(loss)
            hits.append(hit)
        if not losses:
            return hidden.sum(dim=(1, 2))[:0].float(), rows.bool(), rows
        return torch.cat(losses), torch.cat(hits), rows

    def _losses(self, states: torch.Tensor, truth: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = self.net.get_output_embeddings()(states).float()
        cap = getattr(self.net.config, "final_logit_softcapping", None)
        if cap:
            logits = cap * torch.tanh(logits / cap)
        return functional.cross_entropy(logits, truth, reduction="none"), logits.argmax(dim=-1) == truth

    def example(self, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """One input that means nothing, to try the network with."""
        return torch.ones(1, min(size, 8), dtype=torch.long), torch.ones(1, min(size, 8), dtype=torch.long)

    def parts(self) -> list[LayerGroup]:
        """The table of tokens first, then the layers, then what follows them; each parameter and buffer in one.

        An output layer that shares the table's weights is no part of its own.
        """
        if self._parts is None:
            known = dict(self.net.named_parameters())
            own = next(
                (name.removesuffix(".weight") for name in known if re.match(r"(lm_head|embed_out)\.", name)), None
            )
            self._parts = group(self.net, own, _order, "net")
        return self._parts

    def set_training(self, trainable_parts: set[str]) -> None:
        """Train these parts and freeze the others, dropout included."""
        set_training(self, trainable_parts)

    def cam_module(self) -> None:
        """A text has no map of places."""
        return None

    def save(self, folder: Path, labels: list[str], preprocess: dict[str, Any]) -> None:
        """Write ``config.json``, ``model.safetensors`` and the tokenizer's files, as ``AutoModelForCausalLM`` loads
        them; a tensor that two layers share is written once. ``preprocess``: ``max_length`` in tokens.
        """
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        config: dict[str, Any] = self.net.config.to_dict()
        config.pop("_name_or_path", None)
        config |= {
            "architectures": [type(self.net).__name__],
            "dtype": "float32",
            "studio_max_length": int(preprocess["max_length"]),
        }
        text = json.dumps(config, indent=2, default=str, ensure_ascii=False)
        (folder / "config.json").write_text(text, encoding="utf-8")
        save_file(_once(self.net), folder / "model.safetensors", metadata={"format": "pt"})
        (folder / tokenization.TOKENIZER).write_text(tokenization.read(self.folder), encoding="utf-8")
        for name in tokenization.FILES[1:]:
            if (self.folder / name).is_file():
                shutil.copyfile(self.folder / name, folder / name)


def _once(net: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict on the CPU, a tensor that has two names under its first, the table of tokens'."""
    found: dict[int, tuple[str, torch.Tensor]] = {}
    for name, tensor in net.state_dict().items():
        found.setdefault(tensor.data_ptr(), (name, tensor.detach().cpu().contiguous()))
    return dict(found.values())


def _order(name: str) -> Key:
    """The order of a tensor's name: the table of tokens, numbered layers, what follows them."""
    if match := LAYER.search(name):
        return (float(match[1]),)
    return STEM if "embed" in name or ".wte" in name or ".wpe" in name or "rotary" in name else NECK
