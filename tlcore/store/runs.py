"""Runs and their curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from tlcore.store.tables import Job, Point, Run, insert_into, new_id

if TYPE_CHECKING:
    import pandas as pd

    from tlcore.store.workspace import Workspace

KEY = ("run_id", "arm", "seed", "trial", "phase", "epoch")


class Runs:
    def __init__(self, store: Workspace):
        self._store = store

    def create(self, spec: Any, owner: str, project_id: str | None = None) -> Run:
        """A run of a Spec and its queued job, in one transaction."""
        run_id = new_id()
        job = Job(id=run_id, kind="run", lane="train", owner=owner, project_id=project_id)
        run = Run(
            id=run_id,
            owner=owner,
            project_id=project_id,
            name=spec.name,
            task=spec.task,
            dataset=spec.data.dataset,
            spec=spec.model_dump(mode="json"),
        )
        with self._store.transaction() as session:
            session.add(job)
            session.flush()
            session.add(run)
        self.folder(run_id).mkdir(parents=True, exist_ok=True)
        return run

    def folder(self, run_id: str) -> Path:
        return self._store.home / "runs" / run_id

    def get(self, run_id: str) -> Run | None:
        with self._store.transaction() as session:
            return session.get(Run, run_id)

    def of_project(self, project_id: str) -> list[Run]:
        """Newest first."""
        with self._store.transaction() as session:
            return list(session.scalars(select(Run).where(Run.project_id == project_id).order_by(Run.created.desc())))

    def set(self, run_id: str, **values: Any) -> None:
        """Set ``dataset``, ``plan`` or ``report``."""
        with self._store.transaction() as session:
            session.execute(update(Run).where(Run.id == run_id).values(**values))

    def add_points(self, points: list[dict[str, Any]]) -> None:
        """Write points of curves; a point with the same key is replaced (a resumed epoch)."""
        if not points:
            return
        with self._store.transaction() as session:
            insert = insert_into(session, Point)
            statement = insert.on_conflict_do_update(
                index_elements=list(KEY), set_={"seconds": insert.excluded.seconds, "values": insert.excluded["values"]}
            )
            session.execute(statement, points)

    def points(self, run_id: str) -> pd.DataFrame:
        """The curves: one row a point, the values spread into columns."""
        import pandas as pd

        columns = [getattr(Point, name) for name in (*KEY[1:], "seconds")]
        query = select(*columns, Point.values).where(Point.run_id == run_id)
        with self._store.transaction() as session:
            rows = session.execute(query.order_by(Point.arm, Point.seed, Point.trial, Point.phase, Point.epoch)).all()
        names = [column.key for column in columns]
        return pd.DataFrame(
            [{**dict(zip(names, row[:-1], strict=True)), **row[-1]} for row in rows], columns=None if rows else names
        )
