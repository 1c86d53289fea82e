"""Datasets of the workspace, by fingerprint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from tlcore.errors import UnusableInput
from tlcore.store.tables import DatasetRow
from tlcore.words import say

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.store.store import Store


class Datasets:
    def __init__(self, store: Store):
        self._store = store

    def folder(self, fingerprint: str) -> Path:
        return self._store.home / "datasets" / fingerprint

    def open(self, fingerprint: str) -> Dataset:
        """Raises UnusableInput where the workspace has no such dataset."""
        from tlcore.data.dataset import Dataset  # brings pandas, which most of the store does without

        folder = self.folder(fingerprint)
        if not fingerprint.isalnum() or not (folder / "dataset.json").exists():
            raise UnusableInput(
                say("There is no dataset {fingerprint} in this workspace.", fingerprint=fingerprint), code="dataset"
            )
        return Dataset(folder)

    def add(self, dataset: Dataset, owner: str) -> None:
        """Remember a dataset whose folder is in place; the same fingerprint twice is one dataset."""
        info = dataset.info
        row = DatasetRow(fingerprint=info.fingerprint, owner=owner, task=info.task, name=info.name,
                         n=sum(info.n.values()))  # fmt: skip
        with self._store.transaction() as session:
            session.merge(row)

    def all(self, owner: str) -> list[DatasetRow]:
        """Newest first."""
        with self._store.transaction() as session:
            rows = select(DatasetRow).where(DatasetRow.owner == owner).order_by(DatasetRow.created.desc())
            return list(session.scalars(rows))
