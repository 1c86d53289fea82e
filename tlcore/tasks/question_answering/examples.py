"""The questions of one split, each with its context split into windows of tokens once and cached on disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.models import tokenization
from tlcore.runtime.answer_spans import padded, windows
from tlcore.tasks.question_answering import answer_scores
from tlcore.tasks.shared.text_examples import arrays

if TYPE_CHECKING:
    import torch

    from tlcore.data.dataset import Dataset

AT_ONCE = 2_000  # questions tokenized in one call
Window = tuple[np.ndarray, np.ndarray, np.ndarray]  # ids, kinds, places: see `answer_spans.windows`


class Windows:
    """The windows of every question of a dataset: flat arrays of tokens and the start of each window in them.

    ``model`` is the folder of the tokenizer; without it tokens are unavailable (ValueError) and only answers are known.
    """

    def __init__(self, dataset: Dataset, model: Path | None, processor: dict[str, Any], folder: Path | None):
        self.dataset, self.model, self.folder = dataset, model, folder
        self.processor = processor
        self.cut = {key: processor[key] for key in ("size", "overlap", "question")}

    @cached_property
    def _kept(self) -> dict[str, np.ndarray]:
        """``ids``, ``kinds``, ``places`` of all tokens; ``starts`` (windows + 1,); ``first`` (questions + 1,)."""
        if self.model is None:
            raise ValueError("these examples were asked for without a source model: they have no tokens")
        tokenizer_json = tokenization.read(self.model)
        how = hashlib.sha256(
            json.dumps([tokenization.digest(tokenizer_json), self.cut], sort_keys=True).encode()
        ).hexdigest()
        name = f"{self.dataset.cached_as}-windows-{how[:16]}.npz"
        rows = self.dataset.rows
        return arrays(
            self.folder / name if self.folder else None,
            lambda: cut(tokenizer_json, rows["question"], rows["text"], self.cut),
        )

    def of(self, row: int) -> list[Window]:
        """The windows of a question, by its row in the dataset."""
        kept = self._kept
        pieces = kept["starts"][kept["first"][row] : kept["first"][row + 1] + 1]
        return [(kept["ids"][a:b], kept["kinds"][a:b], kept["places"][a:b]) for a, b in pairwise(pieces)]

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """Tokens of the first window of each question, (k,); it is the longest."""
        kept = self._kept
        first = kept["first"][rows]
        return kept["starts"][first + 1] - kept["starts"][first]


def cut(tokenizer_json: str, questions: Any, contexts: Any, how: dict[str, int]) -> dict[str, np.ndarray]:
    """Questions and contexts (columns of a table) as the arrays of `Windows._kept`."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads are unsafe with a later fork
    tokenizer = tokenization.open_tokenizer(tokenizer_json, how["size"])
    parts: list[Window] = []
    counts: list[int] = []
    for start in range(0, len(questions), AT_ONCE):
        pairs = list(zip(questions.iloc[start : start + AT_ONCE], contexts.iloc[start : start + AT_ONCE], strict=True))
        for one in windows(tokenizer, pairs, how["size"], how["overlap"], how["question"]):
            counts.append(len(one))
            parts += one

    def whole(place: int, empty: np.ndarray) -> np.ndarray:
        return np.concatenate([part[place] for part in parts]) if parts else empty

    return {
        "ids": whole(0, np.zeros(0, np.int32)),
        "kinds": whole(1, np.zeros(0, np.int8)),
        "places": whole(2, np.zeros((0, 2), np.int32)),
        "starts": np.concatenate([[0], np.cumsum([len(part[0]) for part in parts])]).astype(np.int64),
        "first": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    }


class QuestionExamples:
    """One split: ``ids``, ``questions``, ``contexts``, and true answers as spans (``spans``) and text (``truths``)."""

    def __init__(self, dataset: Dataset, split: str, held: Windows):
        rows = dataset.rows
        self.rows = np.flatnonzero((rows["split"] == split).to_numpy())
        mine = rows.iloc[self.rows]
        self.ids, self.questions, self.contexts = mine["id"].tolist(), mine["question"].tolist(), mine["text"].tolist()
        self.groups = mine["group"].where(mine["group"].notna(), mine["id"]).to_numpy()
        self.spans: list[list[list[int]]] = [json.loads(one) for one in mine["spans"]]
        self.held = held

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def truths(self) -> list[list[str]]:
        """The true answers of each question as text; empty where its context has no answer."""
        return [[context[a:b] for a, b in spans] for context, spans in zip(self.contexts, self.spans, strict=True)]

    @cached_property
    def languages(self) -> list[str]:
        """``en`` or ``pt`` for each question: which articles are ignored in its answer."""
        return [answer_scores.language(one) for one in self.questions]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of the longest window of each question (n,)."""
        return self.held.lengths(self.rows)

    def batches(
        self, chunks: Sequence[np.ndarray], key: tuple[int, int] | None, device: str
    ) -> Iterator[dict[str, Any]]:
        """One batch for each chunk of k indices, with w windows.

        * ``ids``, ``mask``, ``kinds`` (w, longest) int64
        * ``answer`` (w, 2): first and last token of the answer, 0 where the window does not contain it
        * ``inside`` (w, longest) bool: whether a token may be part of an answer
        * ``owner`` (w,): which of the k questions the window belongs to
        * ``places``: a list of (tokens, 2) as in `answer_spans.windows`

        Evaluation (``key`` None) uses all windows of each question. Training uses one, to bound memory: drawn by (seed,
        epoch, example), with probability 0.5 from those that contain the answer.
        """
        import torch

        for chunk in chunks:
            rows: list[Window] = []
            answers: list[tuple[int, int]] = []
            owner: list[int] = []
            for at, place in enumerate(chunk):
                every = self.held.of(int(self.rows[place]))
                spans = self.spans[place]
                marked = [located(one[2], spans[0]) if spans else (0, 0) for one in every]
                taken = range(len(every)) if key is None else [_drawn(marked, (*key, int(place)))]
                rows += [every[i] for i in taken]
                answers += [marked[i] for i in taken]
                owner += [at] * len(taken)
            ids, mask, kinds = padded(rows, self.held.processor["pad"])
            inside = np.zeros(ids.shape, dtype=bool)
            for row, one in enumerate(rows):
                inside[row, : len(one[0])] = one[2][:, 0] >= 0
            given = {"ids": ids, "mask": mask, "kinds": kinds, "inside": inside, "answer": np.array(answers, np.int64)}
            batch: dict[str, torch.Tensor] = {name: torch.from_numpy(one).to(device) for name, one in given.items()}
            yield {**batch, "owner": np.array(owner), "places": [one[2] for one in rows]}


def located(places: np.ndarray, span: Sequence[int]) -> tuple[int, int]:
    """First and last token of a character span in a window; (0, 0) where the window does not contain all of it."""
    inside = np.flatnonzero(places[:, 0] >= 0)
    if not len(inside) or span[0] < places[inside[0], 0] or span[1] > places[inside[-1], 1]:
        return 0, 0
    touched = inside[(places[inside, 1] > span[0]) & (places[inside, 0] < span[1])]
    return (int(touched[0]), int(touched[-1])) if len(touched) else (0, 0)


def _drawn(marked: list[tuple[int, int]], key: tuple[int, ...]) -> int:
    """The index of the window to train on."""
    if len(marked) == 1:
        return 0
    rng = np.random.default_rng(key)
    holding = [i for i, (first, _) in enumerate(marked) if first]
    return int(rng.choice(holding)) if holding and rng.random() < 0.5 else int(rng.integers(len(marked)))
