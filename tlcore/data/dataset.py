"""A dataset: immutable, fingerprinted, split once. A folder that the web process can read without torch.

::

    datasets/<fingerprint>/
      dataset.json    task, classes, counts
      rows.parquet    one row per example: id, file or text, label, split, group, and columns of the reader
      files/          images, named by the sha256 of their content; a text is in its row

The folder holds only what follows from the content, since it is shared by all users who confirmed the same content. The
name, the origin, the findings and the rejected rows of an upload are in its owner's row of the database
(`OwnerDetails`).

The format is Parquet plus plain files, not a saved ``datasets.DatasetDict``: pages preview it in milliseconds without
importing ``datasets``. `to_hf` converts it to a DatasetDict.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from tlcore.core import stored_files
from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.safe_csv import WITHOUT, safe_csv
from tlcore.store.store import LOCAL_OWNER

if TYPE_CHECKING:
    from tlcore.store import Store
    from tlcore.store.tables import DatasetRow

SPLITS = ("train", "validation", "test")
COLUMNS = ("id", "split", "label")  # columns of the rows of every task
SIDE = "also:"  # prefix of columns with auxiliary labels
BARE = "unlabelled-"  # prefix of ``task`` of an unlabelled dataset; the modality's id follows
LEFT_OUT = "left-out"  # the split of rows that a view leaves out


class SharedInfo(BaseModel):
    """The content of ``dataset.json``: nothing that differs between users who confirmed the same content."""

    fingerprint: str
    task: str
    n: dict[str, int]  # examples in each split
    labels: list[str] = Field(default_factory=list)
    grouped: bool = False


class OwnerDetails(BaseModel):
    """Details of one user's upload, stored in that user's row of the database."""

    origin: str = ""
    findings: list[Finding] = Field(default_factory=list)
    rejected_rows: list[RejectedRow] = Field(default_factory=list)
    split_said: Sentence | None = None
    parts: list[str] = Field(default_factory=list)  # fingerprints of the datasets it was joined from


class DatasetInfo(BaseModel):
    """A dataset as its owner sees it: the content and the details of the upload."""

    fingerprint: str
    task: str
    name: str
    origin: str  # the upload's file name, or the hub id
    n: dict[str, int]  # examples in each split
    labels: list[str] = Field(default_factory=list)
    findings: list[Finding] = Field(default_factory=list)
    set_aside: int = 0
    split_said: Sentence  # how it was split
    grouped: bool = False


class Dataset:
    """One dataset of the workspace, read lazily from its folder."""

    def __init__(self, folder: Path, row: DatasetRow | None = None):
        self.folder, self._row = folder, row

    @classmethod
    def open(cls, store: Store, fingerprint: str, owner: str | None = None) -> Dataset:
        """Open a dataset of the workspace, with the name and details of ``owner`` (none without an owner).

        Raises UnusableInput where the fingerprint is unknown, or where the owner does not have the dataset.
        `LOCAL_OWNER` (no sign-in) may open all datasets.
        """
        folder = store.datasets.folder(fingerprint)
        row = store.datasets.get(fingerprint, owner) if owner is not None else None
        hidden = row is None and owner not in (None, LOCAL_OWNER)
        if hidden or not fingerprint.isalnum() or not (folder / "dataset.json").exists():
            raise UnusableInput(
                sentence("There is no dataset {fingerprint} in this workspace.", fingerprint=fingerprint),
                code="dataset",
            )
        found = cls(folder, row)
        _ = found.info  # a damaged file raises here
        return found

    @functools.cached_property
    def shared(self) -> SharedInfo:
        """The part of the info that follows from the content alone."""
        return stored_files.read_model(self.folder / "dataset.json", SharedInfo, stored_files.DATASET)

    @functools.cached_property
    def info(self) -> DatasetInfo:
        shared = self.shared
        if self._row is not None and self._row.details is None:  # an older dataset: the details are in the folder
            known = stored_files.read_model(self.folder / "dataset.json", DatasetInfo, stored_files.DATASET)
            return known.model_copy(update={"name": self._row.name})
        details = self.details
        return DatasetInfo(
            **shared.model_dump(),
            name=self._row.name if self._row else shared.fingerprint,
            origin=details.origin,
            findings=details.findings,
            set_aside=len(details.rejected_rows),
            split_said=details.split_said or sentence("Split as it was when it was confirmed."),
        )

    @functools.cached_property
    def details(self) -> OwnerDetails:
        """Details of the owner's upload; empty where the dataset was opened without an owner."""
        if self._row is None:
            return OwnerDetails()
        if self._row.details is not None:
            return OwnerDetails.model_validate(self._row.details)
        path = self.folder / "set_aside.json"
        rejected = stored_files.read_models(path, RejectedRow, stored_files.DATASET) if path.exists() else []
        known = stored_files.read_object(self.folder / "dataset.json", stored_files.DATASET)
        names = ("origin", "findings", "split_said")
        return OwnerDetails.model_validate({**{n: known[n] for n in names if n in known}, "rejected_rows": rejected})

    @property
    def fingerprint(self) -> str:
        return self.info.fingerprint

    @functools.cached_property
    def rows(self) -> pd.DataFrame:
        """All rows: id, split, label, group, ``file`` or ``text``, and columns of the reader.

        ``id`` is the name in the upload, ``file`` a path below ``files/``. The label is '' for a task without classes,
        whose targets are in other columns. Raises UnusableInput where the file is damaged.
        """
        return stored_files.read_rows(self.folder / "rows.parquet", stored_files.DATASET, COLUMNS)

    @functools.cached_property
    def cached_as(self) -> str:
        """Cache key of the decoded images, by position in ``rows``. A view has the key of its full dataset."""
        return self.fingerprint

    def with_train(self, ids: Iterable[str]) -> Dataset:
        """A view that trains on these examples only. Validation and test sets are unchanged.

        The other training rows keep their positions in ``rows`` with the split ``left-out``, so that caches by position
        serve the view too. The view has its own fingerprint. Raises ValueError where an id is not a training example.
        """
        wanted, train = set(ids), self.rows["split"] == "train"
        kept = train & self.rows["id"].isin(wanted)
        if int(kept.sum()) != len(wanted):
            raise ValueError("with_train: some of these are no training examples")
        if kept.sum() == train.sum():
            return self
        return self._view(self.rows["split"].mask(train & ~kept, LEFT_OUT), sorted(wanted))

    def without(self, ids: Iterable[str]) -> Dataset:
        """A view without these examples: they keep their positions in ``rows`` with the split ``left-out``."""
        gone = self.rows["id"].isin(set(ids)) & self.rows["split"].isin(SPLITS)
        if not gone.any():
            return self
        return self._view(self.rows["split"].mask(gone, LEFT_OUT), ["without", *sorted(self.rows["id"][gone])])

    def with_validation(self, ids: Iterable[str]) -> Dataset:
        """A view that validates on these training or validation examples and trains on all others of both splits.

        The test set is unchanged. Raises ValueError where an id is in neither split.
        """
        wanted, split = set(ids), self.rows["split"]
        seen, chosen = split.isin(SPLITS[:2]), self.rows["id"].isin(wanted)
        if int((seen & chosen).sum()) != len(wanted):
            raise ValueError("with_validation: some of these are neither training nor validation examples")
        cut = split.mask(seen & ~chosen, "train").mask(seen & chosen, "validation")
        return self if cut.equals(split) else self._view(cut, ["validation", *sorted(wanted)])

    def _view(self, split: pd.Series, key_parts: list[str]) -> Dataset:
        """The same rows with another split. The view's fingerprint is a hash of the dataset's and ``key_parts``."""
        view = Dataset(self.folder, self._row)
        view.rows = self.rows.assign(split=split)
        digest = hashlib.sha256("\x1f".join([self.fingerprint, *key_parts]).encode()).hexdigest()[:16]
        counts = {name: int((split == name).sum()) for name in SPLITS}
        view.info = self.info.model_copy(update={"fingerprint": digest, "n": counts})
        view.cached_as = self.cached_as
        return view

    @functools.cached_property
    def auxiliary(self) -> list[str]:
        """The names of the columns with auxiliary labels: further tasks on the same examples."""
        return [str(name).removeprefix(SIDE) for name in self.rows if str(name).startswith(SIDE)]

    def with_labels(self, side: str) -> Dataset:
        """A view whose labels come from an auxiliary column.

        Examples without such a label, or whose label is on no training example, get the split ``left-out``.
        """
        column = self.rows[SIDE + side].fillna("")
        column = column.where(column.isin(set(column[self.rows["split"] == "train"])), "")
        view = Dataset(self.folder, self._row)
        view.rows = self.rows.assign(label=column, split=self.rows["split"].mask(column == "", LEFT_OUT))
        key = "\x1f".join([self.fingerprint, SIDE, side])
        view.info = self.info.model_copy(
            update={
                "fingerprint": hashlib.sha256(key.encode()).hexdigest()[:16],
                "n": {name: int((view.rows["split"] == name).sum()) for name in SPLITS},
                "labels": sorted({*column} - {""}),
            }
        )
        view.cached_as = self.cached_as
        return view

    def split(self, name: str) -> pd.DataFrame:
        """The rows of one split, in the stored order, with a new index."""
        return self.rows[self.rows["split"] == name].reset_index(drop=True)

    def file(self, row: Any) -> Path:
        """The payload path of a row (or of a value of its ``file`` column)."""
        return self.folder / "files" / (row if isinstance(row, str) else row["file"])

    def set_aside(self) -> list[RejectedRow]:
        """The rejected rows of the owner's upload."""
        return self.details.rejected_rows

    def split_csv(self) -> str:
        """The split as CSV with the columns file, label, group, split; it can be edited and used as corrections.

        Several labels of an example are separated by semicolons. The label column is absent where no example has a
        label.
        """
        rows = self.rows
        if "labels" in rows:
            rows = rows.assign(label=rows["labels"].replace("", WITHOUT))
        some = bool((rows["label"] != "").any()) if "label" in rows else False
        columns = [c for c in ("id", *(["label"] if some else []), "group", "split") if c in rows]
        return safe_csv(rows[columns].rename(columns={"id": "file"}))

    def to_hf(self) -> Any:
        """A ``datasets.DatasetDict``, with an Image column for images, for use outside the studio."""
        import datasets

        def one(name: str) -> datasets.Dataset:
            rows = self.split(name)
            if "file" not in rows:
                return datasets.Dataset.from_pandas(rows, preserve_index=False)
            rows = rows.assign(image=[str(self.file(f)) for f in rows["file"]])
            return datasets.Dataset.from_pandas(rows, preserve_index=False).cast_column("image", datasets.Image())

        return datasets.DatasetDict({name: one(name) for name in SPLITS})


AT_ONCE = 50_000  # rows per batch


def fingerprint(task: str, rows: pd.DataFrame) -> str:
    """16 hex digits: a hash of the task and of id, content, labels, group and split of every example."""
    digest = hashlib.sha256(task.encode())
    columns = [c for c in ("id", "sha256", "label", "group", "split") if c in rows]
    columns += [str(c) for c in rows if str(c).startswith(SIDE)]
    for values in _sorted_tuples(rows, columns):
        digest.update("\x1f".join(values).encode())
        digest.update(b"\x1e")
    return digest.hexdigest()[:16]


def _sorted_tuples(rows: pd.DataFrame, columns: list[str]) -> Iterator[tuple[str, ...]]:
    """The rows as sorted tuples of strings; in batches of ``AT_ONCE`` where ids are unique, as they mostly are."""
    ids = rows["id"].astype(str).to_numpy(dtype=object)
    order, size = np.argsort(ids, kind="stable"), AT_ONCE if rows["id"].is_unique else max(1, len(rows))
    for start in range(0, len(rows), size):
        part = rows[columns].iloc[order[start : start + size]]
        yield from sorted(tuple("" if pd.isna(v) else str(v) for v in row) for row in part.itertuples(index=False))
