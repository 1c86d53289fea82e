"""The texts of one split with their entities: tokenized once; each word is represented by its first token."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.data.readers.entity_tags import Span, spans_of
from tlcore.data.splits import units
from tlcore.models import tokenization
from tlcore.runtime.text_spans import entities, words_of
from tlcore.tasks.shared.text_examples import AT_ONCE, arrays, padded

if TYPE_CHECKING:
    import torch

    from tlcore.data.dataset import Dataset

IGNORED = -100  # tag of tokens that are not the first of a word: excluded from the loss
OUTSIDE = "O"


class Words:
    """Tokens of a dataset, truncated to ``length``, and its words: flat arrays and the start of each text.

    ``model`` is the folder of the tokenizer; without it tokens are unavailable (ValueError) and only entities are
    known.
    """

    def __init__(self, dataset: Dataset, model: Path | None, length: int, folder: Path | None):
        self.dataset, self.model, self.length, self.folder = dataset, model, length, folder

    @cached_property
    def kept(self) -> dict[str, np.ndarray]:
        """The cached arrays.

        * ``ids`` (all tokens,) and ``starts`` (n + 1,), the start of each text's tokens
        * ``places``, ``begins``, ``ends`` (all words,): position of a word's first token in its text, and its
          characters
        * ``firsts`` (n + 1,): the start of each text's words
        """
        if self.model is None:
            raise ValueError("these examples were asked for without a source model: they have no tokens")
        tokenizer_json = tokenization.read(self.model)
        name = f"{self.dataset.cached_as}-{tokenization.digest(tokenizer_json)}-{self.length}-words.npz"
        return arrays(
            self.folder / name if self.folder else None,
            lambda: encode(tokenizer_json, self.dataset.rows["text"], self.length),
        )

    @property
    def most(self) -> int:
        """The largest number of words of a text."""
        return max(1, int(np.diff(self.kept["firsts"]).max(initial=1)))

    def of(self, row: int) -> list[tuple[int, int, int]]:
        """The words of a row as (position of the first token, start, end)."""
        kept = self.kept
        here = slice(kept["firsts"][row], kept["firsts"][row + 1])
        return list(zip(*(kept[name][here].tolist() for name in ("places", "begins", "ends")), strict=True))


def encode(tokenizer_json: str, texts: Any, length: int) -> dict[str, np.ndarray]:
    """Texts as the arrays of `Words.kept`."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads are unsafe with a later fork
    tokenizer = tokenization.open_tokenizer(tokenizer_json, length)
    ids: list[int] = []
    starts, firsts = [0], [0]
    words: list[tuple[int, int, int]] = []
    for begin in range(0, len(texts), AT_ONCE):
        these = list(texts.iloc[begin : begin + AT_ONCE])
        for text, one in zip(these, tokenizer.encode_batch(these), strict=True):
            ids += one.ids
            words += words_of(text, one.offsets)
            starts.append(len(ids))
            firsts.append(len(words))
    flat = np.array(words, np.int32).reshape(-1, 3)
    return {
        "ids": np.array(ids, np.int32),
        "starts": np.array(starts, np.int64),
        "places": flat[:, 0],
        "begins": flat[:, 1],
        "ends": flat[:, 2],
        "firsts": np.array(firsts, np.int64),
    }


class TokenExamples:
    """One split: ``ids``, ``gold`` (the entities of each text) and batches of tensors."""

    def __init__(self, dataset: Dataset, split: str, tags: Sequence[str], processor: dict[str, Any], held: Words):
        rows = dataset.rows
        self.rows = np.flatnonzero((rows["split"] == split).to_numpy())
        mine = rows.iloc[self.rows]
        self.ids = mine["id"].tolist()
        self.groups = units(mine)
        self.texts = mine["text"].tolist()
        self.gold: list[list[Span]] = [spans_of(stored) for stored in mine["entities"]]
        self.index = {tag: place for place, tag in enumerate(tags)}
        self.processor, self.held = processor, held

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text (n,)."""
        return np.diff(self.held.kept["starts"])[self.rows]

    def tags(self, place: int) -> list[int]:
        """The tag index of each word of a text; IGNORED where no training text has an entity of that label."""
        gold = sorted(self.gold[place])
        found, at, before = [], 0, -1
        for _, start, _ in self.held.of(int(self.rows[place])):
            while at < len(gold) and gold[at][1] <= start:
                at += 1
            inside = at < len(gold) and gold[at][0] <= start
            tag = OUTSIDE if not inside else ("I-" if before == at else "B-") + gold[at][2]
            found.append(self.index.get(tag, IGNORED))
            before = at if inside else -1
        return found

    def batches(
        self, chunks: Sequence[np.ndarray], key: tuple[int, int] | None, device: str
    ) -> Iterator[dict[str, torch.Tensor]]:
        """One batch for each chunk of indices.

        ``ids``, ``mask`` and ``tags`` (k, longest) int64, tags at the first tokens of words; ``places`` (k, most words
        of any text), the positions of these tokens, padded with -1.

        There is no augmentation: ``key`` is ignored.
        """
        import torch

        kept = self.held.kept
        for chunk in chunks:
            ids, mask = padded(kept["ids"], kept["starts"], self.rows[chunk], self.processor["pad"])
            tags = np.full(ids.shape, IGNORED, np.int64)
            places = np.full((len(chunk), self.held.most), -1, np.int64)
            for row, place in enumerate(chunk):
                at = [word[0] for word in self.held.of(int(self.rows[place]))]
                places[row, : len(at)] = at
                tags[row, at] = self.tags(int(place))
            yield {
                name: torch.from_numpy(value).to(device)
                for name, value in (("ids", ids), ("mask", mask), ("tags", tags), ("places", places))
            }

    def found(self, outputs: np.ndarray, place: int) -> list[Span]:
        """The entities of a text decoded from its predicted word tags (row ``place`` of the outputs)."""
        names = list(self.index)
        words = self.held.of(int(self.rows[place]))
        return entities([names[tag] for tag in outputs["tags"][place][: len(words)]], words)
