"""Runs and their curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from tlcore.store import attempts
from tlcore.store.attempts import Fence
from tlcore.store.tables import Job, Point, Run, insert_into, new_id

if TYPE_CHECKING:
    import pandas as pd

    from tlcore.store.workspace import Workspace

BUNDLE = "bundle.zip"  # in the folder of a run's files
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
        self.home(run_id).mkdir(parents=True, exist_ok=True)
        return run

    def home(self, run_id: str) -> Path:
        """The folder with the log and all attempts of a run; what it made is in `folder`."""
        return self._store.home / "runs" / run_id

    def folder(self, run_id: str) -> Path:
        """The folder of a run's files (report, bundle, arms …), wherever the attempt that committed them put them."""
        with self._store.transaction() as session:
            files = session.scalar(select(Run.files).where(Run.id == run_id))
        return self.home(run_id) / (files or "")

    def begin(self, run_id: str, fence: Fence, finished: attempts.Finished) -> Path:
        """The folder that an attempt (of the run's job, or of another job on the run) writes to, and no other one.

        It begins with what is ``finished`` in the folder of the attempt before it, or else in the run's own.
        """
        home = self.home(run_id)
        made, own = attempts.in_order(home), fence.job_id == run_id
        if own:
            made = [folder for folder in made if 0 < attempts.number(folder) < fence.attempt]
        else:
            made = [folder for folder in made if not attempts.number(folder)]
        name = str(fence.attempt) if own else f"{fence.job_id}-{fence.attempt}"
        return attempts.begin(home / attempts.ATTEMPTS / name, [*made, self.folder(run_id)], finished)

    def carry_over(self, run_id: str, folder: Path) -> None:
        """Link the run's files into an attempt's folder, where it has none of its own by that name."""
        base = self.folder(run_id)
        attempts.link(base, folder, attempts.files(base))

    def commit(self, run_id: str, folder: Path, fence: Fence, **values: Any) -> None:
        """Make an attempt's folder the run's, and set ``report`` and other values with it, in one transaction.

        Raises AttemptLost, and changes nothing, where the attempt does not hold its job any more. Folders of other
        attempts stay for a day, since one may still be alive or be read from (`leftovers`).
        """
        self.set(run_id, fence=fence, files=folder.relative_to(self.home(run_id)).as_posix(), **values)

    def get(self, run_id: str) -> Run | None:
        """A run. The ``bundle`` of its report is an absolute path."""
        with self._store.transaction() as session:
            run = session.get(Run, run_id)
        return self._located(run) if run else None

    def of_project(self, project_id: str) -> list[Run]:
        """Newest first; each as `get` gives it."""
        with self._store.transaction() as session:
            runs = session.scalars(select(Run).where(Run.project_id == project_id).order_by(Run.created.desc())).all()
        return [self._located(run) for run in runs]

    def set(self, run_id: str, *, fence: Fence | None = None, **values: Any) -> None:
        """Set ``dataset``, ``plan`` or ``report``. With ``fence`` only while that attempt holds its job: else
        AttemptLost is raised and nothing is set. Everything that an attempt sets has one.
        """
        if values.get("report"):
            values["report"] = stored(values["report"])
        with self._store.transaction() as session:
            if fence:
                fence.hold(session)
            session.execute(update(Run).where(Run.id == run_id).values(**values))

    def add_points(self, points: list[dict[str, Any]], fence: Fence | None = None) -> None:
        """Write points of curves; a point with the same key is replaced (a resumed epoch). ``fence`` as for `set`."""
        if not points:
            return
        with self._store.transaction() as session:
            if fence:
                fence.hold(session)
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

    def _located(self, run: Run) -> Run:
        """The same run, detached from the database, with the place of its bundle on this machine."""
        if run.report and "bundle" in run.report:
            run.report = {**run.report, "bundle": str(self.home(run.id) / (run.files or "") / BUNDLE)}
        return run


def stored(report: dict[str, Any]) -> dict[str, Any]:
    """A report as it is kept, in the store and as a file: no path of this machine in it, since a workspace may move."""
    return {**report, "bundle": BUNDLE} if report.get("bundle") else report
