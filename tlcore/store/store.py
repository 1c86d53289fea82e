"""The door to the workspace: one engine, short transactions, rows that stay readable after them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from sqlalchemy import create_engine, event, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from tlcore.core.paths import resolved_path
from tlcore.core.strict_json import to_json
from tlcore.store import refusals
from tlcore.store.datasets import Datasets
from tlcore.store.jobs import Jobs
from tlcore.store.models import Models
from tlcore.store.projects import Projects
from tlcore.store.runs import Runs
from tlcore.store.tables import LOCAL_OWNER as LOCAL_OWNER
from tlcore.store.users import Users

MIGRATIONS = Path(__file__).with_name("migrations")


def workspace(folder: str | Path | None = None) -> Path:
    """The workspace folder: the one given, else ``TLCORE_HOME``, else the user's data folder. Raises UnusableInput."""
    if given := folder or os.environ.get("TLCORE_HOME"):
        return resolved_path(given)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return (Path(data) / "transfer-learning-studio").resolve()


class Store:
    """Projects, datasets, jobs, runs, models and people of one workspace. Use ``Store.open``."""

    def __init__(self, home: Path, url: str):
        self.home, self.url = home, url
        options = {"connect_args": {"timeout": 30}} if url.startswith("sqlite") else {"pool_pre_ping": True}
        self._engine = create_engine(url, json_serializer=to_json, **options)
        if url.startswith("sqlite"):
            event.listen(self._engine, "connect", _sqlite_settings)
        self._session = sessionmaker(self._engine, expire_on_commit=False)
        self.projects, self.datasets = Projects(self), Datasets(self)
        self.jobs, self.runs, self.models = Jobs(self), Runs(self), Models(self)
        self.users = Users(self)

    @classmethod
    def open(cls, folder: str | Path | None = None) -> Store:
        """Open the workspace, creating or migrating it as needed.

        Raises UnusableInput where the folder or the database cannot be used.
        """
        home = workspace(folder)
        url = os.environ.get("TLCORE_DATABASE_URL") or f"sqlite:///{home / 'studio.db'}"
        try:
            for name in ("staging", "datasets", "runs", "models", "cache", "sources", "tmp"):
                (home / name).mkdir(parents=True, exist_ok=True)
            store = cls(home, url)
            with FileLock(home / ".migrate.lock"):
                _migrate(store)
        except OSError as error:
            raise refusals.folder_refused(home, error) from error
        except SQLAlchemyError as error:
            raise refusals.database_refused(url, error) from error
        return store

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One short transaction; committed at the end, rolled back on an exception.

        Raises UnusableInput where the workspace's own database turns out to be damaged, or may not be written to.
        """
        try:
            with self._session.begin() as session:
                yield session
        except SQLAlchemyError as error:
            if refusal := refusals.database_damaged(self.url, error):
                raise refusal from error
            raise

    def identity(self) -> tuple[tuple[int, int] | None, ...]:
        """Device and inode of the workspace and, with SQLite, of its database; None for what is not there. It changes
        when either is deleted or replaced.
        """
        paths = [self.home, *([Path(self._engine.url.database or "")] if self.url.startswith("sqlite") else [])]
        return tuple(_inode(path) for path in paths)

    def close(self) -> None:
        self._engine.dispose()


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return about.st_dev, about.st_ino


def _sqlite_settings(connection, _record) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten: it may name patients
    cursor.close()


def _migrate(store: Store) -> None:
    """Bring the database to the newest revision; one already there costs a query, and Alembic is not even imported."""
    newest = max(path.stem.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    with store._engine.begin() as connection:
        known = inspect(connection).has_table("alembic_version")
        if known and connection.scalar(text("select version_num from alembic_version")) == newest:
            return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with store._engine.begin() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            if "Can't locate revision" in str(error):
                raise refusals.newer(store.home) from error
            raise
