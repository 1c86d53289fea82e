"""A dataset: immutable, fingerprinted, split once. A folder that the web process can read without torch.

::

    datasets/<fingerprint>/
      dataset.json    task, classes, counts
      rows.parquet    one row an example: id, file or text, label, split, group, and what the reader adds
      files/          pictures, named by their content's sha256; a text is in its row

The folder holds what follows from the content alone, since it is one for all who confirmed the same content. The name,
the origin, the findings and the rejected rows of an upload are in its owner's row of the database (`OwnerDetails`).

A Parquet index beside plain files, not a saved ``datasets.DatasetDict``: the pages preview it in
milliseconds and without importing ``datasets``; `to_hf` gives the DatasetDict to whoever wants one.
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
COLUMNS = ("id", "split", "label")  # that rows of every kind have
SIDE = "also:"  # what the columns with further labels begin with
BARE = "unlabelled-"  # what the ``task`` of a set without labels begins with; the id of its modality follows
LEFT_OUT = "left-out"  # the split of training rows that a view does without


class SharedInfo(BaseModel):
    """What ``dataset.json`` holds: nothing that differs between the people who confirmed the same content."""

    fingerprint: str
    task: str
    n: dict[str, int]  # examples in each split
    labels: list[str] = Field(default_factory=list)
    grouped: bool = False


class OwnerDetails(BaseModel):
    """What the upload of one person adds to the content, kept in that person's row."""

    origin: str = ""
    findings: list[Finding] = Field(default_factory=list)
    rejected_rows: list[RejectedRow] = Field(default_factory=list)
    split_said: Sentence | None = None
    parts: list[str] = Field(default_factory=list)  # fingerprints of the datasets that it was joined from


class DatasetInfo(BaseModel):
    """A dataset as its owner sees it: the content, and what their upload was."""

    fingerprint: str
    task: str
    name: str
    origin: str  # the upload's file name, or the hub id
    n: dict[str, int]  # examples in each split
    labels: list[str] = Field(default_factory=list)
    findings: list[Finding] = Field(default_factory=list)
    set_aside: int = 0
    split_said: Sentence  # what was done to split it
    grouped: bool = False


class Dataset:
    """One dataset of the workspace, opened lazily from its folder."""

    def __init__(self, folder: Path, row: DatasetRow | None = None):
        self.folder, self._row = folder, row

    @classmethod
    def open(cls, store: Store, fingerprint: str, owner: str | None = None) -> Dataset:
        """A dataset of the workspace, with the name and the details that ``owner`` gave it; without an owner it has
        none. Raises UnusableInput where there is none of that fingerprint, or where the owner does not have it: whoever
        works without signing in (`LOCAL_OWNER`) may open all.
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
        _ = found.info  # a damaged file is found here
        return found

    @functools.cached_property
    def shared(self) -> SharedInfo:
        """What follows from the content alone."""
        return stored_files.read_model(self.folder / "dataset.json", SharedInfo, stored_files.DATASET)

    @functools.cached_property
    def info(self) -> DatasetInfo:
        shared = self.shared
        if self._row is not None and self._row.details is None:  # its details lie in the folder
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
        """What its owner's upload adds to the content; empty where it was opened for nobody."""
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
        """All rows: ``id`` (name in the upload), ``file`` (path below ``files/``) or ``text``, ``label``, ``split``,
        ``group`` … (the label is '' for a task without classes, whose rows have columns of their own). Raises
        UnusableInput where the file is damaged.
        """
        return stored_files.read_rows(self.folder / "rows.parquet", stored_files.DATASET, COLUMNS)

    @functools.cached_property
    def cached_as(self) -> str:
        """The fingerprint under which decoded pictures are kept, by position in ``rows``: a view shares its whole's."""
        return self.fingerprint

    def with_train(self, ids: Iterable[str]) -> Dataset:
        """A view that trains on these examples alone; validation and test stay as they are.

        The other training rows keep their places in ``rows`` under the split ``left-out``, so that whatever is kept
        by position serves the view as well. The view has a fingerprint of its own. Raises ValueError where an id is
        not among the training rows.
        """
        wanted, train = set(ids), self.rows["split"] == "train"
        kept = train & self.rows["id"].isin(wanted)
        if int(kept.sum()) != len(wanted):
            raise ValueError("with_train: some of these are no training examples")
        if kept.sum() == train.sum():
            return self
        return self._view(self.rows["split"].mask(train & ~kept, LEFT_OUT), sorted(wanted))

    def without(self, ids: Iterable[str]) -> Dataset:
        """A view in which these examples are in no split: they keep their places in ``rows`` as ``left-out``."""
        gone = self.rows["id"].isin(set(ids)) & self.rows["split"].isin(SPLITS)
        if not gone.any():
            return self
        return self._view(self.rows["split"].mask(gone, LEFT_OUT), ["without", *sorted(self.rows["id"][gone])])

    def with_validation(self, ids: Iterable[str]) -> Dataset:
        """A view that validates on these examples of train and validation, and trains on all others of the two.

        The test set stays as it is. Raises ValueError where an id is in neither.
        """
        wanted, split = set(ids), self.rows["split"]
        seen, chosen = split.isin(SPLITS[:2]), self.rows["id"].isin(wanted)
        if int((seen & chosen).sum()) != len(wanted):
            raise ValueError("with_validation: some of these are neither training nor validation examples")
        cut = split.mask(seen & ~chosen, "train").mask(seen & chosen, "validation")
        return self if cut.equals(split) else self._view(cut, ["validation", *sorted(wanted)])

    def _view(self, split: pd.Series, key_parts: list[str]) -> Dataset:
        """The same rows under another split, with a fingerprint that follows from what was ``told`` of it."""
        view = Dataset(self.folder, self._row)
        view.rows = self.rows.assign(split=split)
        digest = hashlib.sha256("\x1f".join([self.fingerprint, *key_parts]).encode()).hexdigest()[:16]
        counts = {name: int((split == name).sum()) for name in SPLITS}
        view.info = self.info.model_copy(update={"fingerprint": digest, "n": counts})
        view.cached_as = self.cached_as
        return view

    @functools.cached_property
    def sides(self) -> list[str]:
        """The names of the further columns of labels: what else can be learned from the same examples."""
        return [str(name).removeprefix(SIDE) for name in self.rows if str(name).startswith(SIDE)]

    def with_labels(self, side: str) -> Dataset:
        """A view whose labels are those of a further column; examples without one, or with one that no training example
        has, have the split ``left-out``.
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
        """The rows of one split, in the stored order, with a fresh index."""
        return self.rows[self.rows["split"] == name].reset_index(drop=True)

    def file(self, row: Any) -> Path:
        """The payload of a row (or of a value of its ``file`` column)."""
        return self.folder / "files" / (row if isinstance(row, str) else row["file"])

    def set_aside(self) -> list[RejectedRow]:
        """The rows of its owner's upload that were rejected."""
        return self.details.rejected_rows

    def split_csv(self) -> str:
        """The split as CSV: file, label, group, split; it can be edited and given back as corrections. Where examples
        have several labels they stand there with semicolons between them, where they have none there is no such column.
        """
        rows = self.rows
        if "labels" in rows:
            rows = rows.assign(label=rows["labels"].replace("", WITHOUT))
        some = bool((rows["label"] != "").any()) if "label" in rows else False
        columns = [c for c in ("id", *(["label"] if some else []), "group", "split") if c in rows]
        return safe_csv(rows[columns].rename(columns={"id": "file"}))

    def to_hf(self) -> Any:
        """A ``datasets.DatasetDict``, pictures as an Image column, for use outside of the studio."""
        import datasets

        def one(name: str) -> datasets.Dataset:
            rows = self.split(name)
            if "file" not in rows:
                return datasets.Dataset.from_pandas(rows, preserve_index=False)
            rows = rows.assign(image=[str(self.file(f)) for f in rows["file"]])
            return datasets.Dataset.from_pandas(rows, preserve_index=False).cast_column("image", datasets.Image())

        return datasets.DatasetDict({name: one(name) for name in SPLITS})


AT_ONCE = 50_000  # rows


def fingerprint(task: str, rows: pd.DataFrame) -> str:
    """Sixteen hex digits of everything a run can depend on: content, labels, groups and split of every
    example.
    """
    digest = hashlib.sha256(task.encode())
    columns = [c for c in ("id", "sha256", "label", "group", "split") if c in rows]
    columns += [str(c) for c in rows if str(c).startswith(SIDE)]
    for values in _sorted_tuples(rows, columns):
        digest.update("\x1f".join(values).encode())
        digest.update(b"\x1e")
    return digest.hexdigest()[:16]


def _sorted_tuples(rows: pd.DataFrame, columns: list[str]) -> Iterator[tuple[str, ...]]:
    """The rows as tuples of text, sorted; a few at a time where their ids are different, as they mostly are."""
    ids = rows["id"].astype(str).to_numpy(dtype=object)
    order, size = np.argsort(ids, kind="stable"), AT_ONCE if rows["id"].is_unique else max(1, len(rows))
    for start in range(0, len(rows), size):
        part = rows[columns].iloc[order[start : start + size]]
        yield from sorted(tuple("" if pd.isna(v) else str(v) for v in row) for row in part.itertuples(index=False))
