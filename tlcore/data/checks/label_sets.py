"""Checks of staged texts with any number of labels (multi-label or entities)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tlcore.core.findings import NEEDED, SHOWN, Finding
from tlcore.core.i18n import sentence
from tlcore.data.checks.class_labels import MANY_CLASSES, MOST_CLASSES, look_alikes

if TYPE_CHECKING:
    import pandas as pd


def check_label_sets(rows: pd.DataFrame, sets: Sequence[Sequence[str]]) -> list[Finding]:
    """Findings on multi-label texts. ``sets`` holds the labels of each row."""
    counts = Counter(label for labels in sets for label in labels)
    order = [label for label, _ in counts.most_common()]
    without = sum(not labels for labels in sets)
    if not order:
        return [
            Finding(
                level="error",
                code="no-labels",
                sentence=sentence("No text has a label."),
                fix=sentence("Check which column holds the labels."),
            )
        ]
    found = check_names(rows, sets, counts)
    if len(order) == 1 and not without:
        found.append(
            Finding(
                level="error",
                code="one-class",
                count=1,
                examples=order,
                sentence=sentence(
                    "Every text has the label {label} and no other; there is nothing to tell apart.", label=order[0]
                ),
                fix=sentence("Add texts without it, or with other labels."),
            )
        )
    named = [f"{label} ({counts[label]})" for label in order[:SHOWN]]
    found.append(
        Finding(
            level="note",
            code="label-counts",
            count=len(order),
            sentence=sentence(
                "Labels and how many texts have each: {labels}. Texts without a label: {without}; labels a text "
                "in the mean: {mean}.",
                labels=[*named, "…"] if len(order) > SHOWN else named,
                without=without,
                mean=round(sum(map(len, sets)) / len(sets), 2),
            ),
        )
    )
    if all(len(labels) == 1 for labels in sets):
        found.append(
            Finding(
                level="note",
                code="one-label-each",
                sentence=sentence("Each text has exactly one label; the task Text classification fits that better."),
            )
        )
    return found


def check_entities(rows: pd.DataFrame, entities: Sequence[Sequence[str]]) -> list[Finding]:
    """Findings on texts with entities. ``entities`` holds the labels of each row, one per entity."""
    counts = Counter(label for labels in entities for label in labels)
    if not counts:
        return [
            Finding(
                level="error",
                code="no-labels",
                sentence=sentence("No text has an entity."),
                fix=sentence("Check which column holds the tags or the entities."),
            )
        ]
    named = [f"{label} ({n})" for label, n in counts.most_common(SHOWN)]
    message = sentence(
        "Entities of each kind: {labels}. Texts without any: {without} of {n}.",
        labels=[*named, "…"] if len(counts) > SHOWN else named,
        without=sum(not own for own in entities),
        n=len(rows),
    )
    sets = [sorted(set(own)) for own in entities]
    return [
        *check_names(rows, sets, Counter(label for labels in sets for label in labels)),
        Finding(level="note", code="entity-counts", count=len(counts), sentence=message),
    ]


def check_names(rows: pd.DataFrame, sets: Sequence[Sequence[str]], counts: Counter[str]) -> list[Finding]:
    """Findings on label names: too many, rare, look-alike, or absent from the user's training set.

    ``counts`` is the number of texts with each label.
    """
    order, found = [label for label, _ in counts.most_common()], []
    if len(order) > MANY_CLASSES:
        found.append(
            Finding(
                level="error" if len(order) > MOST_CLASSES else "warning",
                code="many-classes",
                count=len(order),
                examples=order[:SHOWN],
                sentence=sentence(
                    "There are {n} different labels; with more than {limit}, cells that were not separated or a "
                    "column of ids are often taken for labels.",
                    n=len(order),
                    limit=MANY_CLASSES,
                ),
                fix=sentence("Check which column holds the labels."),
            )
        )
    if rare := [label for label in order if counts[label] < NEEDED]:
        found.append(
            Finding(
                level="warning",
                code="rare-labels",
                count=len(rare),
                examples=rare[:SHOWN],
                sentence=sentence(
                    "Labels on fewer than {needed} texts, which may be missing from training or from the test: "
                    "{labels}.",
                    needed=NEEDED,
                    labels=rare[:SHOWN],
                ),
            )
        )
    for first, *others in look_alikes(counts):
        found.append(
            Finding(
                level="warning",
                code="look-alike-labels",
                count=1 + len(others),
                examples=[first, *others],
                sentence=sentence(
                    "The labels {labels} differ only by case, blanks or underscores.", labels=[first, *others]
                ),
            )
        )
    return [*found, *_not_in_train(rows, sets)]


def _not_in_train(rows: pd.DataFrame, sets: Sequence[Sequence[str]]) -> list[Finding]:
    """Labels of the user's own validation or test set that are absent from the training set."""
    if not (rows["split"] == "train").any():
        return []
    trained = {label for labels, split in zip(sets, rows["split"], strict=True) if split == "train" for label in labels}
    missing = sorted({label for labels in sets for label in labels} - trained)
    if not trained:
        return [
            Finding(level="error", code="no-labels", sentence=sentence("No text of your training set has a label."))
        ]
    if not missing:
        return []
    return [
        Finding(
            level="warning",
            code="class-not-in-train",
            count=len(missing),
            examples=missing[:SHOWN],
            sentence=sentence(
                "Labels that no text of your training set has ({n}): {labels}. They cannot be learned, and count "
                "as missed.",
                n=len(missing),
                labels=missing[:SHOWN],
            ),
        )
    ]
