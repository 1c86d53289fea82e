"""Nested subsets of the training data, each containing the smaller ones, for learning curves."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from tlcore.data.splits import units

SMALLEST = 16  # the smallest subset is about 1/16 of the full set, if the number of classes allows it


def sizes(n: int, classes: int, count: int = 5) -> list[int]:
    """Up to ``count`` subset sizes up to ``n``, geometrically spaced; at least two examples per class.

    Fewer sizes where ``n`` is too small for ``count`` different ones.
    """
    first = min(n, max(2 * classes, round(n / SMALLEST)))
    return sorted({round(size) for size in np.geomspace(first, n, count)})


def nested(rows: pd.DataFrame, seed: int) -> list[np.ndarray]:
    """The order in which training rows are added: a list of units, each with the positions of its rows in ``rows``.

    Every prefix has nearly the class shares of the full set, and starts with one unit of each class. Rows of one group
    (or near-duplicate cluster) are one unit. The order depends on the units' names and on ``seed``, not on the order of
    the rows.
    """
    labels = rows["label"].astype(str).to_numpy()
    parts: dict[str, list[int]] = {}
    for at, unit in enumerate(units(rows)):
        parts.setdefault(unit, []).append(at)
    by_class: dict[str, list[str]] = {}
    for unit, members in parts.items():
        names, counts = np.unique(labels[members], return_counts=True)
        by_class.setdefault(str(names[np.argmax(counts)]), []).append(unit)
    keyed: list[tuple[float, str, str]] = []
    for of_class in by_class.values():
        drawn = sorted(of_class, key=lambda unit: _draw(seed, unit))
        ends = np.cumsum([len(parts[unit]) for unit in drawn])
        for place, (unit, end) in enumerate(zip(drawn, ends, strict=True)):
            middle = (end - len(parts[unit]) / 2) / ends[-1]  # share of its class at the middle of the unit
            keyed.append((float(middle) if place else -1.0, _draw(seed, unit), unit))
    return [np.array(parts[unit]) for _, _, unit in sorted(keyed)]


def nested_sets(rows: pd.DataFrame, sets: Sequence[Sequence[str]], seed: int) -> list[np.ndarray]:
    """`nested` for examples with any number of labels (``sets``), stratified by the rarest label of each."""
    count = Counter(label for labels in sets for label in labels)
    rarest = [min(labels, key=lambda one: (count[one], one), default="") for labels in sets]
    return nested(rows.assign(label=rarest), seed)


def take(order: list[np.ndarray], n: int) -> np.ndarray:
    """The sorted positions of the first units whose total is closest to ``n`` rows; at least one unit."""
    ends = np.cumsum([len(unit) for unit in order])
    last = int(np.argmin(np.abs(ends - n)))
    return np.sort(np.concatenate(order[: last + 1]))


def _draw(seed: int, unit: str) -> str:
    """A pseudo-random rank (hex) that depends only on the seed and the unit's name."""
    return hashlib.sha256(f"part\x1f{seed}\x1f{unit}".encode()).hexdigest()
