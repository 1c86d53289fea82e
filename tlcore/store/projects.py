"""Projects: create, open, rename, duplicate, delete, and the draft of their Spec."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from tlcore.store import garbage_collection
from tlcore.store.tables import INTERRUPTED, QUEUED, TERMINAL, Job, Project

if TYPE_CHECKING:
    from tlcore.store.workspace import Workspace


class Projects:
    def __init__(self, store: Workspace):
        self._store = store

    def create(self, name: str, owner: str, draft: dict[str, Any] | None = None) -> Project:
        project = Project(name=name.strip()[:200] or "untitled", owner=owner, draft=draft or {})
        with self._store.transaction() as session:
            session.add(project)
        return project

    def get(self, project_id: str, owner: str) -> Project | None:
        with self._store.transaction() as session:
            project = session.get(Project, project_id)
        return project if project and project.owner == owner else None

    def all(self, owner: str) -> list[Project]:
        """Newest change first."""
        with self._store.transaction() as session:
            return list(session.scalars(select(Project).where(Project.owner == owner).order_by(Project.updated.desc())))

    def rename(self, project_id: str, name: str) -> None:
        self._change(project_id, name=name.strip()[:200] or "untitled")

    def save_draft(self, project_id: str, draft: dict[str, Any]) -> None:
        self._change(project_id, draft=draft)

    def duplicate(self, project_id: str, owner: str, name: str) -> Project:
        """A new project with the same draft (task, source, data, strategy) and no runs."""
        original = self.get(project_id, owner)
        if original is None:
            raise KeyError(project_id)
        return self.create(name, owner, dict(original.draft))

    def delete(self, project_id: str) -> None:
        """The project goes with its runs and their files. What is running is asked to stop, and goes with a later sweep
        (`leftovers`), as soon as it has.
        """
        with self._store.transaction() as session:
            # Asked first, then ended, as `Jobs.cancel` does it.
            session.execute(
                update(Job)
                .where(Job.project_id == project_id, Job.state.not_in(TERMINAL))
                .values(cancel_requested=True)
            )
            session.execute(
                update(Job)
                .where(Job.project_id == project_id, Job.state.in_((QUEUED, INTERRUPTED)))
                .values(state="cancelled", finished=time.time())
            )
            if project := session.get(Project, project_id):
                session.delete(project)
        garbage_collection.remove_orphans(self._store)

    def _change(self, project_id: str, **values: Any) -> None:
        with self._store.transaction() as session:
            session.execute(update(Project).where(Project.id == project_id).values(updated=time.time(), **values))
