"""Checks of the labels of staged examples, and helpers shared by all checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import pandas as pd

from tlcore.core.findings import NEEDED, SHOWN, Finding, named
from tlcore.core.i18n import sentence
from tlcore.data.dataset import SPLITS

FEW = 10
IMBALANCE = 10
MANY_CLASSES = 1_000
MOST_CLASSES = 5_000


def check_classes(rows: pd.DataFrame) -> list[Finding]:
    """Findings that label corrections can change: number and size of classes, look-alike names."""
    if rows.empty:
        return []
    counts = rows["label"].value_counts()
    return [*_how_many(counts), *_too_few(rows, counts), *_uneven(counts), *_alike(counts)]


def _how_many(counts: pd.Series) -> Iterator[Finding]:
    if len(counts) == 1:
        only = counts.index[0]
        yield Finding(
            level="error",
            code="one-class",
            count=1,
            examples=[only],
            sentence=sentence(
                "There is only one class, {label}; a model needs at least two to tell apart.", label=only
            ),
            fix=sentence("Add a folder (or rows) of examples of something else."),
        )
    if len(counts) > MANY_CLASSES:
        yield Finding(
            level="error" if len(counts) > MOST_CLASSES else "warning",
            code="many-classes",
            count=len(counts),
            examples=list(counts.index[:SHOWN]),
            sentence=sentence(
                "There are {n} classes; with more than {limit} a column of ids is often taken for labels.",
                n=len(counts),
                limit=MANY_CLASSES,
            ),
            fix=sentence("Check which column or folder names the class."),
        )


def _too_few(rows: pd.DataFrame, counts: pd.Series) -> Iterator[Finding]:
    """Classes with too few examples to train or score, by the user's own split if there is one."""
    given = set(rows["split"].dropna())
    if "train" in given and len(given) > 1:
        in_train = rows[rows["split"] == "train"]["label"].value_counts()
        cut_too = "validation" not in given or "test" not in given
        few = counts[[in_train.get(label, 0) < (2 if cut_too else 1) for label in counts.index]]
        if len(few):
            yield _not_in_train(len(few), few.index, named(few))
        tested = set(rows[rows["split"] == ("test" if "test" in given else "validation")]["label"])
        if untested := [label for label in counts.index if label not in tested]:
            yield Finding(
                level="warning",
                code="class-not-in-test",
                count=len(untested),
                examples=untested[:SHOWN],
                sentence=sentence(
                    "Classes without an example in your test set, so not scored ({n}): {labels}.",
                    n=len(untested),
                    labels=untested[:SHOWN],
                ),
            )
    else:
        few = counts[counts < NEEDED]
        if len(few):
            yield Finding(
                level="error",
                code="class-too-few",
                count=len(few),
                examples=list(few.index[:SHOWN]),
                sentence=sentence(
                    "Classes with fewer than {needed} usable examples, too few for one each in training, "
                    "validation and test ({n}): {labels}.",
                    n=len(few),
                    needed=NEEDED,
                    labels=named(few),
                ),
                fix=sentence("Add examples of these classes, merge them with another class, or leave them out."),
            )
    small = counts[(counts < FEW) & ~counts.index.isin(few.index)]
    if len(small):
        yield Finding(
            level="warning",
            code="class-few",
            count=len(small),
            examples=list(small.index[:SHOWN]),
            sentence=sentence(
                "Classes with fewer than {few} examples, so their scores will be uncertain ({n}): {labels}.",
                n=len(small),
                few=FEW,
                labels=named(small),
            ),
        )


def _not_in_train(n: int, labels: Iterable[str], named: list[str]) -> Finding:
    return Finding(
        level="error",
        code="class-not-in-train",
        count=n,
        examples=list(labels)[:SHOWN],
        sentence=sentence(
            "Classes with too few examples in your training set to be learned ({n}): {labels}.", n=n, labels=named
        ),
        fix=sentence("Add training examples of these classes, or leave the classes out."),
    )


def _uneven(counts: pd.Series) -> Iterator[Finding]:
    if len(counts) > 1 and counts.max() > IMBALANCE * counts.min():
        largest, smallest = counts.idxmax(), counts.idxmin()
        yield Finding(
            level="warning",
            code="imbalance",
            count=int(counts.max()),
            examples=[str(largest), str(smallest)],
            sentence=sentence(
                "The classes are very uneven: {largest} has {most} examples and {smallest} has {least}. Look "
                "at macro-F1 beside accuracy.",
                largest=largest,
                most=int(counts.max()),
                smallest=smallest,
                least=int(counts.min()),
            ),
        )


def _alike(counts: pd.Series) -> Iterator[Finding]:
    for labels in look_alikes(counts.to_dict()):
        yield Finding(
            level="warning",
            code="look-alike-labels",
            count=len(labels),
            examples=labels,
            sentence=sentence("The labels {labels} differ only by case, blanks or underscores.", labels=labels),
            fix=sentence("If they mean the same, merge them into {label}.", label=labels[0]),
        )


def look_alikes(counts: Mapping[str, int]) -> list[list[str]]:
    """Groups of labels that differ only by case, blanks, hyphens or underscores, most frequent first."""
    same: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        same["".join(c for c in label.casefold() if c not in " _-")].append(label)
    return [sorted(found, key=lambda label: (-counts[label], label)) for found in same.values() if len(found) > 1]


def split_problem(rows: pd.DataFrame) -> Finding | None:
    """The error of a finished split with an empty set or a class without training examples; None if it has none."""
    for name in SPLITS:
        if not (rows["split"] == name).any():
            return Finding(
                level="error",
                code="split-empty",
                sentence=sentence("The {split} set would be empty; there are too few examples or groups.", split=name),
            )
    missing = sorted(set(rows["label"]) - set(rows[rows["split"] == "train"]["label"]))
    if missing:
        return _not_in_train(len(missing), missing, missing[:SHOWN])
    return None
