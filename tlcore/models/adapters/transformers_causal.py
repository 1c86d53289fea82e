"""Networks that go on writing, in transformers' layout, untrusted: known architectures, never code of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.models import tokenization
from tlcore.models.adapters import transformers_text
from tlcore.models.adapters.checked_network import check_sizes, network

if TYPE_CHECKING:
    from tlcore.models.adapters.build import ModelFolder
    from tlcore.models.adapters.causal_model import CausalModel

KINDS = frozenset(
    {"gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "smollm3", "gpt_neox"}
)
LARGEST = {
    **transformers_text.LARGEST,
    "max_position_embeddings": 2_000_000,
    "n_positions": 131_072,
    "n_embd": 8_192,
    "n_layer": 96,
    "n_head": 256,
    "n_inner": 65_536,
    "num_key_value_heads": 256,
    "head_dim": 1_024,
}


def preprocess(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """How a text becomes the network's input. Raises UnusableInput where sizes or tokenizer cannot be."""
    check_sizes(config, LARGEST)
    positions = config.get("max_position_embeddings") or config.get("n_positions")
    bos, eos = (_first(config.get(name)) for name in ("bos_token_id", "eos_token_id"))
    return {
        "modality": "causal",
        "input_size": tokenization.longest(folder, {**config, "max_position_embeddings": positions}),
        "resizable": True,
        "multiple": 1,
        "pad": eos or 0,
        "bos": eos if bos is None else bos,
        "end": eos,
        "folder": str(folder),
    }


def build(opened: ModelFolder, num_classes: int | None, pretrained: bool, size: int, seed: int) -> CausalModel:
    """The network as transformers builds it, its saved weights loaded and checked; nothing new is put on it, whatever
    ``num_classes`` is. ``size`` is in tokens and changes nothing of the network.
    """
    from transformers import AutoModelForCausalLM

    from tlcore.models.adapters.causal_model import CausalModel

    return CausalModel(network(opened, AutoModelForCausalLM, pretrained, seed), opened.config, opened.folder, size)


def _first(value: Any) -> int | None:
    """A token's id, of which a config may name several."""
    value = value[0] if isinstance(value, list) and value else value
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
