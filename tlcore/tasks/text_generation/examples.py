"""What a network learns to write: texts with the stretches that are scored, cut into tokens once, served in batches."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.data.splits import WHOLE, documents, units
from tlcore.models import tokenization
from tlcore.tasks.shared.text_examples import arrays
from tlcore.tasks.text_generation import chat_template
from tlcore.tasks.text_generation.chat_template import Text

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from tlcore.data.dataset import Dataset

UNSCORED = -100
AT_ONCE = 5_000  # texts cut into tokens at once
OUTPUT = np.dtype([("loss", "f8"), ("tokens", "i4"), ("hits", "i4"), ("characters", "i4")])  # kept of each example


def form_of(rows: pd.DataFrame) -> str:
    """What the examples are: ``chat``, ``completion`` (of a prompt), or ``plain`` texts."""
    return "chat" if "turns" in rows else "completion" if "completion" in rows else "plain"


def asked(prompt: str) -> str:
    """A prompt as it stands before its completion: one line break between them, whatever blanks there were."""
    return prompt.rstrip() + "\n"


def writer(processor: Mapping[str, Any], folder: Path) -> Callable[[Mapping[str, Any]], Text]:
    """How a row becomes a text with its scored stretches, by the form that the processor names.

    All of a plain text is scored; else the completion, or what the assistant says, each with the token that ends it.
    """
    end = str(processor["end_token"] or "")
    if processor["form"] == "completion":
        return lambda row: _completed(asked(row["text"]), row["completion"].strip() + end)
    if processor["form"] == "plain":
        return lambda row: _whole(row["text"] + (end if row.get("ends", "yes") else ""))
    given = chat_template.own(folder, names(processor)) if processor["template"] == "own" else None

    def chat(row: Mapping[str, Any]) -> Text:
        turns = json.loads(row["turns"])
        found = chat_template.spans(turns, given) if given else None
        return found or chat_template.spans(turns, plainly(end)) or ("", [])

    return chat


def plainly(end: str) -> Callable[[chat_template.Turns, bool], str]:
    """The plain template as a function of turns and whether the assistant is to speak."""
    return lambda turns, opened: chat_template.plain(turns, end, opened)


def names(processor: Mapping[str, Any]) -> dict[str, str]:
    """The special tokens that a template may name."""
    return {"bos_token": str(processor["bos_token"] or ""), "eos_token": str(processor["end_token"] or "")}


class Written:
    """All texts of a dataset as tokens: flat arrays, and where each text begins in them.

    ``model`` is the folder that has the tokenizer; without it nothing can be cut, and ids alone are known.
    """

    def __init__(self, dataset: Dataset, model: Path | None, processor: dict[str, Any], folder: Path | None):
        self.dataset, self.model, self.processor, self.folder = dataset, model, processor, folder

    @cached_property
    def kept(self) -> dict[str, np.ndarray]:
        """``ids`` and ``scored`` (all tokens,), ``starts`` (n + 1,), ``characters`` (n,) that the scored ones are."""
        if self.model is None:
            raise ValueError("these examples were asked for without a source model: they have no tokens")
        tokenizer_json, model = tokenization.read(self.model), self.model
        # A template of the tokenizer's own is part of what makes a chat's tokens.
        more = json.dumps([self.processor, chat_template.read_template(model)], sort_keys=True)
        how = hashlib.sha256(f"{tokenization.digest(tokenizer_json)}{more}".encode()).hexdigest()[:16]
        name = f"{self.dataset.cached_as}-{how}-written.npz"
        return arrays(
            self.folder / name if self.folder else None,
            lambda: encode(tokenizer_json, self.dataset.rows, self.processor, writer(self.processor, model)),
        )

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """Tokens of each row."""
        starts = self.kept["starts"]
        return starts[rows + 1] - starts[rows]

    def padded(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Token ids, mask and labels (-100 where nothing is scored) of these rows, each (k, longest) int64."""
        kept, lengths = self.kept, self.lengths(rows)
        longest = max(2, int(lengths.max()))
        ids = np.full((len(rows), longest), self.processor["pad"], np.int64)
        labels = np.full((len(rows), longest), UNSCORED, np.int64)
        mask = (np.arange(longest) < lengths[:, None]).astype(np.int64)
        for place, row in enumerate(rows):
            these = slice(kept["starts"][row], kept["starts"][row + 1])
            ids[place, : lengths[place]] = kept["ids"][these]
            labels[place, : lengths[place]] = np.where(kept["scored"][these], kept["ids"][these], UNSCORED)
        return ids, mask, labels


def encode(
    tokenizer_json: str, rows: pd.DataFrame, processor: Mapping[str, Any], write: Callable[[Mapping[str, Any]], Text]
) -> dict[str, np.ndarray]:
    """The rows as tokens (see `Written.kept`), each cut to ``processor["size"]`` so that what is scored stays in."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads and a later fork do not go together
    tokenizer = tokenization.open_tokenizer(tokenizer_json, 1_000_000)
    columns = [name for name in ("text", "completion", "turns", "ends") if name in rows]
    made: dict[str, list[np.ndarray]] = {"ids": [], "scored": []}
    counts, characters = [], []
    for start in range(0, len(rows), AT_ONCE):
        texts = [write(row) for row in rows[columns].iloc[start : start + AT_ONCE].to_dict("records")]
        found = tokenizer.encode_batch([text for text, _ in texts], add_special_tokens=False)
        for one, (_, stretches) in zip(found, texts, strict=True):
            ids, scored, long = _tokens(
                np.asarray(one.ids, np.int32), np.asarray(one.offsets, np.int64).reshape(-1, 2), stretches, processor
            )
            made["ids"].append(ids)
            made["scored"].append(scored)
            counts.append(len(ids))
            characters.append(long)
    return {
        "ids": np.concatenate(made["ids"] or [np.zeros(0, np.int32)]),
        "scored": np.concatenate(made["scored"] or [np.zeros(0, bool)]),
        "starts": np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
        "characters": np.array(characters, np.int64),
    }


def _tokens(
    ids: np.ndarray, offsets: np.ndarray, stretches: Sequence[tuple[int, int]], processor: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray, int]:
    """Ids behind the token that begins a text, cut; what of them is scored; and the characters that these are."""
    scored = np.zeros(len(ids), bool)
    for begin, end in stretches:
        scored |= (offsets[:, 1] > begin) & (offsets[:, 0] < end)
    # Several tokens may share one character, and the token that ends a text is none of its characters.
    new = np.diff(np.maximum.accumulate(offsets[:, 1]), prepend=0) if len(ids) else np.zeros(0, np.int64)
    new = np.where(ids == (-1 if processor["end"] is None else processor["end"]), 0, new)
    bos, size = processor["bos"], processor["size"]
    if bos is not None and (not len(ids) or ids[0] != bos):
        ids, scored, new = np.append(np.int32(bos), ids), np.append(False, scored), np.append(0, new)
    elif len(ids):
        scored[0] = False  # nothing stands before it that it could be told from
    if len(ids) > size:
        first = int(np.argmax(scored)) if scored.any() else 0
        start = min(len(ids) - size, max(0, first - 1))
        ids, scored, new = ids[start : start + size], scored[start : start + size].copy(), new[start : start + size]
        scored[0] = False
        if bos is not None and start:
            ids = np.append(np.int32(bos), ids[1:])
    return ids, scored, int(new[scored].sum())


def _whole(text: str) -> Text:
    return text, [(0, len(text))]


def _completed(prompt: str, completion: str) -> Text:
    return prompt + completion, [(len(prompt), len(prompt) + len(completion))]


class CausalExamples:
    """One split: ``ids`` and ``units`` of each example, and batches of tensors."""

    def __init__(self, dataset: Dataset, split: str, processor: dict[str, Any], held: Written):
        rows = dataset.rows
        self.rows = np.flatnonzero((rows["split"] == split).to_numpy())
        mine = rows.iloc[self.rows]
        self.ids = mine["id"].tolist()
        whole = "document" in rows and rows["document"].nunique() >= WHOLE
        self.units = units(mine.assign(group=documents(rows)) if whole else mine)
        self.processor, self.held = processor, held

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def characters(self) -> np.ndarray:
        """Scored characters of each example (n,)."""
        return self.held.kept["characters"][self.rows]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example (n,)."""
        return self.held.lengths(self.rows)

    def batches(
        self, chunks: Sequence[np.ndarray], key: tuple[int, int] | None, device: str
    ) -> Iterator[dict[str, torch.Tensor]]:
        """One batch for each chunk of indices: ``ids``, ``mask`` and ``labels`` (k, longest) int64, ``characters`` (k,)
        that the scored tokens are; no augmentation.
        """
        import torch

        for chunk in chunks:
            ids, mask, labels = self.held.padded(self.rows[chunk])
            given = {"ids": ids, "mask": mask, "labels": labels, "characters": self.characters[chunk]}
            yield {name: torch.from_numpy(one).to(device) for name, one in given.items()}
