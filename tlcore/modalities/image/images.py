"""The image modality: each image is read once, checked, and stored as a file named by its content hash."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding, RejectedRow, rejection_findings
from tlcore.core.i18n import Sentence, sentence
from tlcore.modalities import duplicates
from tlcore.modalities.contract import Progress, RawRow, in_a_split
from tlcore.modalities.group_checks import check_groups
from tlcore.modalities.groups import by_pattern
from tlcore.modalities.image.checks import check_pictures
from tlcore.modalities.image.ingest import Kept, ingest_pictures

if TYPE_CHECKING:
    from tlcore.core.uploads.file_tree import Tree

COLUMNS = (
    "id",
    "file",
    "sha256",
    "label",
    "split",
    "group",
    "row",
    "width",
    "height",
    "bytes",
    "grey",
    "rotated",
    "converted",
    "near",
)


class Pictures:
    id = "image"

    def none_here(self, file: str, wanted: Sequence[Sentence]) -> UnusableInput:
        return UnusableInput(
            sentence("{file} holds neither pictures in folders nor a table of pictures and labels.", file=file),
            code="no-pictures",
            file=file,
        )

    def nothing_usable(self, file: str) -> Sentence:
        return sentence("{file} holds no picture with a label.", file=file)

    def ingest(
        self, stream: Iterator[RawRow | RejectedRow | Finding], tree: Tree, files: Path, progress: Progress | None
    ) -> tuple[list[Kept], list[RejectedRow], list[Finding]]:
        kept: list[Kept] = []
        rejected, findings = list(tree.set_aside), list[Finding]()
        total, last_progress = max(1, len(tree.entries)), time.monotonic()
        for item in ingest_pictures(stream, files):
            if isinstance(item, Kept):
                kept.append(item)
            elif isinstance(item, RejectedRow):
                rejected.append(item)
            else:
                findings.append(item)
            if progress and time.monotonic() - last_progress > 0.5:
                last_progress = time.monotonic()
                share = min(0.95, (len(kept) + len(rejected)) / total) if tree.entries else None
                progress(share, sentence("Pictures checked: {n}", n=len(kept)))
        if progress:
            progress(0.95, sentence("Looking for duplicates among {n} pictures", n=len(kept)))
        return kept, rejected, findings

    def check(
        self, taken: list[Kept], rejected: list[RejectedRow], group: str | None, task: Any
    ) -> tuple[pd.DataFrame, list[RejectedRow], list[Finding]]:
        rows = _rows(taken)
        hashes = np.array([k.hash for k in taken], dtype=np.uint64)
        thumbs = np.frombuffer(b"".join(k.thumb for k in taken), dtype=np.uint8)
        thumbs = thumbs.reshape(len(taken), -1 if taken else 1)
        findings = rejection_findings(rejected)
        stay, rejected = in_a_split(rows, rejected)
        rows, hashes, thumbs = rows[stay], hashes[stay.to_numpy()], thumbs[stay.to_numpy()]
        stay, copies, copy_findings = duplicates.exact(rows)
        rows, hashes, thumbs = rows[stay], hashes[stay.to_numpy()], thumbs[stay.to_numpy()]
        rows["near"], near_said = duplicates.near(rows, hashes, thumbs)
        if group and rows["group"].isna().all() and len(rows):
            rows["group"] = by_pattern(group, rows["id"])
        rows = rows.reset_index(drop=True)
        findings += [
            *copy_findings,
            *near_said,
            *task.check(rows),
            *check_groups(rows, group),
            *check_pictures(rows),
        ]
        return rows, rejected + copies, findings

    def contaminated(self, rows: pd.DataFrame, known: pd.DataFrame) -> pd.Series:
        return rows["sha256"].isin(set(known["sha256"]))


def _rows(kept: list[Kept]) -> pd.DataFrame:
    rows = pd.DataFrame(
        [
            (
                k.raw.id,
                k.file,
                k.sha256,
                k.raw.label,
                k.raw.split,
                k.raw.group,
                k.raw.row,
                k.width,
                k.height,
                k.size,
                k.grey,
                k.rotated,
                k.converted,
                None,
            )
            for k in kept
        ],
        columns=list(COLUMNS),
    ).astype({"split": object, "group": object, "near": object, "row": "Int64"})
    rows = rows.astype({c: object for c in ("split", "group", "near")}).where(rows.notna(), None)
    rows = rows.astype({"row": "Int64", "grey": bool, "rotated": bool, "converted": bool})
    also = list(kept[0].raw.more) if kept else []
    return rows.assign(**{name: [k.raw.more.get(name, "") for k in kept] for name in also})


MODALITY = Pictures()
