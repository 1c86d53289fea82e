"""Training texts with their scored spans: tokenized once, served in batches."""

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
AT_ONCE = 5_000  # texts tokenized in one call
OUTPUT = np.dtype(
    [("loss", "f8"), ("tokens", "i4"), ("hits", "i4"), ("characters", "i4")]
)  # outputs stored for each example


def form_of(rows: pd.DataFrame) -> str:
    """The form of the examples: ``chat``, ``completion`` (of a prompt), or ``plain`` texts."""
    return "chat" if "turns" in rows else "completion" if "completion" in rows else "plain"


def asked(prompt: str) -> str:
    """A prompt as it precedes its completion: trailing whitespace replaced by one line break."""
    return prompt.rstrip() + "\n"


def writer(processor: Mapping[str, Any], folder: Path) -> Callable[[Mapping[str, Any]], Text]:
    """A function from a row to its text and scored spans, for the processor's ``form``.

    A plain text is scored in full; otherwise only the completion, or the assistant's messages, each with its end token.
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
    """The plain template as a function of (turns, opened)."""
    return lambda turns, opened: chat_template.plain(turns, end, opened)


def names(processor: Mapping[str, Any]) -> dict[str, str]:
    """The special tokens that a template may use."""
    return {"bos_token": str(processor["bos_token"] or ""), "eos_token": str(processor["end_token"] or "")}


class Written:
    """All texts of a dataset as tokens: flat arrays and the start of each text in them.

    ``model`` is the folder of the tokenizer; without it tokens are unavailable (ValueError) and only ids are known.
    """

    def __init__(self, dataset: Dataset, model: Path | None, processor: dict[str, Any], folder: Path | None):
        self.dataset, self.model, self.processor, self.folder = dataset, model, processor, folder

    @cached_property
    def kept(self) -> dict[str, np.ndarray]:
        """``ids`` and ``scored`` (all tokens,), ``starts`` (n + 1,), ``characters`` (n,): scored characters."""
        if self.model is None:
            raise ValueError("these examples were asked for without a source model: they have no tokens")
        tokenizer_json, model = tokenization.read(self.model), self.model
        # The tokenizer's own template changes the tokens of a chat, so it is part of the key.
        more = json.dumps([self.processor, chat_template.read_template(model)], sort_keys=True)
        how = hashlib.sha256(f"{tokenization.digest(tokenizer_json)}{more}".encode()).hexdigest()[:16]
        name = f"{self.dataset.cached_as}-{how}-written.npz"
        return arrays(
            self.folder / name if self.folder else None,
            lambda: encode(tokenizer_json, self.dataset.rows, self.processor, writer(self.processor, model)),
        )

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """Tokens of each row, (k,)."""
        starts = self.kept["starts"]
        return starts[rows + 1] - starts[rows]

    def padded(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Token ids, mask and labels (-100 where not scored) of these rows, each (k, longest) int64."""
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
    """The rows as tokens (see `Written.kept`), cut to ``processor["size"]`` such that scored tokens are kept."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads are unsafe with a later fork
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
    """The ids of a text with a leading BOS token, cut to size; which are scored; the characters of these."""
    scored = np.zeros(len(ids), bool)
    for begin, end in stretches:
        scored |= (offsets[:, 1] > begin) & (offsets[:, 0] < end)
    # Several tokens may share one character; the end token counts no characters.
    new = np.diff(np.maximum.accumulate(offsets[:, 1]), prepend=0) if len(ids) else np.zeros(0, np.int64)
    new = np.where(ids == (-1 if processor["end"] is None else processor["end"]), 0, new)
    bos, size = processor["bos"], processor["size"]
    if bos is not None and (not len(ids) or ids[0] != bos):
        ids, scored, new = np.append(np.int32(bos), ids), np.append(False, scored), np.append(0, new)
    elif len(ids):
        scored[0] = False  # no context to predict the first token from
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
    """One split: ``ids`` and resampling ``units`` of each example, and batches of tensors."""

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
        """One batch for each chunk of indices.

        ``ids``, ``mask`` and ``labels`` (k, longest) int64; ``characters`` (k,), the characters of the scored tokens.
        There is no augmentation: ``key`` is ignored.
        """
        import torch

        for chunk in chunks:
            ids, mask, labels = self.held.padded(self.rows[chunk])
            given = {"ids": ids, "mask": mask, "labels": labels, "characters": self.characters[chunk]}
            yield {name: torch.from_numpy(one).to(device) for name, one in given.items()}
