"""Nobody is judged by what was learned from: further sets lose what the run is scored on, near copies are one unit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import text_models

from tlcore import data, modalities, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.spec_parts import Data
from tlcore.data import auxiliary

PICTURES = tasks.find("image-classification")
TEXTS = modalities.of(tasks.find("text-classification"))
LONG = " ".join(f"word{n}" for n in range(40))


def read(path, task, store):
    return data.read(Data(path=str(path)), task=tasks.find(task), store=store, owner="local")


def texts(*args, **columns):
    return pd.DataFrame({"text": args, **columns})


def test_a_second_labelled_set_loses_what_the_run_is_scored_on(photos, dataset, store):
    extra = auxiliary.read_set("extra", str(photos), task=PICTURES, store=store, owner="local")
    turned = extra.without(extra.rows["id"][extra.rows["split"] == "test"])  # so that its split is not the run's
    turned = turned.with_validation(dataset.split("train")["id"].head(6))
    left = auxiliary.decontaminate(turned, dataset, PICTURES)
    judged = set(dataset.rows[dataset.rows["split"] != "train"]["sha256"])
    assert judged & set(turned.split("train")["sha256"])
    assert not judged & set(left.split("train")["sha256"])
    assert not set(dataset.split("train")["sha256"]) & set(left.split("validation")["sha256"])
    assert left.info.n["train"] > 0
    assert (left.rows["id"] == extra.rows["id"]).all(), "what is kept by position serves the view as well"
    assert auxiliary.decontaminate(left, dataset, PICTURES).fingerprint == left.fingerprint


def test_a_set_of_which_nothing_is_left_is_refused(dataset):
    with pytest.raises(UnusableInput, match="Nothing is left of patterns to learn from"):
        auxiliary.some_left(dataset.without(dataset.rows["id"]))


@pytest.mark.parametrize("columns", [{}, {"labels": "x"}, {"entities": "[]"}, {"target": "Guten Tag"}])
def test_texts_are_the_same_by_their_words_whatever_else_is_known_of_them(columns):
    known = texts("Good day, dear friend!", sha256="another", **columns)
    rows = texts("good day dear  friend", "good day dear", "guten tag", sha256="one")
    assert TEXTS.contaminated(rows, known).tolist() == [True, False, "target" in columns]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("word3 word4 Word5", True),
        ("word3 word5", False),
        (" ".join(f"word{n}" for n in range(30, 60)), False),
        (" ".join(f"word{n}" for n in range(25, 60)), True),
        ("ahead " + LONG + " behind", True),
    ],
)
def test_pieces_of_documents_are_known_by_a_run_of_words(said, found):
    assert TEXTS.contaminated(texts(said), texts(LONG, document="a")).tolist() == [found]
    assert TEXTS.contaminated(texts(said), texts(LONG)).tolist() == [False], (
        "a short text may well be part of a longer one"
    )


@pytest.mark.parametrize(
    "task", ["text-classification", "multi-label-text-classification", "token-classification", "text-generation"]
)
def test_unlabelled_texts_lose_those_that_the_run_is_scored_on(task, store, tmp_path):
    said = [text for text, _ in text_models.sentences(60 if task != "text-generation" else 900)]
    (tmp_path / "all.txt").write_text("\n".join(text.upper() for text in said))
    n = len(said) // 2
    labels = {
        "text-classification": {"label": ["a", "b"] * n},
        "multi-label-text-classification": {"labels": ["a;b", "b"] * n},
        "token-classification": {"entities": ["[]", '[[0, 1, "x"]]'] * n},
    }.get(task)
    if labels:
        rows = [(text, *more) for text, *more in zip(said, *labels.values(), strict=True)]
        if task == "token-classification":
            rows = [(t, f'[[0, {len(t.split()[0])}, "x"]]' if n % 2 else "[]") for n, (t, _) in enumerate(rows)]
        pd.DataFrame(rows, columns=["text", *labels]).to_csv(tmp_path / "t.csv", index=False)
    else:
        (tmp_path / "t.txt").write_text("\n".join(said))
    dataset = read(tmp_path / ("t.csv" if labels else "t.txt"), task, store)
    every = auxiliary.read_set(
        "unlabelled", str(tmp_path / "all.txt"), task=tasks.find(task), store=store, owner="local"
    )
    left = auxiliary.decontaminate(every, dataset, tasks.find(task)).split("train")
    judged = dataset.rows[dataset.rows["split"] != "train"]
    assert 0 < len(left) < len(every.rows)
    plain = [" ".join(text.split()) for text in judged["text"].str.lower()]
    assert not any(one in " ".join(plain) for one in left["text"].str.lower())


def test_near_copies_in_the_test_set_are_one_unit(store, tmp_path):
    """Ten texts, each five times with another word at its end: ten chances to be right, not fifty."""
    rng = np.random.default_rng(0)
    rows = []
    for n in range(30):
        words = [f"w{k}" for k in rng.integers(0, 5_000, 20)]
        rows += [(" ".join([*words, f"end{k}"]), "ab"[n % 2]) for k in range(5)]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(tmp_path / "t.csv", index=False)
    dataset = read(tmp_path / "t.csv", "text-classification", store)
    task, test = tasks.find("text-classification"), dataset.split("test")
    examples = task.examples(dataset, {"size": 16, "pad": 0}, task.fit_target(dataset), None)["test"]
    records = task.evaluate(np.zeros((len(test), 2)), examples, task.fit_target(dataset))
    assert len(records) == len(test) >= 20
    assert len(np.unique(records.unit)) == len(test) / 5
