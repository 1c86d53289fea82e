"""What is to be known about staged examples before they become a dataset, each with files named and what to
do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import pandas as pd

from tlcore.data.dataset import SPLITS
from tlcore.data.findings import Finding, SetAside
from tlcore.words import say

NEEDED = 3  # one each for train, validation and test
FEW = 10
IMBALANCE = 10
MANY_CLASSES = 1_000
MOST_CLASSES = 5_000
SMALL_SIDE = 32
SHOWN = 10
NOT_A_PICTURE = say("It is not a picture.")
NOT_A_TABLE = say("It is not a table of texts.")


def check_classes(rows: pd.DataFrame) -> list[Finding]:
    """Findings that corrections of labels can change: number and size of classes, look-alike names."""
    if rows.empty:
        return []
    counts = rows["label"].value_counts()
    findings: list[Finding] = []
    if len(counts) == 1:
        findings.append(
            Finding(
                level="error",
                code="one-class",
                count=1,
                examples=[counts.index[0]],
                sentence=say(
                    "There is only one class, {label}; a model needs at least two to tell apart.",
                    label=counts.index[0],
                ),
                fix=say("Add a folder (or rows) of examples of something else."),
            )
        )
    if len(counts) > MANY_CLASSES:
        findings.append(
            Finding(
                level="error" if len(counts) > MOST_CLASSES else "warning",
                code="many-classes",
                count=len(counts),
                examples=list(counts.index[:SHOWN]),
                sentence=say(
                    "There are {n} classes; with more than {limit} a column of ids is often taken for labels.",
                    n=len(counts),
                    limit=MANY_CLASSES,
                ),
                fix=say("Check which column or folder names the class."),
            )
        )
    findings += _class_sizes(rows, counts)
    for first, *others in look_alikes(counts.to_dict()):
        findings.append(
            Finding(
                level="warning",
                code="look-alike-labels",
                count=1 + len(others),
                examples=[first, *others],
                sentence=say(
                    "The labels {labels} differ only by case, blanks or underscores.", labels=[first, *others]
                ),
                fix=say("If they mean the same, merge them into {label}.", label=first),
            )
        )
    return findings


def _class_sizes(rows: pd.DataFrame, counts: pd.Series) -> list[Finding]:
    findings = []
    given = set(rows["split"].dropna())
    few = counts[counts < NEEDED]
    if "train" in given and len(given) > 1:
        in_train = rows[rows["split"] == "train"]["label"].value_counts()
        cut_too = "validation" not in given or "test" not in given
        few = counts[[in_train.get(label, 0) < (2 if cut_too else 1) for label in counts.index]]
        if len(few):
            findings.append(
                Finding(
                    level="error",
                    code="class-not-in-train",
                    count=len(few),
                    examples=list(few.index[:SHOWN]),
                    sentence=say(
                        "Classes with too few examples in your training set to be learned ({n}): {labels}.",
                        n=len(few),
                        labels=_named(few),
                    ),
                    fix=say("Add training examples of these classes, or leave the classes out."),
                )
            )
        tested = rows[rows["split"] == ("test" if "test" in given else "validation")]["label"].unique()
        untested = [label for label in counts.index if label not in set(tested)]
        if untested:
            findings.append(
                Finding(
                    level="warning",
                    code="class-not-in-test",
                    count=len(untested),
                    examples=untested[:SHOWN],
                    sentence=say(
                        "Classes without an example in your test set, so not scored ({n}): {labels}.",
                        n=len(untested),
                        labels=untested[:SHOWN],
                    ),
                )
            )
    elif len(few):
        findings.append(
            Finding(
                level="error",
                code="class-too-few",
                count=len(few),
                examples=list(few.index[:SHOWN]),
                sentence=say(
                    "Classes with fewer than {needed} usable examples, too few for one each in training, "
                    "validation and test ({n}): {labels}.",
                    n=len(few),
                    needed=NEEDED,
                    labels=_named(few),
                ),
                fix=say("Add examples of these classes, merge them with another class, or leave them out."),
            )
        )
    small = counts[(counts < FEW) & ~counts.index.isin(few.index)]
    if len(small):
        findings.append(
            Finding(
                level="warning",
                code="class-few",
                count=len(small),
                examples=list(small.index[:SHOWN]),
                sentence=say(
                    "Classes with fewer than {few} examples, so their scores will be uncertain ({n}): {labels}.",
                    n=len(small),
                    few=FEW,
                    labels=_named(small),
                ),
            )
        )
    if len(counts) > 1 and counts.max() > IMBALANCE * counts.min():
        findings.append(
            Finding(
                level="warning",
                code="imbalance",
                count=int(counts.max()),
                examples=[str(counts.idxmax()), str(counts.idxmin())],
                sentence=say(
                    "The classes are very uneven: {largest} has {most} examples and {smallest} has "
                    "{least}. Look at "
                    "macro-F1 beside accuracy.",
                    largest=counts.idxmax(),
                    most=int(counts.max()),
                    smallest=counts.idxmin(),
                    least=int(counts.min()),
                ),
            )
        )
    return findings


def groups(rows: pd.DataFrame, group: str | None) -> list[Finding]:
    """Whether the groups can be dealt out to three splits."""
    if not group or rows.empty:
        return []
    found = rows["group"].dropna()
    if found.empty:
        return [
            Finding(
                level="error",
                code="group",
                sentence=say("{group} is neither a column of the table nor does it match any file name.", group=group),
                fix=say("Give the name of a column, or a pattern such as (patient[0-9]+)."),
            )
        ]
    findings = [
        Finding(
            level="note",
            code="groups",
            count=int(found.nunique()),
            examples=_first(found.unique()),
            sentence=say("Groups found: {n}. Each stays within one split.", n=int(found.nunique())),
        )
    ]
    ungrouped = rows[rows["group"].isna()]["id"]
    if len(ungrouped):
        findings.append(
            Finding(
                level="warning",
                code="group-missing",
                count=len(ungrouped),
                examples=_first(ungrouped),
                sentence=say("Pictures without a group: {n}. Each of them counts as its own.", n=len(ungrouped)),
            )
        )
    if set(rows["split"].dropna()) >= {"train", "test"} or set(rows["split"].dropna()) >= {
        "train",
        "validation",
    }:
        torn = found.groupby(found).filter(lambda g: rows.loc[g.index, "split"].nunique() > 1)
        if len(torn):
            findings.append(
                Finding(
                    level="warning",
                    code="group-torn",
                    count=int(torn.nunique()),
                    examples=_first(torn.unique()),
                    sentence=say(
                        "Groups that are in more than one of your own splits: {n}. The score may be too good.",
                        n=int(torn.nunique()),
                    ),
                )
            )
        return findings
    units = rows["group"].fillna("\x00" + rows["id"])
    per_class = units.groupby(rows["label"]).nunique()
    few = per_class[per_class < NEEDED]
    if units.nunique() < NEEDED:
        findings.append(
            Finding(
                level="error",
                code="groups-too-few",
                count=int(units.nunique()),
                examples=_first(units.unique()),
                sentence=say(
                    "Training, validation and test need at least one group each; groups found: {n}.",
                    n=int(units.nunique()),
                ),
            )
        )
    elif len(few):
        findings.append(
            Finding(
                level="warning",
                code="class-few-groups",
                count=len(few),
                examples=_first(few.index),
                sentence=say(
                    "Classes in fewer than {needed} groups, which will be missing from a split ({n}): {labels}.",
                    n=len(few),
                    needed=NEEDED,
                    labels=_named(few),
                ),
            )
        )
    return findings


def pictures(rows: pd.DataFrame) -> list[Finding]:
    """Notes on sizes, greys and what was converted."""
    if rows.empty:
        return []
    findings = []
    side = rows[["width", "height"]].min(axis=1)
    small = rows[side < SMALL_SIDE]["id"]
    if len(small) * 2 > len(rows):
        findings.append(
            Finding(
                level="note",
                code="small-pictures",
                count=len(small),
                examples=_first(small),
                sentence=say(
                    "Most pictures are smaller than {side} pixels; small picture sizes are enough for training.",
                    side=SMALL_SIDE,
                ),
            )
        )
    grey, rotated = rows[rows["grey"]]["id"], rows[rows["rotated"]]["id"]
    if len(grey):
        findings.append(
            Finding(
                level="note",
                code="grey",
                count=len(grey),
                examples=_first(grey),
                sentence=say(
                    "Grey pictures: {n}. They are used as colour pictures with equal channels.",
                    n=len(grey),
                ),
            )
        )
    if len(rotated):
        findings.append(
            Finding(
                level="note",
                code="rotated",
                count=len(rotated),
                examples=_first(rotated),
                sentence=say("Pictures turned upright by what the camera noted: {n}.", n=len(rotated)),
            )
        )
    converted = rows[rows["converted"] & ~rows["rotated"]]["id"]
    if len(converted):
        findings.append(
            Finding(
                level="note",
                code="converted",
                count=len(converted),
                examples=_first(converted),
                sentence=say(
                    "Pictures converted to plain 8-bit ones (from phones' HEIC, transparency, 16 bits, "
                    "print colours, animations or very large sizes): {n}.",
                    n=len(converted),
                ),
            )
        )
    return findings


def any_group(rows: pd.DataFrame) -> str | None:
    """The column of groups, where any row has one."""
    return "group" if rows["group"].notna().any() else None


def left_out(aside: Iterable[SetAside]) -> list[Finding]:
    """One finding a reason, with the files it names; files that never meant to be examples are only noted."""
    by_reason: dict[str, list[SetAside]] = defaultdict(list)
    for item in aside:
        by_reason[item.reason.text].append(item)
    return [
        Finding(
            level="note" if reason in (NOT_A_PICTURE.text, NOT_A_TABLE.text) else "warning",
            code="set-aside",
            count=len(items),
            examples=[_place(item) for item in items[:SHOWN]],
            sentence=say(
                "Files or rows set aside: {n}. {reason}",
                n=len(items),
                reason=items[0].reason
                if len({str(i.reason) for i in items}) == 1
                else say("For example: {reason}", reason=items[0].reason),
            ),
        )
        for reason, items in by_reason.items()
    ]


def look_alikes(counts: Mapping[str, int]) -> list[list[str]]:
    """Labels that differ only by case, blanks, hyphens or underscores; in each list the most frequent one
    first.
    """
    same: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        same["".join(c for c in label.casefold() if c not in " _-")].append(label)
    return [sorted(found, key=lambda label: (-counts[label], label)) for found in same.values() if len(found) > 1]


def split_problem(rows: pd.DataFrame) -> Finding | None:
    """What a finished split lacks: an empty set, or a class that training never sees."""
    for name in SPLITS:
        if not (rows["split"] == name).any():
            return Finding(
                level="error",
                code="split-empty",
                sentence=say("The {split} set would be empty; there are too few examples or groups.", split=name),
            )
    missing = sorted(set(rows["label"]) - set(rows[rows["split"] == "train"]["label"]))
    if missing:
        return Finding(
            level="error",
            code="class-not-in-train",
            count=len(missing),
            examples=missing[:SHOWN],
            sentence=say(
                "Classes with too few examples in your training set to be learned ({n}): {labels}.",
                n=len(missing),
                labels=missing[:SHOWN],
            ),
            fix=say("Add training examples of these classes, or leave the classes out."),
        )
    return None


def _named(counts: pd.Series) -> list[str]:
    """Labels with their counts, the first few."""
    named = [f"{label} ({n})" for label, n in list(counts.items())[:SHOWN]]
    return [*named, "…"] if len(counts) > SHOWN else named


def _first(values: Iterable[object]) -> list[str]:
    return [str(v).lstrip("\x00") for v in list(values)[:SHOWN]]


def _place(item: SetAside) -> str:
    return item.file if item.row is None else f"{item.file} ({item.row})"
