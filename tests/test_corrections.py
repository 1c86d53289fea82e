"""Labels put right and examples left out: of texts with several labels, and of those with none to choose from."""

from __future__ import annotations

import pair_models
import pandas as pd
import pytest
import text_models

from tlcore import data, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.spec_parts import Data, Split
from tlcore.data.confirm import confirm, relabel
from tlcore.data.label_corrections import corrected, read_corrections
from tlcore.data.staging import stage
from tlcore.ui import label_corrections

TASK = "multi-label-text-classification"
ROWS = [
    (f"{text} {i}", ("good", "bad", "good;bad", "")[i % 4]) for i, (text, _) in enumerate(text_models.sentences(40))
]


def staged(folder, rows=ROWS, task=TASK, header="text,labels"):
    return stage(
        text_models.write_table(folder / "t.csv", rows, header), task=tasks.find(task), folder=folder / "staged"
    )


def made(found, store, **how):
    return confirm(found, store, **{"split": Split(), "corrections": None, "name": "x", "owner": "local", **how})


def test_a_corrected_set_of_labels_is_the_same_as_a_corrected_file(tmp_path, store):
    result = {"t.csv:2": "bad; good", "t.csv:3": "-", "t.csv:4": ""}
    one = made(staged(tmp_path), store, corrections=result)
    right = {row["id"]: row["labels"] for _, row in one.rows.iterrows()}
    assert (right["t.csv:2"], right["t.csv:3"]) == ("bad; good", "")
    assert "t.csv:4" not in right
    (tmp_path / "again").mkdir()
    rows = [(ROWS[0][0], "good;bad"), (ROWS[1][0], ""), ("", ""), *ROWS[3:]]
    other = made(staged(tmp_path / "again", rows), store)
    assert one.fingerprint == other.fingerprint
    assert made(staged(tmp_path), store).fingerprint != one.fingerprint


@pytest.mark.parametrize(
    ("label", "reason"), [("x" * 201, "longer than 200"), (";".join(map(str, range(101))), "101 labels")]
)
def test_a_correction_that_cannot_be_is_refused_by_name(label, reason):
    rows = pd.DataFrame({"id": ["a"], "labels": ["x"], "text": ["t"], "sha256": ["-"]})
    with pytest.raises(UnusableInput, match=reason) as refused:
        corrected(rows, {"a": label}, "labels")
    assert refused.value.file == "a"


def test_the_split_comes_back_as_corrections(tmp_path, store):
    found = made(staged(tmp_path), store)
    (tmp_path / "split.csv").write_text(found.split_csv())
    result = read_corrections(tmp_path / "split.csv")
    assert set(result.values()) == {"good", "bad", "bad; good", "-"}
    assert relabel(found, result, tasks.find(TASK), store, "local").fingerprint == found.fingerprint


def test_labels_that_differ_in_spelling_are_merged_in_every_set(tmp_path):
    rows = [*ROWS, ("a text with both of them", "Good;bad"), ("and one with the odd one", "Good")]
    found = staged(tmp_path, rows)
    assert found.merges() == {"t.csv:42": "good; bad", "t.csv:43": "good"}
    codes = {one.code for one in found.recheck(found.merges())}
    assert "look-alike-labels" not in codes
    assert staged(tmp_path).merges() == {}


def test_pairs_can_be_left_out_and_are_never_relabelled(tmp_path, store):
    found = staged(tmp_path, pair_models.pairs(40), "translation", "source,target")
    one = made(found, store, corrections={"t.csv:5": ""})
    assert one.info.n["train"] + one.info.n["validation"] + one.info.n["test"] == 39
    assert "t.csv:5" not in set(one.rows["id"])
    assert "label" not in one.split_csv().splitlines()[0]
    (tmp_path / "split.csv").write_text(one.split_csv())
    with pytest.raises(UnusableInput, match="columns file and label"):
        read_corrections(tmp_path / "split.csv")
    with pytest.raises(UnusableInput, match="upload it again"):
        made(found, store, corrections={"t.csv:5": "good"})


def test_entities_can_be_left_out(tmp_path, store):
    path = tmp_path / "t.conll"
    path.write_text(text_models.conll(text_models.tagged(40)))
    task = tasks.find("token-classification")
    one = data.read(Data(path=str(path)), task=task, store=store, owner="local")
    name = one.rows["id"].iloc[0]
    assert len(relabel(one, {name: ""}, task, store, "local").rows) == len(one.rows) - 1


@pytest.fixture
def table(monkeypatch):
    """What a person does in the table: ``table(change)`` gets the frame, and the page gets what it gives back."""
    import streamlit as st

    seen = {}

    def edits(change):
        def editor(frame, **how):
            seen["frame"], seen["how"] = frame.copy(), how
            return change(frame.copy())

        monkeypatch.setattr(st, "data_editor", editor)
        return seen

    monkeypatch.setattr(st, "caption", lambda text: seen.setdefault("caption", text))
    monkeypatch.setattr(
        label_corrections, "class_picker", lambda labels, key, title=None: seen.setdefault("labels", labels)[-1]
    )
    monkeypatch.setattr(label_corrections.text_view, "searched", lambda key: "")
    return edits


def test_sets_are_changed_in_the_table(tmp_path, table):
    rows = staged(tmp_path).rows

    def change(frame):
        frame.at[0, "label"] = ["bad"]
        frame.at[1, "label"] = []
        frame.at[2, "out"] = True
        return frame

    seen = table(change)
    result = label_corrections.edit(TASK, rows, None, {"t.csv:99": "bad"}, key="k")
    assert seen["labels"] == ["", "bad", "good"]
    names = seen["frame"]["file"].tolist()
    assert result == {"t.csv:99": "bad", names[0]: "bad", names[1]: "-", names[2]: ""}
    assert seen["how"]["column_config"]["label"]["type_config"]["options"][0]["value"] == "bad"
    table(lambda frame: frame)
    assert label_corrections.edit(TASK, rows, None, result, key="k") == result, (
        "what was changed stays and is shown changed"
    )

    def back(frame):
        frame.at[0, "label"] = rows.set_index("id").at[names[0], "labels"].split("; ")
        frame.at[2, "out"] = False
        return frame

    table(back)
    assert label_corrections.edit(TASK, rows, None, result, key="k") == {"t.csv:99": "bad", names[1]: "-"}


def test_pairs_are_ticked_to_be_left_out(tmp_path, table):
    rows = staged(tmp_path, pair_models.pairs(20), "translation", "source,target").rows
    seen = table(lambda frame: frame.assign(out=[True] + [False] * (len(frame) - 1)))
    result = label_corrections.edit("translation", rows, None, {}, key="k")
    assert result == {rows["id"].iloc[0]: ""}
    assert list(seen["frame"]) == ["text", "target", "file", "out"]
    assert "put right in your file" in seen["caption"]
    assert label_corrections.title("translation") == "Leave examples out"
    assert label_corrections.title(TASK) == "Correct labels"
