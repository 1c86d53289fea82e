"""What the two libraries share when a network is built from an untrusted folder."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tlcore.core import limits, machine
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.models import weight_files

if TYPE_CHECKING:
    from torch import nn


class ModelFolder(Protocol):
    """What building needs of a model folder that was opened (`opened.OpenSource`)."""

    folder: Path
    config: dict[str, Any]
    preprocess: dict[str, Any]
    size_checked: bool  # whether `check_size` has passed it


# What a library raises on a config that does not belong to the weights, or that describes nothing.
BUILD_ERRORS = (
    RuntimeError,
    TypeError,
    ValueError,
    AssertionError,
    KeyError,
    AttributeError,
    IndexError,
    MemoryError,
    OSError,
    ArithmeticError,
    NotImplementedError,
    ImportError,
)
SAFETENSORS = ("SafetensorError", "HeaderTooLarge", "incomplete", "deserializing header")
PATH = re.compile(r"(?<![\w.])/(?:[^\s/'\"]+/)+")  # of a path all but its last part
SLACK = 60_000_000  # weights that a file may lack: a head for many classes, a pooler


def check_size(opened: ModelFolder, make: Callable[[], nn.Module]) -> None:
    """Refuse a config that describes a far larger network than the file holds, before memory is taken for it.

    ``make`` builds the network; here it does so on torch's meta device, which allocates nothing.
    """
    import torch

    if opened.size_checked:
        return
    try:
        with torch.device("meta"):
            described = sum(parameter.numel() for parameter in make().parameters())
    except BUILD_ERRORS:
        return  # building it in earnest gives the reason
    held = weight_files.read_weights(opened.folder).values
    if described > 1.5 * held + SLACK:
        raise UnusableInput(
            sentence(
                "config.json describes a network of {described} million weights, and model.safetensors holds "
                "{held} million. They do not belong together.",
                described=round(described / 1e6),
                held=round(held / 1e6),
            ),
            code="source-mismatch",
            file=weight_files.CONFIG,
        )
    opened.size_checked = True


def check_complete(info: Any, kind: str, may_lack: Callable[[str], bool]) -> None:
    """Refuse where transformers' account of the loading has layers that were not in the file, but for those that it
    ``may_lack``.
    """

    def get(name: str) -> Any:
        return info[name] if isinstance(info, dict) else getattr(info, name)

    def used(key: str) -> bool:
        return not may_lack(key) and not key.endswith("position_ids")

    if mismatched := [key[0] for key in get("mismatched_keys") if used(key[0])]:
        raise does_not_fit(kind, ValueError(f"size mismatch for {mismatched[0]}"))
    if missing := [key for key in get("missing_keys") if used(key)]:
        raise does_not_fit(kind, ValueError(f"missing keys: {', '.join(sorted(missing)[:3])}"))


def new_head(head: Any) -> None:
    """Small random weights and no bias: the first predictions are near even."""
    from torch import nn

    nn.init.normal_(head.weight, std=0.01)
    if head.bias is not None:
        nn.init.zeros_(head.bias)


def does_not_fit(architecture: str, error: BaseException) -> UnusableInput:
    """Weights and config that do not belong together, in one sentence with the library's first reason; or what else
    kept the network from being built: too little memory, or damaged weights.
    """
    if machine.out_of_memory(error):
        return UnusableInput(
            sentence(
                "There was not enough memory to build the network {name}. Choose a smaller source model, or use a "
                "machine with more memory.",
                name=architecture,
            ),
            code="source-too-large",
            file=weight_files.WEIGHTS,
        )
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = (line for line in lines[1:] if "size mismatch" in line or "key" in line.lower())
    reason = next(telling, lines[0] if lines else type(error).__name__)
    if type(error).__name__ == "SafetensorError" or any(word in reason for word in SAFETENSORS):
        return UnusableInput(
            sentence("model.safetensors is damaged and cannot be read. Download or copy it once more."),
            code="source-weights",
            file=weight_files.WEIGHTS,
        )
    reason = PATH.sub("", reason)  # a library names the folder where the files lie for the time being
    return UnusableInput(
        sentence(
            "model.safetensors does not fit the architecture {name} that config.json names: {reason}",
            name=architecture,
            reason=reason[:300],
        ),
        code="source-mismatch",
        file=weight_files.WEIGHTS,
    )


def memory_exceeded(title: str, limit: int) -> UnusableInput:
    """A model that needed more than ``limit`` bytes while it was tried."""
    return UnusableInput(
        sentence(
            "{model} needed more than {gigabytes} GB of memory while it was tried once with short inputs, much more "
            "than its weights take. Choose another model.",
            model=title,
            gigabytes=round(limit / limits.GB, 1),
        ),
        code="source-too-large",
    )


def no_linear_head(architecture: str) -> UnusableInput:
    """A network that a new head cannot be fitted to."""
    return UnusableInput(
        sentence(
            "The network {name} does not end in one linear layer, which the studio needs to fit a new head.",
            name=architecture,
        ),
        code="source-head",
        file=weight_files.CONFIG,
    )
