"""What the attempts of a job may change: the database behind a fence, files in a folder that each attempt has alone.

The files of a run's attempts lie in ``runs/<id>/attempts/``: ``<n>`` for the n-th attempt of the run itself, and
``<job id>-<n>`` for an attempt of another job on the run, such as label savings. An attempt never writes below the
folder of another one, which may still be alive. It begins with hard links to what an earlier attempt has finished
(`begin`), and its folder becomes the run's by an UPDATE that only the attempt which holds the job can do
(`Runs.commit`).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import update

from tlcore.core.errors import AttemptLost
from tlcore.store.tables import RUNNING, Job

if TYPE_CHECKING:
    from sqlalchemy import CursorResult
    from sqlalchemy.orm import Session

ATTEMPTS = "attempts"  # in a run's folder
UNFINISHED = ".begin-"  # begins the name of a folder that an attempt is still filling from an earlier one
Finished = Callable[[Path], Iterable[Path]]  # of a folder: the relative paths of files that nobody writes to any more


@dataclass(frozen=True)
class Fence:
    """One attempt of a job: what it writes to the store counts only while it holds the job."""

    job_id: str
    attempt: int

    @classmethod
    def of(cls, job: Job) -> Fence:
        return cls(job.id, job.attempt)

    def hold(self, session: Session) -> None:
        """Renew the lease within a transaction, so that no other attempt takes the job before it is committed.

        Raises AttemptLost where this attempt does not hold the job.
        """
        held = update(Job).where(Job.id == self.job_id, Job.attempt == self.attempt, Job.state == RUNNING)
        if not cast("CursorResult[Any]", session.execute(held.values(heartbeat=time.time()))).rowcount:
            raise AttemptLost


def begin(folder: Path, bases: Iterable[Path], finished: Finished) -> Path:
    """Make an attempt's ``folder``, with links to what is ``finished`` in the first of ``bases`` that has any.

    The folder appears in one step: an attempt that ends before leaves nothing that a later one would begin with.
    """
    if folder.exists():
        return folder
    made = folder.with_name(f"{UNFINISHED}{folder.name}-{secrets.token_hex(2)}")
    made.mkdir(parents=True)
    for base in bases:
        if names := list(finished(base)):
            link(base, made, names)
            break
    made.rename(folder)
    return folder


def link(base: Path, target: Path, names: Iterable[Path]) -> None:
    """Give ``target`` the files ``names`` (relative) of ``base``: hard links, or copies where the disk has none.

    What is there already stays; what is gone from ``base`` meanwhile is left out.
    """
    for name in names:
        source, place = base / name, target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            if source.is_symlink():  # the weights of a seed that are those of another seed
                place.symlink_to(Path("..", *Path(os.readlink(source)).parts[-2:]), target_is_directory=True)
                continue
            try:
                os.link(source, place)
            except (FileNotFoundError, FileExistsError):
                raise
            except OSError:
                shutil.copy2(source, place)


def files(folder: Path) -> Iterator[Path]:
    """The relative paths of all files of a run's folder, without its attempts, its log and hidden files."""
    for at, folders, names in os.walk(folder):
        place = Path(at).relative_to(folder)
        if place == Path():
            folders[:] = [name for name in folders if name != ATTEMPTS]
            names = [name for name in names if name != "log.txt"]
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if (Path(at) / name).is_symlink()]
        yield from (place / name for name in (*names, *links) if not name.startswith("."))


def number(folder: Path) -> int:
    """The number of the run's own attempt that a folder belongs to; 0 for one of another job."""
    return int(folder.name) if folder.name.isdecimal() else 0


def in_order(run: Path) -> list[Path]:
    """The folders of all attempts of a run's folder, newest first: its own by number, then those of other jobs."""
    with contextlib.suppress(FileNotFoundError):
        made = [(path.stat().st_mtime_ns, path) for path in (run / ATTEMPTS).iterdir() if path.name[0] != "."]
        return [path for _, path in sorted(made, key=lambda one: (number(one[1]), one[0]), reverse=True)]
    return []
