"""Cutting the data into train, validation and test: once, reproducibly, and without tearing groups apart."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from tlcore.core.i18n import Sentence, sentence
from tlcore.core.spec_parts import Split
from tlcore.data.dataset import SPLITS


def stratified(rows: pd.DataFrame, split: Split, several: Sequence[Sequence[str]] | None = None) -> pd.Series:
    """``train``, ``validation`` or ``test`` for each row, classes in the same shares in each.

    ``several`` are the labels of each row where a row may have any number of them: then the units with the rarest
    label come first, while there is room for them everywhere (after Sechidis et al. 2011, ECML PKDD).

    Rows with the same ``group`` (or, where there are no groups, the same ``near`` cluster of near
    duplicates) stay together. Every class is in every split where it has enough groups. The result depends
    on the rows' ids, labels and groups and on ``split.seed``, not on the order of the rows. A share of 0
    leaves that split out.
    """
    shares = np.array([1 - split.validation - split.test, split.validation, split.test])
    unit_of = units(rows)
    if several is None:
        held, of_row = rows["label"].astype(str).to_numpy(), unit_of
    else:  # that it is an example at all counts as a label, so that the sizes of the splits are right as well
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
    """Deal out units of one example, a million of them in seconds: each class by itself, to the split that it fits best
    each time. What one more costs a split rises with each that it gets, so that sorting all costs gives the turns.
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


WHOLE = 20  # documents from which each stays whole in one set
PIECES = 20  # contiguous pieces that fewer documents are cut into, all together


def documents(rows: pd.DataFrame) -> pd.Series:
    """What is never torn apart where rows are blocks of documents, as a group for each row.

    The person's own group; else the document, those of one block with their near duplicates; else (where there are few
    documents) a contiguous piece of one, so that a block has its neighbours in its own set.
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
    """The split of all rows and what was done: the person's own split wins, and what it lacks is cut from
    train.

    ``cut`` is the task's own way of cutting rows.
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
    """What is never torn apart: the group, else the cluster of near duplicates, else the example itself."""
    ids = "i:" + rows["id"].astype(str)
    if "group" in rows and rows["group"].notna().any():
        return ids.where(rows["group"].isna(), "g:" + rows["group"].astype(str)).to_numpy()
    if "near" in rows and rows["near"].notna().any():
        return ids.where(rows["near"].isna(), "n:" + rows["near"].astype(str)).to_numpy()
    return ids.to_numpy()


def _tally(members: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The classes in a unit and how many of each; most units are single examples."""
    if len(members) == 1:
        return np.array(members), np.ones(1, dtype=int)
    return np.unique(members, return_counts=True)


def _quota(n: int, shares: np.ndarray) -> np.ndarray:
    """``n`` examples of a class shared out: largest remainders, and one for each split while there are
    enough.
    """
    exact = shares * n
    quota = np.floor(exact + 1e-9).astype(int)
    left = np.round(exact - quota, 9)
    # Where remainders are equal the small sets come first: one more example is worth more to them.
    for at in np.lexsort((shares, -left))[: n - quota.sum()]:
        quota[at] += 1
    for at in np.flatnonzero((quota == 0) & (shares > 1e-9)):
        if quota.max() > 1:
            quota[int(np.argmax(quota))] -= 1
            quota[at] += 1
    return quota


def _cost(wanted: np.ndarray, have: np.ndarray, sizes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """How much worse the counts fit what is wanted if a unit goes to each split; lower is better."""
    after = ((have + sizes - wanted) ** 2 - (have - wanted) ** 2) / np.maximum(wanted, 0.5)
    cost = after.sum(axis=1)
    cost[shares <= 1e-9] = np.inf
    return cost


def _draw(seed: int, unit: str) -> str:
    """A pseudo-random rank that depends on nothing but the seed and the unit's name."""
    return hashlib.sha256(f"{seed}\x1f{unit}".encode()).hexdigest()
