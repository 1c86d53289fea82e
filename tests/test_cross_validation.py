"""Validation sets in turn: which examples validate, that units stay whole, and that a small race uses them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tlcore import tasks
from tlcore.core.i18n import sentence
from tlcore.data.dataset import SPLITS, Dataset, DatasetInfo
from tlcore.evaluation.records import Records
from tlcore.execution.foreground import run_here
from tlcore.guidance import cross_validation, pilot
from tlcore.spec import from_dict

TASK = tasks.find("image-classification")


def made(tmp_path, n_train=80, n_validation=20, groups=False, strange=False):
    """A dataset of three classes, by its rows alone; with ``groups`` four neighbours belong together."""
    n = {"train": n_train, "validation": n_validation, "test": 30}
    split = [name for name in SPLITS for _ in range(n[name])]
    rows = pd.DataFrame({"id": [f"{i}.png" for i in range(len(split))], "split": split})
    rows["label"] = [("a", "b", "c")[i // 4 % 3] for i in range(len(rows))]
    rows["group"] = [f"p{i // 4}" if groups else None for i in range(len(rows))]
    if strange:
        rows.loc[n_train, "label"] = "unheard"
    result = Dataset(tmp_path)
    result.rows = rows
    result.info = DatasetInfo(fingerprint="f" * 16, task=TASK.id, name="x", origin="x", n=n, split_said=sentence("x"))
    return result


@pytest.mark.parametrize("groups", [False, True])
def test_every_turn_validates_on_others_and_tears_nothing(tmp_path, groups):
    dataset = made(tmp_path, groups=groups)
    found = cross_validation.folds(TASK, dataset)
    assert found[0] is dataset
    assert len(found) == cross_validation.MOST
    validated = [set(one.split("validation")["id"]) for one in found]
    assert sum(map(len, validated)) == len(set.union(*validated)), "no example validates twice"
    for one in found[1:]:
        assert list(one.split("test")["id"]) == list(dataset.split("test")["id"])
        assert one.info.n["train"] + one.info.n["validation"] == 100
        assert 14 <= one.info.n["validation"] <= 26
        assert len(one.split("validation")) == one.info.n["validation"]
        assert set(one.split("validation")["label"]) == {"a", "b", "c"}
        assert one.cached_as == dataset.fingerprint != one.fingerprint, "pictures are kept by place"
        if groups:
            assert not set(one.split("validation")["group"]) & set(one.split("train")["group"])
    assert len({one.fingerprint for one in found}) == len(found)


def test_as_many_turns_as_are_needed(tmp_path):
    assert [cross_validation.count(800, n) for n in (200, 100, 60, 40, 10, 0)] == [1, 1, 2, 3, 3, 1]
    assert cross_validation.count(20, 20) == 1, "half of the data cannot train and validate in turn"
    assert cross_validation.folds(TASK, made(tmp_path, 800, 200))[1:] == []
    assert cross_validation.folds(TASK, made(tmp_path, strange=True))[1:] == [], "an unknown class cannot be trained on"


def test_features_follow_their_examples(tmp_path):
    dataset = made(tmp_path)
    number = {name: float(name.removesuffix(".png")) for name in dataset.rows["id"]}
    kept = {split: np.array([[number[i]] for i in dataset.split(split)["id"]]) for split in ("train", "validation")}
    for one in cross_validation.folds(TASK, dataset):
        result = cross_validation.rearranged(kept, dataset, one)
        for split, rows in result.items():
            assert rows[:, 0].tolist() == [number[i] for i in one.split(split)["id"]]
    assert cross_validation.rearranged({**kept, "validation": kept["validation"][:5]}, dataset, dataset) == {}


def test_with_validation_refuses_test_examples(tmp_path):
    dataset = made(tmp_path)
    with pytest.raises(ValueError, match="neither"):
        dataset.with_validation([dataset.split("test")["id"][0]])
    assert dataset.with_validation(dataset.split("validation")["id"]) is dataset


def test_records_of_all_turns_are_one():
    def one(*ids):
        return Records(list(ids), np.array(ids), {"right": np.arange(len(ids))})

    result = cross_validation.together([one("a", "b"), one("c")])
    assert (result.ids, result.unit.tolist(), result.columns["right"].tolist()) == (
        ["a", "b", "c"],
        ["a", "b", "c"],
        [0, 1, 0],
    )


def test_a_small_race_is_scored_on_all_turns(store, dataset, tiny_source):
    spec = from_dict(
        {
            "task": TASK.id,
            "data": {"dataset": dataset.fingerprint},
            "source": str(tiny_source),
            "budget": {"epochs": 3},
            "options": {"image_size": 32, "batch_size": 8},
        }
    )
    asked = pilot.request(spec, dataset.fingerprint)
    said = []
    done = run_here(
        store,
        store.jobs.submit("race", "local", asked, lane="train").id,
        lambda share, message, **more: said.append(str(message)),
    )
    assert done.error is None
    result = pilot.kept(store, asked)
    in_turn = cross_validation.folds(TASK, dataset)
    left = [one for one in result["candidates"] if one["dropped_at"] is None]
    assert result["turns"] == len(in_turn) > 1
    assert result["n_own"] == len(dataset.split("validation"))
    assert len(left) > 1, "with so few examples nobody is far ahead, or this test shows nothing"
    assert result["n_validation"] == sum(len(one.split("validation")) for one in in_turn)
    assert "turns" in result["sentences"]
    assert any("more cross-validation folds" in one for one in said)
    errors = result["errors"]
    assert all(errors[a][b] == errors[b][a] and errors[a][a] == 0 for a in errors for b in errors)
    for one in left:  # a share of all of them: no share of one turn's
        right = one["rungs"][-1]["score"] * result["n_validation"]
        assert right == pytest.approx(round(right))
    assert not list((store.home / "cache" / "features").glob("*-test*"))
