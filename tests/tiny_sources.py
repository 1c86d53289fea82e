"""A tiny source model for each kind of network that a task reads: random weights in hub layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import causal_models
import pair_models
import text_models


def write(kind: str, folder: Path, *, attention: bool = True) -> Path:
    """A source model of a family (`Task.source_families`), with attention layers or, where there are such, without."""
    return SOURCES[kind](folder, attention)


def _image(folder: Path, attention: bool) -> Path:
    import timm
    import torch
    from timm.models import save_for_hf

    torch.manual_seed(0)
    model = timm.create_model("test_vit" if attention else "test_resnet", num_classes=10)
    save_for_hf(model, folder, safe_serialization=True)
    return folder


SOURCES: dict[str, Callable[[Path, bool], Path]] = {
    "image": _image,
    "text": lambda folder, attention: text_models.write_model(folder),
    "causal": lambda folder, attention: causal_models.write_model(folder),
    "seq2seq": lambda folder, attention: pair_models.write_model(folder, "t5"),
}
