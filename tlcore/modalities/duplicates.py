"""Exact and near duplicates: images by bytes and by appearance, texts by their words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence

NEAR_BITS = 4  # of 64 hash bits that may differ
NEAR_GREY = 4.0  # largest mean difference of 16 × 16 thumbnails, in grey levels (0-255)
NEAR_ALIKE = 0.98  # least correlation of the thumbnails
MOST = 60_000  # most images searched for near duplicates; time is quadratic
LABELS_NAMED = 5
_KEEP_IN = {"test": 0, "validation": 1, "train": 2}


@dataclass(frozen=True)
class Words:
    """The messages about duplicates for one modality. Each callable returns a Sentence from the parameters noted."""

    several: Callable[..., Sentence]  # labels
    copy: Callable[..., Sentence]  # file
    crossing: Callable[..., Sentence]  # split, file
    conflicts: Callable[..., Sentence]  # n
    leaks: Callable[..., Sentence]  # n
    copies: Callable[..., Sentence]  # n
    decide: Sentence
    alike: Callable[..., Sentence]  # n
    alike_leaks: Callable[..., Sentence]  # n
    alike_conflicts: Callable[..., Sentence]  # n
    look: Sentence


PICTURES = Words(
    several=lambda **params: sentence("The same picture has several labels: {labels}.", **params),
    copy=lambda **params: sentence("It is an exact copy of {file}.", **params),
    crossing=lambda **params: sentence("The same picture is in the {split} set as {file}.", **params),
    conflicts=lambda **params: sentence(
        "Files with a picture that appears under more than one label, rejected: {n}.", **params
    ),
    leaks=lambda **params: sentence(
        "Files whose picture is in two of your splits: {n}. The copy outside of the test set was rejected, so that "
        "the score is of pictures never seen in training.",
        **params,
    ),
    copies=lambda **params: sentence("Exact copies of other files, of which one each was kept: {n}.", **params),
    decide=sentence("Decide which label is right, and upload each picture once."),
    alike=lambda **params: sentence(
        "Pictures that look almost the same as another one: {n}. Where the studio cuts the split and you gave no "
        "groups, it keeps them in the same split.",
        **params,
    ),
    alike_leaks=lambda **params: sentence(
        "Pictures that look almost the same are in two of your splits, so the score may be too good: {n}.", **params
    ),
    alike_conflicts=lambda **params: sentence(
        "Pictures that look almost the same have different labels: {n}.", **params
    ),
    look=sentence("Look at these files and decide."),
)


def exact(
    rows: pd.DataFrame, by: str = "sha256", words: Words = PICTURES
) -> tuple[pd.Series, list[RejectedRow], list[Finding]]:
    """Which rows to keep where several have the same content (the column ``by``).

    Returns (keep (bool, (n,)), rejected rows, findings). Where copies have different labels, all are rejected, since
    none can be trusted. Where copies are in different splits, the copy in the test set is kept, so that the score uses
    examples never seen in training. Within one label and split the first copy is kept.
    """
    stay = pd.Series(True, index=rows.index)
    rejected: list[RejectedRow] = []
    conflicts: list[str] = []
    leaks: list[str] = []
    copies: list[str] = []
    twice = rows[rows.duplicated(by, keep=False)]
    for _, same in twice.groupby(by, sort=False):
        kept = same["split"].map(_KEEP_IN).fillna(3).idxmin()
        first = same.loc[kept]
        named = sorted(same["label"].unique())
        if len(named) > 1:
            shown = named if len(named) <= LABELS_NAMED else [*named[:LABELS_NAMED], "…"]
            several = words.several(labels=shown)
            stay[same.index] = False
            conflicts += list(same["id"])
            rejected += [_rejected(file, row, several) for file, row in zip(same["id"], same["row"], strict=True)]
            continue
        stay[same.index.drop(kept)] = False
        copy = words.copy(file=first["id"])
        crossing = words.crossing(split=first["split"], file=first["id"])
        for at, file, row, split in zip(same.index, same["id"], same["row"], same["split"], strict=True):
            if at != kept:
                crossed = pd.notna(first["split"]) and split != first["split"]
                (leaks if crossed else copies).append(file)
                rejected.append(_rejected(file, row, crossing if crossed else copy))
    findings = [
        Finding(
            level=level,
            code=code,
            count=len(found),
            examples=found[:10],
            sentence=kind_of_problem(n=len(found)),
            fix=fix,
        )
        for level, code, found, kind_of_problem, fix in (
            ("warning", "conflict", conflicts, words.conflicts, words.decide),
            ("warning", "leakage", leaks, words.leaks, None),
            ("note", "duplicate", copies, words.copies, None),
        )
        if found
    ]
    return stay, rejected, findings


def near(rows: pd.DataFrame, hashes: np.ndarray, thumbs: np.ndarray) -> tuple[pd.Series, list[Finding]]:
    """Near-duplicate cluster id of each image (None for an image without near duplicates), and findings.

    ``hashes`` are 64-bit difference hashes, (n,) uint64. ``thumbs`` are greyscale thumbnails, (n, pixels) uint8. Both
    are in row order. Skipped, with a note, for more than ``MOST`` images.
    """
    none = pd.Series([None] * len(rows), index=rows.index, dtype=object)
    if len(rows) > MOST:
        return none, [
            Finding(
                level="note",
                code="near-duplicate-skipped",
                sentence=sentence("Near duplicates were not looked for among more than {n} pictures.", n=MOST),
            )
        ]
    return alike(rows, clusters(hashes, thumbs), PICTURES)


def alike(rows: pd.DataFrame, leader: np.ndarray, words: Words) -> tuple[pd.Series, list[Finding]]:
    """Near-duplicate cluster id of each example (None for one without near duplicates), and findings.

    ``leader`` (n,) is the position of the first member of each row's cluster, or -1.
    """
    ids = rows["id"].to_numpy()
    found = pd.Series(np.where(leader >= 0, ids[np.maximum(leader, 0)], None), index=rows.index, dtype=object)
    members = rows.assign(near=found)[leader >= 0]
    if members.empty:
        return found, []
    findings = [
        Finding(
            level="note",
            code="near-duplicate",
            count=len(members),
            examples=list(members["id"][:10]),
            sentence=words.alike(n=len(members)),
        )
    ]
    for code, column, message in (
        ("near-leakage", "split", words.alike_leaks),
        ("near-conflict", "label", words.alike_conflicts),
    ):
        differ = members.groupby("near")[column].transform("nunique") > 1
        if differ.any():
            findings.append(
                Finding(
                    level="warning",
                    code=code,
                    count=int(differ.sum()),
                    examples=list(members[differ]["id"][:10]),
                    sentence=message(n=int(differ.sum())),
                    fix=words.look,
                )
            )
    return found, findings


def clusters(hashes: np.ndarray, thumbs: np.ndarray) -> np.ndarray:
    """For each image the index of the first image it resembles (that one points to itself), or -1; (n,) int.

    Clusters are not chained: every member resembles the first one, so a series of slowly changing images is not one
    cluster.
    """
    n = len(hashes)
    leader = np.full(n, -1)
    grey = thumbs.astype(np.float32)
    centred = grey - grey.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1))
    for i in range(n - 1):
        if leader[i] >= 0:
            continue
        close = i + 1 + np.flatnonzero(np.bitwise_count(hashes[i + 1 :] ^ hashes[i]) <= NEAR_BITS)
        close = close[leader[close] < 0]
        if not len(close):
            continue
        same = np.abs(grey[close] - grey[i]).mean(axis=1) <= NEAR_GREY
        similar = centred[close] @ centred[i] >= NEAR_ALIKE * length[close] * length[i]
        close = close[same & similar]
        if len(close):
            leader[close] = i
            leader[i] = i
    return leader


def _rejected(file: str, row: int | None, reason: Sentence) -> RejectedRow:
    return RejectedRow(file=file, row=None if row is None or pd.isna(row) else int(row), reason=reason)
