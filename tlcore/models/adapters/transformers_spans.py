"""Text encoders as networks for question answering, built from the same folders that `from_text` opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlcore.models import weight_files
from tlcore.models.adapters.build import new_head
from tlcore.models.adapters.checked_network import network

if TYPE_CHECKING:
    from tlcore.models.adapters.build import ModelFolder
    from tlcore.models.adapters.span_model import SpanModel


def build(opened: ModelFolder, pretrained: bool, size: int, seed: int) -> SpanModel:
    """The encoder with the source's own head for question answering where it has one, else a fresh one.

    ``size`` is in tokens and changes nothing of the network. Raises UnusableInput where weights and architecture do not
    fit.
    """
    import torch
    from transformers import AutoModelForQuestionAnswering

    from tlcore.models.adapters.span_model import HEADS, SpanModel

    own = pretrained and has_head(opened)

    def may_lack(key: str) -> bool:
        return not own and key.partition(".")[0] in (*HEADS, "head")

    net = network(opened, AutoModelForQuestionAnswering, pretrained, seed, may_lack=may_lack, changes={"num_labels": 2})
    model = SpanModel(net, opened.config, opened.folder, size)
    if not own:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            new_head(model.head)
    return model


def has_head(opened: ModelFolder) -> bool:
    """Whether the folder is one of a network for question answering, its head in it."""
    from tlcore.models.adapters.span_model import HEADS

    named = opened.config.get("architectures")
    if not (isinstance(named, list) and any(str(one).endswith("ForQuestionAnswering") for one in named)):
        return False
    shapes = weight_files.read_weights(opened.folder).shapes
    return any(shapes.get(f"{name}.weight", (0,))[0] == 2 for name in HEADS)
