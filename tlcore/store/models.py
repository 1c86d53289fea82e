"""The library: models that somebody published for everybody on this server."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from tlcore.store.tables import Model, new_id

if TYPE_CHECKING:
    from tlcore.store.workspace import Workspace


class Models:
    def __init__(self, store: Workspace):
        self._store = store

    def publish(
        self, bundle: Path, *, name: str, owner: str, task: str, run_id: str | None, about: dict[str, Any]
    ) -> Model:
        """Copy the bundle into the library and list it."""
        model = Model(
            id=new_id(), name=name.strip()[:200] or "untitled", owner=owner, task=task, run_id=run_id, about=about
        )
        shutil.copyfile(bundle, self.bundle(model.id))
        with self._store.transaction() as session:
            session.add(model)
        return model

    def bundle(self, model_id: str) -> Path:
        return self._store.home / "models" / f"{model_id}.zip"

    def get(self, model_id: str) -> Model | None:
        with self._store.transaction() as session:
            return session.get(Model, model_id)

    def all(self, task: str | None = None) -> list[Model]:
        """Newest first, of everybody."""
        query = select(Model).order_by(Model.created.desc())
        with self._store.transaction() as session:
            return list(session.scalars(query.where(Model.task == task) if task else query))

    def remove(self, model_id: str, owner: str) -> bool:
        """Only its owner takes a model out of the library."""
        with self._store.transaction() as session:
            model = session.get(Model, model_id)
            if model is None or model.owner != owner:
                return False
            session.delete(model)
        self.bundle(model_id).unlink(missing_ok=True)
        return True
