"""Selects the fast one of torch's equivalent implementations for the device (figures: docs/benchmarks.md)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tlcore.core.machine import Machine

LONGEST = 256  # tokens; for longer texts, storing the attention matrices of all layers needs too much memory


def half(model: Any, machine: Machine) -> bool:
    """Whether to train in bfloat16.

    On a CPU it is slower than float32 for networks of depthwise convolutions with batch norm (MobileNet, EfficientNet),
    even on machines with bfloat16 matrix instructions.
    """
    from torch import nn

    layers = list(model.modules())
    depthwise = any(isinstance(one, nn.Conv2d) and one.groups == one.in_channels > 1 for one in layers)
    normed = any(isinstance(one, nn.BatchNorm2d) for one in layers)
    return machine.bf16 and not (machine.device == "cpu" and depthwise and normed)


@contextmanager
def stepwise_attention(model: Any, device: str) -> Iterator[None]:
    """A context in which transformers' networks on a CPU use "eager" instead of torch's fused attention.

    Fused attention is faster in the forward pass, but not in the backward pass on a CPU, and it does not support
    dropout there. Results are equal up to rounding.
    """
    fused = [
        one
        for one in model.modules()
        if hasattr(one, "set_attn_implementation") and one.config._attn_implementation == "sdpa"
    ]
    if fused and (device != "cpu" or model.input_size > LONGEST):
        fused = []
    for one in fused:
        one.set_attn_implementation("eager")
    try:
        yield
    finally:
        for one in fused:
            one.set_attn_implementation("sdpa")
