"""Which way of computing attention is fast where it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LONGEST = 256  # tokens; of longer texts the matrices of all layers, which are kept for the way back, need much memory


@contextmanager
def plain(model: Any, device: str) -> Iterator[None]:
    """Within it, transformers' networks on the CPU compute attention step by step ("eager") where they would call
    torch's fused attention: the fused one is faster forwards, but its way back on the CPU is not, and with dropout
    there is none (docs/benchmarks.md has the ratio). The numbers are the same but for rounding.
    """
    fused = [
        one for one in model.modules()
        if hasattr(one, "set_attn_implementation") and one.config._attn_implementation == "sdpa"
    ]  # fmt: skip
    if fused and (device != "cpu" or model.input_size > LONGEST):
        fused = []
    for one in fused:
        one.set_attn_implementation("eager")
    try:
        yield
    finally:
        for one in fused:
            one.set_attn_implementation("sdpa")
