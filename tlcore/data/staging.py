"""An upload being checked, and the immutable datasets made from it.

::

    <folder>/staged.json      what was found; written last, so that it is there only when everything else is
             rows.parquet     one row a usable picture
             set_aside.json   what was left out, and why
             files/           the pictures by content
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from tlcore.data import checks, duplicates
from tlcore.data.archives import need_room
from tlcore.data.findings import Finding, SetAside
from tlcore.data.groups import by_pattern
from tlcore.data.intake import Kept, take_in
from tlcore.data.readers import READERS, RawRow, Reader
from tlcore.data.trees import Tree, open_tree
from tlcore.errors import UnusableInput
from tlcore.words import say

Progress = Callable[..., None]  # progress(share 0-1 | None, Sentence); raises Cancelled where asked to stop
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


class StagedInfo(BaseModel):
    """What ``staged.json`` holds."""

    task: str
    name: str
    origin: str
    reader: str
    findings: list[Finding] = Field(default_factory=list)
    counts: dict[str, int] = Field(default_factory=dict)
    splits: dict[str, int] = Field(default_factory=dict)
    set_aside: int = 0
    grouped: bool = False


class Staged:
    """A checked upload, opened from its folder. ``rows`` has the columns COLUMNS; ``split`` is the person's
    own or None.
    """

    def __init__(self, folder: Path, info: StagedInfo):
        self.folder, self.info = folder, info
        self.findings, self.counts, self.origin = info.findings, info.counts, info.origin
        self.labels = list(info.counts)
        self._rows: pd.DataFrame | None = None

    @classmethod
    def open(cls, folder: Path | str) -> Staged:
        """Raises UnusableInput where nothing was staged there, or not to the end."""
        path = Path(folder) / "staged.json"
        if not path.is_file():
            raise UnusableInput(say("This upload was not checked to the end; check it again."), code="not-staged")
        return cls(Path(folder), StagedInfo.model_validate_json(path.read_bytes()))

    @property
    def rows(self) -> pd.DataFrame:
        if self._rows is None:
            self._rows = pd.read_parquet(self.folder / "rows.parquet")
        return self._rows

    @property
    def usable(self) -> bool:
        """Whether it can become a dataset as it is."""
        return not any(finding.level == "error" for finding in self.findings)

    def file(self, row: Any) -> Path:
        """The picture of a row (or of a value of its ``file`` column)."""
        return self.folder / "files" / (row if isinstance(row, str) else row["file"])

    def set_aside(self) -> list[SetAside]:
        return [SetAside.model_validate(item) for item in json.loads((self.folder / "set_aside.json").read_bytes())]

    def recheck(self, corrections: Mapping[str, str]) -> list[Finding]:
        """The findings as they would be with these labels; a merge of two spellings, say, may mend an
        error.
        """
        from tlcore.data.confirming import corrected

        task = _task(self.info.task)
        fixed = {finding.code for finding in task.check(self.rows)}
        kept = [finding for finding in self.findings if finding.code not in fixed]
        return [*task.check(corrected(self.rows, corrections)), *kept]

    def merges(self) -> dict[str, str]:
        """Corrections (file → label) that merge labels differing only by case, blanks or underscores."""
        to = {other: first for first, *others in checks.look_alikes(self.counts) for other in others}
        changed = self.rows[self.rows["label"].isin(list(to))]
        return dict(zip(changed["id"], changed["label"].map(to), strict=True))


def stage(
    source: Path | str,
    *,
    task: Any,
    folder: Path,
    columns: Mapping[str, str] | None = None,
    group: str | None = None,
    name: str | None = None,
    progress: Progress | None = None,
) -> Staged:
    """Read and check an upload into ``folder`` (a zip, folder, table, folder of zip and table, or
    hf://owner/name).

    ``task`` is a task or its id; ``columns`` maps image, label, split and group to columns of a table;
    ``group`` is a column or a pattern on file names. Problems of single files are set aside and listed.
    Raises UnusableInput where the whole cannot be read.
    """
    task, folder = _task(task), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "staged.json").unlink(missing_ok=True)
    shutil.rmtree(folder / "files", ignore_errors=True)
    (folder / "files").mkdir()
    columns = dict(columns or {})
    with open_tree(source) as tree:
        need_room(folder, sum(entry.size for entry in tree.entries.values()), tree.origin)
        reader = _reader(tree, columns, task)
        stream = reader.read(tree, columns, group)
        kept, aside, findings = _collect(stream, tree, folder / "files", progress)
    rows, aside, more = _check(kept, aside, group, task)
    findings += more
    if rows.empty:
        findings = [_nothing_left(tree.origin, aside), *findings]
    info = StagedInfo(
        task=task.id,
        name=(name or tree.origin).strip()[:200] or "untitled",
        origin=tree.origin,
        reader=reader.id,
        findings=sorted(findings, key=lambda f: ("error", "warning", "note").index(f.level)),
        counts={str(label): int(n) for label, n in sorted(rows["label"].value_counts().items())},
        splits={str(s): int(n) for s, n in rows["split"].value_counts().items()},
        set_aside=len(aside),
        grouped=bool(rows["group"].notna().any()),
    )
    rows.to_parquet(folder / "rows.parquet", index=False)
    write(folder / "set_aside.json", json.dumps([item.model_dump() for item in aside], ensure_ascii=False))
    write(folder / "staged.json", info.model_dump_json())
    return Staged(folder, info)


def _reader(tree: Tree, columns: Mapping[str, str], task: Any) -> Reader:
    for reader in READERS:
        if reader.id in task.formats and reader.reads(tree, columns):
            return reader
    raise UnusableInput(
        say("{file} holds neither pictures in folders nor a table of pictures and labels.", file=tree.origin),
        code="no-pictures",
        file=tree.origin,
    )


def _collect(
    stream: Iterator[RawRow | SetAside | Finding],
    tree: Tree,
    files: Path,
    progress: Progress | None,
) -> tuple[list[Kept], list[SetAside], list[Finding]]:
    kept: list[Kept] = []
    aside, findings = list(tree.set_aside), list[Finding]()
    total, told = max(1, len(tree.entries)), time.monotonic()
    for item in take_in(stream, files):
        if isinstance(item, Kept):
            kept.append(item)
        elif isinstance(item, SetAside):
            aside.append(item)
        else:
            findings.append(item)
        if progress and time.monotonic() - told > 0.5:
            told = time.monotonic()
            share = min(0.95, (len(kept) + len(aside)) / total) if tree.entries else None
            progress(share, say("Pictures checked: {n}", n=len(kept)))
    if progress:
        progress(0.95, say("Looking for duplicates among {n} pictures", n=len(kept)))
    return kept, aside, findings


def _check(
    kept: list[Kept],
    aside: list[SetAside],
    group: str | None,
    task: Any,
) -> tuple[pd.DataFrame, list[SetAside], list[Finding]]:
    """The usable rows, all that was set aside, and what is to be said."""
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
    hashes = np.array([k.hash for k in kept], dtype=np.uint64)
    thumbs = np.frombuffer(b"".join(k.thumb for k in kept), dtype=np.uint8).reshape(len(kept), -1 if kept else 1)
    findings = checks.left_out(aside)
    mixed = rows["split"].notna().any() and rows["split"].isna().any()
    if mixed:
        lacking = rows["split"].isna()
        aside = aside + [SetAside(file=f, reason=say("It is in none of your splits.")) for f in rows[lacking]["id"]]
        rows, hashes, thumbs = rows[~lacking], hashes[~lacking], thumbs[~lacking]
    stay, copies, said = duplicates.exact(rows)
    rows, hashes, thumbs = rows[stay], hashes[stay.to_numpy()], thumbs[stay.to_numpy()]
    rows["near"], near_said = duplicates.near(rows, hashes, thumbs)
    if group and rows["group"].isna().all() and len(rows):
        rows["group"] = by_pattern(group, rows["id"])
    rows = rows.reset_index(drop=True)
    findings += [
        *said,
        *near_said,
        *task.check(rows),
        *checks.groups(rows, group or _any_group(rows)),
        *checks.pictures(rows),
    ]
    return rows, aside + copies, findings


def _any_group(rows: pd.DataFrame) -> str | None:
    return "group" if rows["group"].notna().any() else None


def _nothing_left(origin: str, aside: list[SetAside]) -> Finding:
    if not aside:
        return Finding(
            level="error",
            code="nothing-usable",
            examples=[origin],
            sentence=say("{file} holds no picture with a label.", file=origin),
        )
    reason = Counter(item.reason.text for item in aside).most_common(1)[0][0]
    first = next(item for item in aside if item.reason.text == reason)
    return Finding(
        level="error",
        code="nothing-usable",
        count=len(aside),
        examples=[item.file for item in aside[:10]],
        sentence=say(
            "Nothing of {file} can be used. Files or rows set aside: {n}. {first}: {reason}",
            file=origin,
            n=len(aside),
            first=first.file,
            reason=first.reason,
        ),
    )


def write(path: Path, text: str) -> None:
    """Write a file in one step: it is there whole, or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def _task(task: Any) -> Any:
    """The task itself, where its id was given. Raises UnusableInput for an unknown one."""
    if not isinstance(task, str):
        return task
    from tlcore import tasks

    return tasks.find(task)


def confirm(staged: Staged, store: Any, **how: Any) -> Any:
    """See `tlcore.data.confirming.confirm`."""
    from tlcore.data.confirming import confirm as confirm_staged

    return confirm_staged(staged, store, **how)
