"""How long texts are in tokens: of some of them, guessed before the source model is open, and as work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    Rows = TypeVar("Rows", pd.Series, pd.DataFrame)

TOKENS_A_WORD = 1.4
PICTURE_TOKENS = 197  # of a picture of 224 px in a vision transformer: what an example's work is counted in


def some(rows: Rows, most: int) -> Rows:
    """Rows drawn at random where there are more, in their order."""
    if len(rows) <= most:
        return rows
    return rows.iloc[np.sort(np.random.default_rng(0).permutation(len(rows))[:most])]


def guessed(texts: Iterable[str], marks: int = 2) -> np.ndarray:
    """Tokens of texts without a tokenizer, with the ``marks`` that it puts around them."""
    return np.array([marks + TOKENS_A_WORD * len(text.split()) for text in texts])


def covering(lengths: np.ndarray, least: int = 16) -> int:
    """Tokens at most that 95 % of the texts keep to, a multiple of eight."""
    return max(least, -(-int(np.ceil(np.quantile(lengths, 0.95))) // 8) * 8)


def side(mean: float) -> int:
    """The side in pixels of a picture that is as much work for a network as so many tokens are."""
    return max(16, round(224 * (mean / PICTURE_TOKENS) ** 0.5))
