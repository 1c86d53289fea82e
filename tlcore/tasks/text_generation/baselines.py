"""Baselines of text generation: an n-gram model on the same tokens, and the source model as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core import machine
from tlcore.core.i18n import sentence
from tlcore.evaluation.records import Baseline
from tlcore.tasks.shared import inference
from tlcore.tasks.text_generation.examples import OUTPUT
from tlcore.tasks.text_generation.n_grams import Counted

if TYPE_CHECKING:
    from tlcore.models.loading import OpenSource
    from tlcore.tasks.contract import Task
    from tlcore.tasks.text_generation.examples import CausalExamples

MOST = 2_000_000  # most training tokens counted, from the start
BATCH = 8


def fit_baselines(
    task: Task, examples: Mapping[str, CausalExamples], target: dict[str, Any], source: OpenSource
) -> list[Baseline]:
    """An n-gram model with its context length chosen on validation data, and the source before any training."""
    model = task.source_model(source, target)[0]
    words = int(model.net.get_input_embeddings().num_embeddings)
    out, length = counted(examples, words)
    found = [
        Baseline(
            "n-gram",
            sentence("counted sequences of {n} tokens, with backoff", n=length + 1),
            task.evaluate(out, examples["test"], target),
        )
    ]
    device = machine.detect().device
    own = inference.outputs(task, model.to(device), examples["test"], BATCH, device)
    return [
        *found,
        Baseline(
            "source-as-it-is", sentence("the source model as it is"), task.evaluate(own, examples["test"], target)
        ),
    ]


def counted(examples: Mapping[str, CausalExamples], words: int) -> tuple[np.ndarray, int]:
    """Test-set outputs (n,) of `OUTPUT` of the n-gram model, and its context length in tokens."""
    model = Counted(*_tokens(examples["train"], MOST)[:2], words)
    losses, _, scored = _weighed(model, examples["validation"])
    length = int(np.argmin(losses[:, scored].mean(axis=1))) if scored.any() else 0
    losses, hits, scored = _weighed(model, examples["test"])
    rows = _tokens(examples["test"])[3]
    n = len(examples["test"])
    out = np.zeros(n, OUTPUT)
    out["characters"] = examples["test"].characters
    out["loss"] = np.bincount(rows[scored], losses[length][scored], n)
    out["tokens"] = np.bincount(rows[scored], minlength=n)
    out["hits"] = np.bincount(rows[scored], hits[length][scored], n)
    return out, length


def _weighed(model: Counted, examples: CausalExamples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ids, starts, scored, _ = _tokens(examples)
    return *model.weigh(ids, starts), scored


def _tokens(examples: CausalExamples, most: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All tokens of a split in sequence: ids, starts, whether each is scored, and its example.

    With ``most`` only the first examples with at most that many tokens, but at least one example.
    """
    kept, rows = examples.held.kept, examples.rows
    if most is not None:
        rows = rows[: max(1, int(np.searchsorted(np.cumsum(examples.held.lengths(rows)), most, side="right")))]
    lengths = examples.held.lengths(rows)
    places = np.concatenate([np.arange(kept["starts"][row], kept["starts"][row + 1]) for row in rows])
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return (
        kept["ids"][places].astype(np.int64),
        starts,
        kept["scored"][places],
        np.repeat(np.arange(len(rows)), lengths),
    )
