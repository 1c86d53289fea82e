"""Datasets of the workspace, by fingerprint; `data.dataset.Dataset.open` reads one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select
from sqlalchemy.orm import undefer

from tlcore.store.tables import DatasetRow, insert_into

if TYPE_CHECKING:
    from tlcore.store.workspace import Workspace


class Datasets:
    def __init__(self, store: Workspace):
        self._store = store

    def folder(self, fingerprint: str) -> Path:
        return self._store.home / "datasets" / fingerprint

    def add(self, info: Any, owner: str, details: dict[str, Any] | None = None) -> None:
        """Remember that ``owner`` has a dataset whose folder is in place, by its ``dataset.json``.

        Each who confirms the same data has a row with a name and ``details`` of their own (`DatasetRow.details`); a
        second one of the same owner adds nothing.
        """
        row = {
            "fingerprint": info.fingerprint,
            "owner": owner,
            "task": info.task,
            "name": info.name,
            "n": sum(info.n.values()),
            "created": time.time(),
            "details": details,
        }
        with self._store.transaction() as session:
            session.execute(insert_into(session, DatasetRow).on_conflict_do_nothing(), [row])

    def get(self, fingerprint: str, owner: str) -> DatasetRow | None:
        """The row of that owner with its ``details``; None where they do not have the dataset."""
        query = select(DatasetRow).where(DatasetRow.fingerprint == fingerprint, DatasetRow.owner == owner)
        with self._store.transaction() as session:
            return session.scalars(query.options(undefer(DatasetRow.details))).one_or_none()

    def all(self, owner: str) -> list[DatasetRow]:
        """Newest first, without their ``details``."""
        with self._store.transaction() as session:
            rows = select(DatasetRow).where(DatasetRow.owner == owner).order_by(DatasetRow.created.desc())
            return list(session.scalars(rows))

    def owners(self, fingerprint: str) -> list[str]:
        """Everybody who has that dataset."""
        with self._store.transaction() as session:
            return list(session.scalars(select(DatasetRow.owner).where(DatasetRow.fingerprint == fingerprint)))

    def remove(self, fingerprint: str, owner: str) -> None:
        """Forget that this owner has the dataset."""
        with self._store.transaction() as session:
            session.execute(delete(DatasetRow).where(DatasetRow.fingerprint == fingerprint, DatasetRow.owner == owner))
