"""Nested parts of the training data, for learning curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tlcore.data import nested_subsets


def rows(counts, group=None):
    labels = [label for label, n in counts.items() for _ in range(n)]
    frame = pd.DataFrame({"id": [f"{label}-{i}" for i, label in enumerate(labels)], "label": labels})
    return frame if group is None else frame.assign(group=group(frame))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_parts_are_nested_and_stratified(seed):
    frame = rows({"a": 200, "b": 60, "c": 12})
    order = nested_subsets.nested(frame, seed)
    assert sorted(np.concatenate(order)) == list(range(272))
    before: set[int] = set()
    for n in nested_subsets.sizes(272, 3):
        part = nested_subsets.take(order, n)
        assert len(part) == n
        assert before <= set(part)
        before = set(part)
        have = frame["label"].iloc[part].value_counts()
        for label, whole in (("a", 200), ("b", 60), ("c", 12)):
            assert have[label] >= 1
            assert abs(have[label] - n * whole / 272) <= 1.51


def test_parts_depend_on_the_seed_and_not_on_the_order_of_the_rows():
    frame = rows({"a": 40, "b": 40})
    shuffled = frame.sample(frac=1, random_state=4).reset_index(drop=True)

    def part(f, seed):
        return set(f["id"].iloc[nested_subsets.take(nested_subsets.nested(f, seed), 20)])

    assert part(frame, 0) == part(shuffled, 0)
    assert part(frame, 0) != part(frame, 1)


def test_groups_are_never_torn_apart():
    frame = rows({"a": 60, "b": 60}, lambda f: [f"patient-{i // 6}" for i in range(len(f))])
    order = nested_subsets.nested(frame, 0)
    for n in (12, 30, 61):
        inside = np.zeros(120, bool)
        inside[nested_subsets.take(order, n)] = True
        assert frame.assign(inside=inside).groupby("group")["inside"].nunique().max() == 1
        assert abs(inside.sum() - n) <= 3


def test_sizes_grow_by_the_same_factor_and_end_at_the_whole():
    sizes = nested_subsets.sizes(320, 2)
    assert sizes == [20, 40, 80, 160, 320]
    assert nested_subsets.sizes(1000, 100)[0] == 200, "two of each class at least"
    assert len(nested_subsets.sizes(5, 3)) == 1


def test_a_view_trains_on_its_part_alone(dataset):
    train = dataset.split("train")
    ids = train["id"].tolist()[:7]
    view = dataset.with_train(ids)
    assert view.split("train")["id"].tolist() == ids
    assert view.info.n["train"] == 7
    for split in ("validation", "test"):
        assert view.split(split).equals(dataset.split(split))
    assert view.fingerprint != dataset.fingerprint
    assert view.fingerprint == dataset.with_train(ids[::-1]).fingerprint != dataset.with_train(ids[:6]).fingerprint
    assert view.cached_as == dataset.fingerprint
    assert view.rows["id"].equals(dataset.rows["id"]), "places stay, so that what is kept by place still fits"
    assert dataset.with_train(train["id"]) is dataset
    with pytest.raises(ValueError, match="training"):
        dataset.with_train(dataset.split("test")["id"])
