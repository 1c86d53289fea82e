"""What projects, datasets, jobs, runs and models need of the store that they are part of."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class Workspace(Protocol):
    """A folder, and a database beside it."""

    home: Path

    def transaction(self) -> AbstractContextManager[Session]:
        """One short transaction; committed at the end, rolled back on an exception."""
