"""Splits: in the asked shares, with every class, groups whole, and the same each time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tlcore.core.spec_parts import Split
from tlcore.data import splits
from tlcore.data.splits import divide, stratified

SPLIT = Split()


def rows(counts: dict[str, int], **columns) -> pd.DataFrame:
    labels = [label for label, n in counts.items() for _ in range(n)]
    return pd.DataFrame({"id": [f"{label}/{i}" for i, label in enumerate(labels)], "label": labels, **columns})


def table(frame: pd.DataFrame, split: pd.Series) -> pd.DataFrame:
    return pd.crosstab(frame["label"], split).reindex(columns=["train", "validation", "test"], fill_value=0)


def test_shares_and_classes():
    frame = rows({"a": 1000, "b": 100, "c": 20})
    found = table(frame, stratified(frame, SPLIT))
    assert found.loc["a"].tolist() == [650, 150, 200]
    assert found.loc["b"].tolist() == [65, 15, 20]
    assert found.loc["c"].tolist() == [13, 3, 4]


@pytest.mark.parametrize("n", range(3, 12))
def test_every_class_is_in_every_split_where_there_are_three(n):
    frame = rows({"a": n, "b": 50})
    found = table(frame, stratified(frame, SPLIT))
    assert (found.loc["a"] >= 1).all()
    assert found.loc["a"].sum() == n


@pytest.mark.parametrize(("n", "expected"), [(1, [1, 0, 0]), (2, [1, 0, 1])])
def test_training_comes_first_where_there_are_too_few(n, expected):
    frame = rows({"a": n, "b": 50})
    assert table(frame, stratified(frame, SPLIT)).loc["a"].tolist() == expected


def test_reproducible_whatever_the_order_and_different_by_seed():
    frame = rows({"a": 60, "b": 40})
    once = stratified(frame, SPLIT)
    shuffled = frame.sample(frac=1, random_state=1)
    assert stratified(shuffled, SPLIT).sort_index().equals(once)
    assert not stratified(frame, Split(seed=1)).equals(once)


def test_groups_stay_whole_and_shares_are_near():
    rng = np.random.default_rng(0)
    frame = rows({"a": 600, "b": 400})
    frame["group"] = [f"{label}{rng.integers(0, 40)}" for label in frame["label"]]
    found = stratified(frame, SPLIT)
    assert found.groupby(frame["group"]).nunique().max() == 1
    shares = table(frame, found).div([600, 400], axis=0)
    assert np.abs(shares - [0.65, 0.15, 0.2]).to_numpy().max() < 0.04


def test_groups_with_mixed_classes_stay_whole():
    rng = np.random.default_rng(0)
    frame = rows({"a": 300, "b": 100})
    frame["group"] = [f"p{g}" for g in rng.integers(0, 50, 400)]
    found = stratified(frame, SPLIT)
    assert found.groupby(frame["group"]).nunique().max() == 1
    assert np.abs(table(frame, found).div([300, 100], axis=0) - [0.65, 0.15, 0.2]).to_numpy().max() < 0.08


def test_near_duplicates_stay_together_unless_groups_say_otherwise():
    frame = rows({"a": 40, "b": 40})
    frame["near"] = [frame["id"][i - i % 4] if i % 8 < 4 else None for i in range(80)]
    found = stratified(frame, SPLIT)
    assert found.groupby(frame["near"]).nunique().max() == 1
    frame["group"] = [f"g{i % 10}" for i in range(80)]
    assert stratified(frame, SPLIT).groupby(frame["group"]).nunique().max() == 1


def test_own_three_sets_are_used_as_they_are():
    frame = rows({"a": 6, "b": 6}, split=["train", "validation", "test"] * 4)
    done, said = divide(frame, SPLIT)
    assert done.tolist() == frame["split"].tolist()
    assert "as they are" in str(said)


def test_train_and_test_cut_validation_from_train():
    frame = rows({"a": 100, "b": 100}, split=(["train"] * 80 + ["test"] * 20) * 2)
    done, said = divide(frame, SPLIT)
    assert (done[frame["split"] == "test"] == "test").all()
    assert table(frame, done).to_numpy().tolist() == [[68, 12, 20]] * 2
    assert "15 % of your training set" in str(said)


def test_train_and_validation_make_validation_the_test_set():
    frame = rows({"a": 100, "b": 100}, split=(["train"] * 80 + ["validation"] * 20) * 2)
    done, said = divide(frame, SPLIT)
    assert (done[frame["split"] == "validation"] == "test").all()
    assert table(frame, done).to_numpy().tolist() == [[68, 12, 20]] * 2
    assert "became the test set" in str(said)


def test_no_sets_or_only_train_are_cut_by_the_shares():
    for split in (None, "train"):
        frame = rows({"a": 100, "b": 100}, split=[split] * 200)
        done, said = divide(frame, SPLIT)
        assert table(frame, done).to_numpy().tolist() == [[65, 15, 20]] * 2
        assert "15 % for validation, 20 % for the test" in str(said)


def test_twenty_thousand_rows_are_quick():
    import time

    frame = rows({f"c{i}": 200 for i in range(100)})
    began = time.process_time()
    stratified(frame, SPLIT)
    assert time.process_time() - began < 10


@pytest.mark.parametrize("seed", range(6))
def test_examples_alone_are_dealt_out_as_one_by_one(seed):
    """What is done at once for a class is what taking each example in turn to where it fits best would do."""
    rng = np.random.default_rng(seed)
    frame = rows({f"c{k}": int(rng.integers(1, 120)) for k in range(5)})
    frame["near"] = [f"n{x}" if x < 15 else None for x in rng.integers(0, 90, len(frame))]
    split = Split(seed=seed, validation=0.1, test=0.25)
    shares = np.array([0.65, 0.1, 0.25])
    unit_of = splits.units(frame)
    members = pd.DataFrame({"unit": unit_of, "label": frame["label"]}).groupby("unit")["label"].agg(list)
    turns = sorted(members.index, key=lambda unit: (-len(members[unit]), splits._draw(seed, unit)))
    labels = sorted(frame["label"].unique())
    wanted = np.stack([splits._quota(int((frame["label"] == one).sum()), shares) for one in labels], 1).astype(float)
    have, chosen = np.zeros_like(wanted), {}
    for unit in turns:
        classes, sizes = np.unique([labels.index(one) for one in members[unit]], return_counts=True)
        best = int(np.argmin(splits._cost(wanted[:, classes], have[:, classes], sizes, shares)))
        have[best, classes] += sizes
        chosen[unit] = ("train", "validation", "test")[best]
    assert stratified(frame, split).tolist() == [chosen[unit] for unit in unit_of]
