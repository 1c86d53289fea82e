"""Text lengths in tokens: sampled, estimated without a tokenizer, and converted to compute cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    Rows = TypeVar("Rows", pd.Series, pd.DataFrame)

TOKENS_A_WORD = 1.4
PICTURE_TOKENS = 197  # tokens of a 224 px image in a vision transformer: the unit of an example's cost


def some(rows: Rows, most: int) -> Rows:
    """At most ``most`` rows, sampled at random, in their original order."""
    if len(rows) <= most:
        return rows
    return rows.iloc[np.sort(np.random.default_rng(0).permutation(len(rows))[:most])]


def guessed(texts: Iterable[str], marks: int = 2) -> np.ndarray:
    """Estimated tokens (n,) of texts without a tokenizer, plus ``marks`` special tokens each."""
    return np.array([marks + TOKENS_A_WORD * len(text.split()) for text in texts])


def covering(lengths: np.ndarray, least: int = 16) -> int:
    """The length in tokens that covers 95 % of the texts, rounded up to a multiple of eight; at least ``least``."""
    return max(least, -(-int(np.ceil(np.quantile(lengths, 0.95))) // 8) * 8)


def side(mean: float) -> int:
    """Side in pixels of a square image that costs a network as much as ``mean`` tokens."""
    return max(16, round(224 * (mean / PICTURE_TOKENS) ** 0.5))
