"""Text pairs of one split: both sides tokenized once, served in batches padded to their longest text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.data.splits import units
from tlcore.models.pair_tokenization import IGNORED, first
from tlcore.tasks.shared.text_examples import Tokens

if TYPE_CHECKING:
    import torch

    from tlcore.data.dataset import Dataset


class PairTokens:
    """Tokens of both sides of a dataset; ``pair`` is (source, target) tokenizer JSON, or None if unavailable."""

    def __init__(self, dataset: Dataset, pair: tuple[str, str] | None, processor: dict[str, Any], folder: Path | None):
        source, target = pair or (None, None)
        self.written = target
        self.first = None if target is None else first(target)
        self.source = Tokens(
            dataset, None, processor["size"], folder, tokenizer_json=source, prefix=processor["prefix"]
        )
        self.target = Tokens(dataset, None, processor["target"], folder, tokenizer_json=target, column="target")


class PairExamples:
    """One split: ``ids``, ``texts``, ``references`` and batches of tensors."""

    def __init__(self, dataset: Dataset, split: str, processor: dict[str, Any], held: PairTokens):
        rows = dataset.rows
        self.rows = np.flatnonzero((rows["split"] == split).to_numpy())
        mine = rows.iloc[self.rows]
        self.ids, self.texts, self.references = (mine[name].tolist() for name in ("id", "text", "target"))
        self.groups = units(mine)
        self.beams = processor["beams"] if split == "test" else 1
        self.processor, self.held = processor, held

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each source text (n,)."""
        return self.held.source.lengths(self.rows)

    def batches(
        self, chunks: Sequence[np.ndarray], key: tuple[int, int] | None, device: str
    ) -> Iterator[dict[str, torch.Tensor | int | None]]:
        """One batch for each chunk of indices.

        ``ids`` and ``mask`` (k, longest source), ``labels`` (k, longest target) with `IGNORED` for padding; ``most``,
        the largest number of tokens to generate; ``beams``; ``first``, the first token to generate.

        There is no augmentation: ``key`` is ignored.
        """
        import torch

        settings = {"most": self.processor["target"], "beams": self.beams, "first": self.held.first}
        for chunk in chunks:
            ids, mask = self.held.source.padded(self.rows[chunk], self.processor["pad"])
            labels, _ = self.held.target.padded(self.rows[chunk], IGNORED)
            yield {
                "ids": torch.from_numpy(ids).to(device),
                "mask": torch.from_numpy(mask).to(device),
                "labels": torch.from_numpy(labels).to(device),
                **settings,
            }

    def read(self, tokens: np.ndarray) -> list[str]:
        """Texts decoded from rows of token ids (n, T), padded with `IGNORED`. Raises ValueError without a tokenizer."""
        from tlcore.models.tokenization import open_tokenizer

        if self.held.written is None:
            raise ValueError("these examples were asked for without a source model: they have no tokens")
        tokenizer = open_tokenizer(self.held.written, self.processor["target"])
        return [text.strip() for text in tokenizer.decode_batch([row[row >= 0].tolist() for row in tokens])]
