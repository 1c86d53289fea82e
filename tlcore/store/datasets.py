"""Datasets of the workspace, by fingerprint; `data.dataset.Dataset.open` reads one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from tlcore.store.tables import DatasetRow

if TYPE_CHECKING:
    from tlcore.store.store import Store


class Datasets:
    def __init__(self, store: Store):
        self._store = store

    def folder(self, fingerprint: str) -> Path:
        return self._store.home / "datasets" / fingerprint

    def add(self, fingerprint: str, *, owner: str, task: str, name: str, n: int) -> None:
        """Remember a dataset whose folder is in place; the same fingerprint twice is one dataset."""
        row = DatasetRow(fingerprint=fingerprint, owner=owner, task=task, name=name, n=n)
        with self._store.transaction() as session:
            session.merge(row)

    def all(self, owner: str) -> list[DatasetRow]:
        """Newest first."""
        with self._store.transaction() as session:
            rows = select(DatasetRow).where(DatasetRow.owner == owner).order_by(DatasetRow.created.desc())
            return list(session.scalars(rows))
