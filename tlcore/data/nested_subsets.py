"""Ever larger parts of the training data, each holding the one before it: what a learning curve is measured on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from tlcore.data.splits import units

SMALLEST = 16  # the smallest part is at least this many times smaller than the whole, if the classes allow it


def sizes(n: int, classes: int, count: int = 5) -> list[int]:
    """``count`` numbers of examples up to ``n``, each the same multiple of the one before: two a class at least.

    Fewer where ``n`` is too small for so many different ones.
    """
    first = min(n, max(2 * classes, round(n / SMALLEST)))
    return sorted({round(size) for size in np.geomspace(first, n, count)})


def nested(rows: pd.DataFrame, seed: int) -> list[np.ndarray]:
    """The order in which training rows are taken: a list of units, each the positions of its rows in ``rows``.

    Every prefix holds the classes in nearly their shares in the whole, and one example of each first. What shares a
    group (or a cluster of near duplicates) is one unit. The order depends on the units' names and on ``seed``, not on
    the order of the rows.
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
            middle = (end - len(parts[unit]) / 2) / ends[-1]  # the share of its class at which the unit comes in
            keyed.append((float(middle) if place else -1.0, _draw(seed, unit), unit))
    return [np.array(parts[unit]) for _, _, unit in sorted(keyed)]


def nested_sets(rows: pd.DataFrame, sets: Sequence[Sequence[str]], seed: int) -> list[np.ndarray]:
    """The same where an example has any number of labels (``sets``): the rarest one of each counts."""
    count = Counter(label for labels in sets for label in labels)
    rarest = [min(labels, key=lambda one: (count[one], one), default="") for labels in sets]
    return nested(rows.assign(label=rarest), seed)


def take(order: list[np.ndarray], n: int) -> np.ndarray:
    """The positions of the first units that together come nearest to ``n`` rows; at least one unit."""
    ends = np.cumsum([len(unit) for unit in order])
    last = int(np.argmin(np.abs(ends - n)))
    return np.sort(np.concatenate(order[: last + 1]))


def _draw(seed: int, unit: str) -> str:
    """A pseudo-random rank that depends on nothing but the seed and the unit's name."""
    return hashlib.sha256(f"part\x1f{seed}\x1f{unit}".encode()).hexdigest()
