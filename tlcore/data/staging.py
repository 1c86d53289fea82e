"""An upload during its check, before it becomes an immutable dataset.

::

    <folder>/staged.json      the findings; written last, so that it exists only when everything else does
             rows.parquet     one row per usable example
             set_aside.json   rejected rows with reasons
             files/           images by content hash; texts are in the rows
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, Field

from tlcore import modalities
from tlcore.core import atomic_files, stored_files
from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import sentence
from tlcore.core.uploads import memory
from tlcore.core.uploads.archives import require_free_space
from tlcore.core.uploads.file_tree import Tree, open_tree
from tlcore.data.checks import class_labels
from tlcore.data.dataset import COLUMNS
from tlcore.data.label_corrections import corrected
from tlcore.data.readers import READERS, Reader
from tlcore.data.readers.text_labels import BETWEEN
from tlcore.modalities.contract import Modality, Progress


class StagedInfo(BaseModel):
    """The content of ``staged.json``."""

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
    """A checked upload, opened from its folder.

    The columns of ``rows`` depend on the modality; the column ``split`` is the user's own split or None.
    """

    def __init__(self, folder: Path, info: StagedInfo, task: Any):
        self.folder, self.info, self.task = folder, info, task
        self.findings, self.counts, self.origin = info.findings, info.counts, info.origin
        self.labels = list(info.counts)
        self._rows: pd.DataFrame | None = None

    @classmethod
    def open(cls, folder: Path | str, task: Any) -> Staged:
        """Open what was staged for ``task``. Raises UnusableInput where the check did not finish."""
        path = Path(folder) / "staged.json"
        if not path.is_file():
            raise UnusableInput(sentence("This upload was not checked to the end; check it again."), code="not-staged")
        return cls(Path(folder), stored_files.read_model(path, StagedInfo, stored_files.STAGED), task)

    @property
    def rows(self) -> pd.DataFrame:
        if self._rows is None:
            self._rows = stored_files.read_rows(self.folder / "rows.parquet", stored_files.STAGED, COLUMNS)
        return self._rows

    @property
    def usable(self) -> bool:
        """Whether it can become a dataset as it is: no finding is an error."""
        return not any(finding.level == "error" for finding in self.findings)

    def file(self, row: Any) -> Path:
        """The image path of a row (or of a value of its ``file`` column)."""
        return self.folder / "files" / (row if isinstance(row, str) else row["file"])

    def set_aside(self) -> list[RejectedRow]:
        return stored_files.read_models(self.folder / "set_aside.json", RejectedRow, stored_files.STAGED)

    def recheck(self, corrections: Mapping[str, str]) -> list[Finding]:
        """The findings after these corrections. A correction can resolve an error, such as merging two spellings."""
        fixed = {finding.code for finding in self.task.check(self.rows)}
        kept = [finding for finding in self.findings if finding.code not in fixed]
        return [*self.task.check(corrected(self.rows, corrections, self.task.corrects)), *kept]

    def merges(self) -> dict[str, str]:
        """Corrections (file → label) that merge labels differing only by case, blanks or underscores."""
        column = self.task.corrects
        if column is None or not any(finding.code == "look-alike-labels" for finding in self.findings):
            return {}
        sets = self.rows[column].str.split(BETWEEN if column == "labels" else "\x00", regex=False)
        counts = Counter(label for labels in sets for label in labels if label)
        to = {other: first for first, *others in class_labels.look_alikes(counts) for other in others}
        changed = sets.map(lambda labels: any(label in to for label in labels))
        return {
            name: BETWEEN.join(dict.fromkeys(to.get(label, label) for label in labels))
            for name, labels in zip(self.rows["id"][changed], sets[changed], strict=True)
        }


def stage(
    source: Path | str,
    *,
    task: Any,
    folder: Path,
    columns: Mapping[str, str] | None = None,
    group: str | None = None,
    name: str | None = None,
    known_as: str | None = None,
    progress: Progress | None = None,
    resolved: bool = False,
) -> Staged:
    """Read and check an upload into ``folder``: a zip, folder, table, folder of zip and table, or hf://owner/name.

    ``columns`` maps image or text, label, split and group to columns of a table. ``group`` is a column or a pattern on
    file names. ``resolved`` and ``known_as`` are as in `open_tree`. Unusable files and rows are rejected and listed.
    Raises UnusableInput where the upload cannot be read at all.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "staged.json").unlink(missing_ok=True)
    shutil.rmtree(folder / "files", ignore_errors=True)
    (folder / "files").mkdir()
    columns = dict(columns or {})
    modality = modalities.of(task)
    suffixes = [suffix for reader in READERS if reader.id in task.formats for suffix in reader.suffixes]
    with open_tree(source, alone=suffixes, known_as=known_as, resolved=resolved) as tree, memory.named(tree.origin):
        require_free_space(folder, sum(entry.size for entry in tree.entries.values()), tree.origin)
        reader = _reader(tree, columns, task)
        stream = reader.read(tree, columns, group)
        taken, rejected, findings = modality.ingest(stream, tree, folder / "files", progress)
    with memory.named(tree.origin):
        rows, rejected, more = modality.check(taken, rejected, group, task)
    findings += more
    if rows.empty:
        findings = [_nothing_left(tree.origin, rejected, modality), *findings]
    info = StagedInfo(
        task=task.id,
        name=(name or tree.origin).strip()[:200] or "untitled",
        origin=tree.origin,
        reader=reader.id,
        findings=sorted(findings, key=lambda f: ("error", "warning", "note").index(f.level)),
        counts=_counts(rows) if task.labelled else {},
        splits={str(s): int(n) for s, n in rows["split"].value_counts().items()},
        set_aside=len(rejected),
        grouped=bool(rows["group"].notna().any()),
    )
    rows.to_parquet(folder / "rows.parquet", index=False)
    atomic_files.write(
        folder / "set_aside.json", json.dumps([item.model_dump() for item in rejected], ensure_ascii=False)
    )
    atomic_files.write(folder / "staged.json", info.model_dump_json())
    return Staged(folder, info, task)


def _counts(rows: pd.DataFrame) -> dict[str, int]:
    return {str(label): int(n) for label, n in sorted(rows["label"].value_counts().items())}


def _reader(tree: Tree, columns: Mapping[str, str], task: Any) -> Reader:
    for reader in READERS:
        if reader.id in task.formats and reader.matches(tree, columns):
            return reader
    wanted = [reader.title for reader in READERS if reader.id in task.formats]
    raise modalities.of(task).none_here(tree.origin, wanted)


def _nothing_left(origin: str, rejected: list[RejectedRow], modality: Modality) -> Finding:
    if not rejected:
        return Finding(
            level="error",
            code="nothing-usable",
            examples=[origin],
            sentence=modality.nothing_usable(origin),
        )
    reason = Counter(item.reason.text for item in rejected).most_common(1)[0][0]
    first = next(item for item in rejected if item.reason.text == reason)
    return Finding(
        level="error",
        code="nothing-usable",
        count=len(rejected),
        examples=[item.file for item in rejected[:10]],
        sentence=sentence(
            "Nothing of {file} can be used. Files or rows rejected: {n}. {first}: {reason}",
            file=origin,
            n=len(rejected),
            first=first.file,
            reason=first.reason,
        ),
    )
