"""Text encoders in transformers' layout, untrusted: known architectures, and never code of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import UnusableInput
from tlcore.models import tokenization, weight_files
from tlcore.models.adapters.build import new_head
from tlcore.models.adapters.checked_network import check_sizes, network

if TYPE_CHECKING:
    from tlcore.models.adapters.build import ModelFolder
    from tlcore.models.adapters.text_model import TextModel

KINDS = frozenset(
    {
        "bert",
        "roberta",
        "xlm-roberta",
        "camembert",
        "distilbert",
        "deberta",
        "deberta-v2",
        "modernbert",
        "electra",
        "albert",
        "mpnet",
    }
)
LARGEST = {
    "hidden_size": 8_192,
    "dim": 8_192,
    "num_hidden_layers": 96,
    "n_layers": 96,
    "intermediate_size": 65_536,
    "hidden_dim": 65_536,
    "vocab_size": 1_000_000,
    "max_position_embeddings": 131_072,
    "num_attention_heads": 256,
    "n_heads": 256,
}


def preprocess(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """How a text becomes the network's input. Raises UnusableInput where sizes or tokenizer cannot be."""
    check_sizes(config, LARGEST)
    pad = config.get("pad_token_id")
    return {
        "modality": "text",
        "input_size": tokenization.longest(folder, config),
        "resizable": True,
        "multiple": 1,
        "pad": pad if isinstance(pad, int) and not isinstance(pad, bool) and pad >= 0 else 0,
        "folder": str(folder),
    }


def build(opened: ModelFolder, num_classes: int | None, pretrained: bool, size: int, seed: int) -> TextModel:
    """The encoder as transformers builds it, its saved weights loaded and checked, and a fresh head.

    ``size`` is in tokens and changes nothing of the network.
    """
    import torch
    from torch import nn
    from transformers import AutoModel

    from tlcore.models.adapters.text_model import TextModel

    encoder = network(opened, AutoModel, pretrained, seed)
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None  # made for another task; the mean of all tokens takes its place
    width = encoder.config.hidden_size
    head: nn.Linear | None = None
    if num_classes is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head = nn.Linear(width, num_classes)
            new_head(head)
    elif pretrained:
        head = _own_head(opened, width)
    return TextModel(encoder, head, opened.config, opened.folder, size)


def with_masked_head(opened: ModelFolder) -> Any:
    """The source as it guesses hidden words, in evaluation mode; None where its file has no head for that."""
    from transformers import AutoModelForMaskedLM

    names = opened.config.get("architectures")
    if not isinstance(names, list) or not any(str(name).endswith(("ForMaskedLM", "ForPreTraining")) for name in names):
        return None
    try:
        return network(opened, AutoModelForMaskedLM, True, 0).eval()
    except UnusableInput:
        return None


def _own_head(opened: ModelFolder, width: int) -> Any:
    """The head that a model of the studio brings, in its file of weights."""
    from safetensors import safe_open
    from torch import nn

    shape = weight_files.read_weights(opened.folder).shapes.get("head.weight")
    if shape is None or len(shape) != 2 or shape[1] != width:
        return None
    head = nn.Linear(width, shape[0])
    with safe_open(opened.folder / weight_files.WEIGHTS, framework="pt") as kept:
        state = {"weight": kept.get_tensor("head.weight"), "bias": kept.get_tensor("head.bias")}
    head.load_state_dict(state)
    return head
