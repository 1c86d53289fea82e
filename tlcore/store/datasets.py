"""Datasets of the workspace, by fingerprint; `data.dataset.Dataset.open` reads one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from tlcore.store.tables import DatasetRow, insert_into

if TYPE_CHECKING:
    from tlcore.store.workspace import Workspace


class Datasets:
    def __init__(self, store: Workspace):
        self._store = store

    def folder(self, fingerprint: str) -> Path:
        return self._store.home / "datasets" / fingerprint

    def add(self, info: Any, owner: str) -> None:
        """Remember that ``owner`` has a dataset whose folder is in place, by its ``dataset.json``.

        Each who confirms the same data has a row with a name of their own; a second one of the same owner adds nothing.
        """
        row = {
            "fingerprint": info.fingerprint,
            "owner": owner,
            "task": info.task,
            "name": info.name,
            "n": sum(info.n.values()),
            "created": time.time(),
        }
        with self._store.transaction() as session:
            session.execute(insert_into(session, DatasetRow).on_conflict_do_nothing(), [row])

    def all(self, owner: str) -> list[DatasetRow]:
        """Newest first."""
        with self._store.transaction() as session:
            rows = select(DatasetRow).where(DatasetRow.owner == owner).order_by(DatasetRow.created.desc())
            return list(session.scalars(rows))
