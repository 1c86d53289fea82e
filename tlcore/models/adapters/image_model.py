"""An image network behind one small contract. Imports torch: import this inside functions only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tlcore.models.adapters.class_activation import CamTarget, find_cam_target
from tlcore.models.layer_grouping import group
from tlcore.models.layer_groups import LayerGroup


class ImageModel(nn.Module):
    """``net`` is the library's own module, with its own key names; ``head`` its last linear layer.

    ``head`` is None only where ``build(num_classes=None)`` opened a source without a head; then ``forward``
    gives features.
    """

    def __init__(
        self,
        net: nn.Module,
        head_name: str | None,
        library: str,
        config: dict[str, Any],
        matcher: Callable[[str], tuple[float, ...]] | None,
        input_size: int,
        write_config: Callable[[Path, nn.Module, list[str], dict[str, Any]], None],
    ):
        super().__init__()
        self.net, self.head_name, self.library, self.config = net, head_name, library, config
        self.input_size = input_size
        self._matcher, self._write_config = matcher, write_config
        self._parts: list[LayerGroup] | None = None

    @property
    def head(self) -> nn.Linear | None:
        """The last linear layer: D features in, C classes out."""
        return None if self.head_name is None else self.net.get_submodule(self.head_name)  # type: ignore[return-value]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits (B, C) of normalised pictures (B, 3, S, S)."""
        outputs = self.net(pixels)
        if isinstance(outputs, torch.Tensor):
            return outputs
        logits = outputs.get("logits") if hasattr(outputs, "get") else outputs[0]
        return outputs["pooler_output"] if logits is None else logits

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """What the head sees, (B, D): in eval mode ``classify(features(x))`` equals ``forward(x)``."""
        head = self.head
        if head is None:
            return self(pixels)
        seen: list[torch.Tensor] = []
        hook = head.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
        try:
            self(pixels)
        finally:
            hook.remove()
        return seen[-1].flatten(1)

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        """Logits (B, C) of features (B, D)."""
        return features if self.head is None else self.head(features)

    def parts(self) -> list[LayerGroup]:
        """Ordered groups from input to head; each parameter and buffer is in exactly one, named as in this
        module.

        Modules that hold layers of several parts belong to none.
        """
        if self._parts is None:
            self._parts = group(self.net, self.head_name, self._matcher, "net")
        return self._parts

    def set_training(self, trainable_parts: set[str]) -> None:
        """Train these parts and freeze the others: weights, dropout and batch-norm statistics."""
        set_training(self, trainable_parts)

    def example(self, size: int) -> tuple[torch.Tensor]:
        """One input that means nothing, to try the network with."""
        return (torch.zeros(1, 3, size, size),)

    def cam_module(self) -> CamTarget | None:
        """Where Grad-CAM looks: the last layer that still knows places in the picture, if there is one."""
        return find_cam_target(self)

    def save(self, folder: Path, labels: list[str], preprocess: dict[str, Any]) -> None:
        """Write ``config.json`` and ``model.safetensors`` as the library itself loads them back.

        ``preprocess`` is what evaluation used: ``input_size``, ``mean``, ``std``, ``interpolation``,
        ``crop_pct``.
        """
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        self._write_config(folder, self.net, labels, {"input_size": self.input_size, **preprocess})
        save_file(untied(self.net), folder / "model.safetensors", metadata={"format": "pt"})


def set_training(model: Any, trainable_parts: set[str]) -> None:
    """Train these parts of a model and freeze the others; ``model`` has ``parts()``."""
    parts = model.parts()
    unknown = trainable_parts - {part.name for part in parts}
    if unknown:
        raise ValueError(f"no such parts: {sorted(unknown)}; have {[part.name for part in parts]}")
    parameters, modules = dict(model.named_parameters()), dict(model.named_modules())
    model.train(bool(trainable_parts))
    for part in parts:
        train = part.name in trainable_parts
        for name in part.parameters:
            parameters[name].requires_grad_(train)
        for name in part.modules:
            modules[name].training = train


def untied(net: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict, on the CPU, contiguous, each tied tensor copied: safetensors refuses shared memory."""
    tensors: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for name, tensor in net.state_dict().items():
        tensor = tensor.detach().cpu().contiguous()
        storage = tensor.untyped_storage().data_ptr()
        tensors[name] = tensor.clone() if storage in seen else tensor
        seen.add(storage)
    return tensors
