"""The texts of one split: tokenized once, cached on disk, served in batches padded to their longest text."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core import atomic_files
from tlcore.data.splits import units
from tlcore.models import tokenization
from tlcore.store import cache

if TYPE_CHECKING:
    import torch

    from tlcore.data.dataset import Dataset

AT_ONCE = 10_000  # texts tokenized in one call


class Tokens:
    """Token ids of a dataset, truncated to ``length`` tokens: one flat array and the start of each text in it.

    ``model`` is the folder of the tokenizer; ``tokenizer_json`` replaces it where given. Without either, tokens are
    unavailable (ValueError) and only labels are known. ``prefix`` is prepended to each text of ``column``.
    """

    def __init__(
        self,
        dataset: Dataset,
        model: Path | None,
        length: int,
        folder: Path | None,
        *,
        tokenizer_json: str | None = None,
        column: str = "text",
        prefix: str = "",
    ):
        self.dataset, self.model, self.length, self.folder = dataset, model, length, folder
        self.tokenizer_json, self.column, self.prefix = tokenizer_json, column, prefix

    @cached_property
    def _kept(self) -> tuple[np.ndarray, np.ndarray]:
        """``ids`` (all tokens,) int32 and ``starts`` (n + 1,) int64."""
        tokenizer_json = self.tokenizer_json
        if tokenizer_json is None:
            if self.model is None:
                raise ValueError("these examples were asked for without a source model: they have no tokens")
            tokenizer_json = tokenization.read(self.model)

        def make() -> dict[str, np.ndarray]:
            texts = self.prefix + self.dataset.rows[self.column]
            return dict(zip(("ids", "starts"), encode(tokenizer_json, texts, self.length), strict=True))

        what = tokenization.digest("\x1f".join([tokenizer_json, self.column, self.prefix]))
        name = f"{self.dataset.cached_as}-{what}-{self.length}.npz"
        kept = arrays(self.folder / name if self.folder else None, make)
        return kept["ids"], kept["starts"]

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """Tokens of each row, (k,)."""
        starts = self._kept[1]
        return starts[rows + 1] - starts[rows]

    def padded(self, rows: np.ndarray, pad: int) -> tuple[np.ndarray, np.ndarray]:
        """Token ids and mask of these rows, each (k, longest) int64."""
        return padded(*self._kept, rows, pad)


def arrays(path: Path | None, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Named arrays from a cache file, else computed with ``make`` and written there atomically."""
    if path:
        with contextlib.suppress(FileNotFoundError), np.load(path) as kept:
            cache.touch(path)
            return dict(kept)
    made = make()
    if path:
        with atomic_files.atomic_path(path) as draft, draft.open("wb") as file:
            np.savez(file, **made)
    return made


def padded(values: np.ndarray, starts: np.ndarray, rows: np.ndarray, pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Values of these rows, padded with ``pad``, and their mask (1 where valid): each (k, longest) int64."""
    lengths = starts[rows + 1] - starts[rows]
    longest = max(1, int(lengths.max()))
    out = np.full((len(rows), longest), pad, np.int64)
    mask = (np.arange(longest) < lengths[:, None]).astype(np.int64)
    for place, row in enumerate(rows):
        out[place, : lengths[place]] = values[starts[row] : starts[row + 1]]
    return out, mask


def encode(tokenizer_json: str, texts: Any, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Texts as one flat array of token ids and the start of each text in it (n + 1,)."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads are unsafe with a later fork
    tokenizer = tokenization.open_tokenizer(tokenizer_json, length)
    pieces: list[np.ndarray] = []
    counts: list[int] = []
    for start in range(0, len(texts), AT_ONCE):
        found = tokenizer.encode_batch(list(texts.iloc[start : start + AT_ONCE]))
        counts += [len(one.ids) for one in found]
        pieces += [np.asarray(one.ids, np.int32) for one in found]
    ids = np.concatenate(pieces) if pieces else np.zeros(0, np.int32)
    return ids, np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)


class TextExamples:
    """One split: ``ids``, ``labels`` (indices into the target's labels, -1 where unknown) and batches of tensors."""

    def __init__(self, dataset: Dataset, split: str, labels: Sequence[str], processor: dict[str, Any], held: Tokens):
        rows = dataset.rows
        self.rows = np.flatnonzero((rows["split"] == split).to_numpy())
        mine = rows.iloc[self.rows]
        self.ids = mine["id"].tolist()
        index = {label: i for i, label in enumerate(labels)}
        self.labels = np.array([index.get(label, -1) for label in mine["label"]], dtype=np.int64)
        self.groups = units(mine)
        self.texts = mine["text"].tolist()
        self.processor, self.held = processor, held

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text (n,)."""
        return self.held.lengths(self.rows)

    def batches(
        self, chunks: Sequence[np.ndarray], key: tuple[int, int] | None, device: str
    ) -> Iterator[dict[str, torch.Tensor]]:
        """One batch for each chunk of indices.

        ``ids`` and ``mask`` (k, longest) int64, ``labels`` (k,), and ``places``, the indices.

        There is no augmentation: ``key`` is ignored.
        """
        import torch

        for chunk in chunks:
            ids, mask = self.held.padded(self.rows[chunk], self.processor["pad"])
            yield {
                "ids": torch.from_numpy(ids).to(device),
                "mask": torch.from_numpy(mask).to(device),
                "labels": torch.from_numpy(self.labels[chunk]).to(device),
                "places": chunk,
            }
