"""Which of torch's ways to compute the same is the fast one where it is trained (figures: docs/benchmarks.md)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tlcore.core.machine import Machine

LONGEST = 256  # tokens; of longer texts the matrices of all layers, which are kept for the way back, need much memory


def half(model: Any, machine: Machine) -> bool:
    """Whether bfloat16 is faster than float32: on a CPU it is not for networks of depthwise convolutions with batch
    norm (MobileNet, EfficientNet), whatever the machine has for matrices.
    """
    from torch import nn

    layers = list(model.modules())
    depthwise = any(isinstance(one, nn.Conv2d) and one.groups == one.in_channels > 1 for one in layers)
    normed = any(isinstance(one, nn.BatchNorm2d) for one in layers)
    return machine.bf16 and not (machine.device == "cpu" and depthwise and normed)


@contextmanager
def stepwise_attention(model: Any, device: str) -> Iterator[None]:
    """Within it, transformers' networks on the CPU compute attention step by step ("eager") where they would call
    torch's fused attention: the fused one is faster forwards, but its way back on the CPU is not, and with dropout
    there is none. The numbers are the same but for rounding.
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
