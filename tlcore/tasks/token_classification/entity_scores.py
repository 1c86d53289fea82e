"""Entity scores: an entity is right if its first and last character and its label are.

As in conlleval and seqeval (Tjong Kim Sang and De Meulder 2003, arXiv cs/0306050).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tlcore.data.readers.entity_tags import Span
from tlcore.evaluation.records import Records
from tlcore.tasks.shared.label_sets import counted


def records(examples: Any, found: Sequence[Sequence[Span]], labels: Sequence[str]) -> Records:
    """Entity counts of each text.

    ``hits``, ``said`` (predicted) and ``there`` (true) are (n, labels). ``unknown`` (n,) counts entities of a label
    that no training text has; ``spans`` are the predicted entities. A group (a document) is one resampling unit.
    """
    index = {label: place for place, label in enumerate(labels)}
    shape = (len(examples), len(labels))
    hits, predicted, there = (np.zeros(shape, np.int64) for _ in range(3))
    unknown, spans = np.zeros(len(examples), np.int64), np.empty(len(examples), object)
    for row, (own, gold) in enumerate(zip(found, examples.gold, strict=True)):
        spans[row] = list(own)
        true = set(gold)
        for span in own:
            predicted[row, index[span[2]]] += 1
            hits[row, index[span[2]]] += span in true
        for span in gold:
            if span[2] in index:
                there[row, index[span[2]]] += 1
            else:
                unknown[row] += 1
    columns = {"hits": hits, "said": predicted, "there": there, "unknown": unknown, "spans": spans}
    return Records(ids=examples.ids, unit=np.asarray(examples.groups), columns=columns)


def aggregate(records: Records, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Micro-averaged F1, precision and recall over all entities for each row of weights (draws, n).

    0 where the denominator is 0.
    """
    weights = np.atleast_2d(weights).astype(np.float64)
    columns = records.columns
    hits = weights @ columns["hits"].sum(axis=1)
    predicted = weights @ columns["said"].sum(axis=1)
    there = weights @ (columns["there"].sum(axis=1) + columns["unknown"])
    least = 1e-12
    return {
        "entity-f1": 2 * hits / np.maximum(predicted + there, least),
        "precision": hits / np.maximum(predicted, least),
        "recall": hits / np.maximum(there, least),
    }


def of_each(records: Records) -> np.ndarray:
    """The F1 of each text (n,); 1 where there is no true and no predicted entity."""
    hits, predicted, there = (records.columns[name].sum(axis=1) for name in ("hits", "said", "there"))
    total = predicted + there + records.columns["unknown"]
    return np.where(total > 0, 2 * hits / np.maximum(total, 1), 1.0)


def by_label(records: Records, labels: list[str]) -> dict[str, Any]:
    """Scores for each entity label (n counts entities), and the number of texts with an unknown label."""
    columns = records.columns
    return {
        "per_class": counted(labels, *(columns[name].sum(axis=0) for name in ("hits", "said", "there"))),
        "unknown_label": int((columns["unknown"] > 0).sum()),
    }
