"""Train, validation and test splits: made once, reproducible, and without dividing groups."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from tlcore.core.i18n import Sentence, sentence
from tlcore.core.spec_parts import Split
from tlcore.data.dataset import SPLITS


def stratified(rows: pd.DataFrame, split: Split, several: Sequence[Sequence[str]] | None = None) -> pd.Series:
    """``train``, ``validation`` or ``test`` for each row, with the same class shares in each split.

    ``several`` holds the labels of each row for multi-label data. Then units with the rarest label are assigned first,
    while every split still has room (after Sechidis et al. 2011, ECML PKDD).

    Rows with the same ``group`` (or, without groups, the same near-duplicate cluster ``near``) stay together. Every
    class is in every split if it has enough groups. The result depends on the ids, labels and groups of the rows and on
    ``split.seed``, not on the order of the rows. A share of 0 leaves that split out.
    """
    shares = np.array([1 - split.validation - split.test, split.validation, split.test])
    unit_of = units(rows)
    if several is None:
        held, of_row = rows["label"].astype(str).to_numpy(), unit_of
    else:  # one pseudo-label per example keeps the split sizes right too
        held = np.array([label for own in several for label in ("\x00", *own)])
        of_row = np.repeat(unit_of, [1 + len(own) for own in several])
    labels, label_at = np.unique(held, return_inverse=True)
    codes, names = pd.factorize(of_row)
    sizes = np.bincount(codes, minlength=len(names))
    counts = np.bincount(label_at, minlength=len(labels))
    wanted = np.stack([_quota(int(n), shares) for n in counts], axis=1).astype(float)  # splits × classes
    have = np.zeros_like(wanted)
    chosen = np.zeros(len(names), np.int8)
    together = np.flatnonzero((sizes > 1) | (several is not None))
    these = np.isin(codes, together)
    of_unit = pd.Series(label_at[these]).groupby(codes[these]).agg(list)
    rarest = {at: 0 if several is None else int(counts[of_unit[at]].min()) for at in together}
    seeds = {at: _draw(split.seed, names[at]) for at in together}
    for at in sorted(together, key=lambda at: (rarest[at], -len(of_unit[at]), seeds[at])):
        classes, number = _tally(of_unit[at])
        best = int(np.argmin(_cost(wanted[:, classes], have[:, classes], number, shares)))
        have[best, classes] += number
        chosen[at] = best
    if several is None:
        _deal(codes, label_at, sizes, names, wanted, have, shares, split.seed, chosen)
    of_rows = chosen[pd.Index(names).get_indexer(unit_of)]
    return pd.Series(np.array(SPLITS, dtype=object)[of_rows], index=rows.index, name="split", dtype="str")


def _deal(
    codes: np.ndarray,
    label_at: np.ndarray,
    sizes: np.ndarray,
    names: np.ndarray,
    wanted: np.ndarray,
    have: np.ndarray,
    shares: np.ndarray,
    seed: int,
    chosen: np.ndarray,
) -> None:
    """Assign units of one example to splits, in place in ``chosen``; a million in seconds.

    Each class is handled separately and greedily: each example goes to the split with the lowest cost. The cost of one
    more example grows with the size of a split, so sorting all costs gives the greedy order.
    """
    rows = np.flatnonzero(sizes[codes] == 1)
    drawn = np.fromiter((int(_draw(seed, names[at])[:16], 16) for at in codes[rows]), np.uint64, len(rows))
    rows = rows[np.argsort(drawn, kind="stable")]
    for label in np.unique(label_at[rows]):
        mine = rows[label_at[rows] == label]
        want, got = wanted[:, label, None], have[:, label, None] + np.arange(len(mine))
        cost = ((got + 1 - want) ** 2 - (got - want) ** 2) / np.maximum(want, 0.5)
        cost[shares <= 1e-9] = np.inf
        turns = np.repeat(np.arange(len(shares)), len(mine))
        chosen[codes[mine]] = turns[np.lexsort((turns, cost.ravel()))[: len(mine)]]


WHOLE = 20  # number of documents from which each document stays in one split
PIECES = 20  # total number of contiguous pieces that fewer documents are cut into


def documents(rows: pd.DataFrame) -> pd.Series:
    """The group of each row where rows are blocks of documents; a group is never divided between splits.

    It is the user's own group if given. Otherwise it is the document; where every document is one block, documents that
    are near duplicates are one group. With fewer than ``WHOLE`` documents it is a contiguous piece of a document, so
    that neighbouring blocks stay in one split.
    """
    if rows["group"].notna().any() or "document" not in rows:
        return rows["group"]
    if rows["document"].nunique() < WHOLE:
        place = rows.groupby("document").cumcount()
        return rows["document"] + "\x1f" + (place // max(1, -(-len(rows) // PIECES))).astype(str)
    if rows["document"].is_unique and "near" in rows:
        return rows["near"].where(rows["near"].notna(), rows["document"])
    return rows["document"]


def divide(
    rows: pd.DataFrame,
    split: Split,
    cut: Callable[[pd.DataFrame, Split], pd.Series] = stratified,
) -> tuple[pd.Series, Sentence]:
    """The split of all rows, and a description of how it was made.

    The user's own split is used; what it lacks is taken from train. ``cut`` is the task's function for splitting rows.
    """
    given = rows["split"] if "split" in rows else pd.Series(None, index=rows.index, dtype=object)
    has = {name for name in SPLITS if (given == name).any()}
    if "train" not in has or has == {"train"}:
        grouped = "group" in rows and rows["group"].notna().any()
        done = cut(rows.assign(split=None), split)
        shares = {"validation": 100 * split.validation, "test": 100 * split.test, "seed": split.seed}
        if grouped:
            return done, sentence(
                "Cut at random, groups kept together: {validation} % for validation, {test} % for the "
                "test (seed {seed}).",
                **shares,
            )
        if "document" in rows:
            return done, sentence(
                "Cut at random; neighbouring blocks of a text stay in one set: {validation} % for validation, {test} % "
                "for the test (seed {seed}).",
                **shares,
            )
        if not rows["label"].any():
            return done, sentence(
                "Cut at random: {validation} % for validation, {test} % for the test (seed {seed}).", **shares
            )
        return done, sentence(
            "Cut at random, each class in the same shares: {validation} % for validation, {test} % for "
            "the test (seed {seed}).",
            **shares,
        )
    if has == set(SPLITS):
        return given.copy(), sentence("Your own train, validation and test sets are used as they are.")
    done = given.copy()
    if has == {"train", "validation"}:
        done[given == "validation"] = "test"
        message = sentence(
            "Your validation set became the test set, and {share} % of your training set became validation "
            "(seed {seed}).",
            share=100 * split.validation,
            seed=split.seed,
        )
    else:
        message = sentence(
            "Your own train and test sets are used; {share} % of your training set became validation (seed {seed}).",
            share=100 * split.validation,
            seed=split.seed,
        )
    train = rows[given == "train"]
    two = Split.model_construct(validation=split.validation, test=0.0, seed=split.seed)
    done[given == "train"] = cut(train.assign(split=None), two)
    return done, message


def units(rows: pd.DataFrame) -> np.ndarray:
    """The unit of each row that splits never divide: the group, else the near-duplicate cluster, else the row; (n,)."""
    ids = "i:" + rows["id"].astype(str)
    if "group" in rows and rows["group"].notna().any():
        return ids.where(rows["group"].isna(), "g:" + rows["group"].astype(str)).to_numpy()
    if "near" in rows and rows["near"].notna().any():
        return ids.where(rows["near"].isna(), "n:" + rows["near"].astype(str)).to_numpy()
    return ids.to_numpy()


def _tally(members: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The classes in a unit and the count of each. Fast path for units of one example."""
    if len(members) == 1:
        return np.array(members), np.ones(1, dtype=int)
    return np.unique(members, return_counts=True)


def _quota(n: int, shares: np.ndarray) -> np.ndarray:
    """Divide ``n`` examples of a class by largest remainders; int (splits,).

    Each split with a share gets at least one while there are enough.
    """
    exact = shares * n
    quota = np.floor(exact + 1e-9).astype(int)
    left = np.round(exact - quota, 9)
    # With equal remainders small splits come first: one more example matters more to them.
    for at in np.lexsort((shares, -left))[: n - quota.sum()]:
        quota[at] += 1
    for at in np.flatnonzero((quota == 0) & (shares > 1e-9)):
        if quota.max() > 1:
            quota[int(np.argmax(quota))] -= 1
            quota[at] += 1
    return quota


def _cost(wanted: np.ndarray, have: np.ndarray, sizes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The cost of adding the unit to each split, (splits,): the increase of the misfit to the wanted counts."""
    after = ((have + sizes - wanted) ** 2 - (have - wanted) ** 2) / np.maximum(wanted, 0.5)
    cost = after.sum(axis=1)
    cost[shares <= 1e-9] = np.inf
    return cost


def _draw(seed: int, unit: str) -> str:
    """A pseudo-random rank (hex) that depends only on the seed and the unit's name."""
    return hashlib.sha256(f"{seed}\x1f{unit}".encode()).hexdigest()
