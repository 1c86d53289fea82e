"""Where Grad-CAM looks in a network (Selvaraju et al., ICCV 2017, arXiv 1610.02391)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class CamTarget:
    """A layer whose output still knows places in the picture, and how that output is laid out.

    ``layout``: ``nchw`` and ``nhwc`` are maps; ``tokens`` is (B, N, D), the first ``prefix`` tokens without
    a place.
    """

    module: nn.Module
    layout: Literal["nchw", "nhwc", "tokens"]
    prefix: int = 0

    def maps(self, output: torch.Tensor) -> torch.Tensor:
        """The module's output (or its gradient) as maps (B, C, H, W)."""
        if self.layout == "nchw":
            return output
        if self.layout == "nhwc":
            return output.permute(0, 3, 1, 2)
        patches = output[:, self.prefix :]
        side = int(patches.shape[1] ** 0.5)
        return patches.transpose(1, 2).unflatten(2, (side, side))


def find_cam_target(model: Any) -> CamTarget | None:
    """The last module with a map, seen on a blank picture; of token networks the last block's first norm."""
    import torch

    calls: list[tuple[str, tuple[int, ...]]] = []

    def note(name: str):
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, torch.Tensor):
                calls.append((name, tuple(output.shape)))

        return hook

    modules = dict(model.net.named_modules())
    hooks = [module.register_forward_hook(note(name)) for name, module in modules.items() if name]
    training = {name: module.training for name, module in modules.items()}
    try:
        model.eval()
        weight = next(model.parameters())
        with torch.no_grad():
            model(torch.zeros(1, 3, model.input_size, model.input_size, device=weight.device, dtype=weight.dtype))
    finally:
        for handle in hooks:
            handle.remove()
        for name, module in modules.items():
            module.training = training[name]
    return _choose(model.net, modules, calls)


def _choose(
    net: nn.Module, modules: dict[str, nn.Module], calls: list[tuple[str, tuple[int, ...]]]
) -> CamTarget | None:
    maps = [i for i, (_, shape) in enumerate(calls) if len(shape) == 4 and _layout(shape)]
    tokens = [i for i, (_, shape) in enumerate(calls) if len(shape) == 3 and shape[1] >= 4]
    if tokens and (not maps or tokens[-1] > maps[-1]) and len(tokens) > 8:
        # The last block's output reaches the head through one token only in most ViTs: no gradient at the
        # patches. Its first norm feeds the attention, where every patch still counts.
        block = _last_block([calls[i][0] for i in tokens])
        norms = [
            i for i in tokens if calls[i][0].startswith(block) and "norm" in calls[i][0].rpartition(".")[2].lower()
        ]
        if norms:
            name, shape = calls[norms[0]]
            return CamTarget(modules[name], "tokens", _prefix(net, shape[1]))
    if not maps:
        return None
    name, shape = calls[maps[-1]]
    layout = _layout(shape)
    return CamTarget(modules[name], layout) if layout else None


def _layout(shape: tuple[int, ...]) -> Literal["nchw", "nhwc"] | None:
    """Square maps with more than one place; channels are on the axis that differs."""
    _, a, b, c = shape
    if b == c and b > 1:
        return "nchw"
    return "nhwc" if a == b and a > 1 else None


def _last_block(names: list[str]) -> str:
    numbered = [m.group(0) for name in names if (m := re.match(r".*?\.?\d+\.", name))]
    return numbered[-1] if numbered else ""


def _prefix(net: nn.Module, tokens: int) -> int:
    known = getattr(net, "num_prefix_tokens", None)
    config = getattr(net, "config", None)
    if known is None and config is not None:
        known = (0 if "siglip" in config.model_type else 1) + (getattr(config, "num_register_tokens", 0) or 0)
    if known is not None and int((tokens - known) ** 0.5) ** 2 == tokens - known:
        return int(known)
    return tokens - int(tokens**0.5) ** 2
