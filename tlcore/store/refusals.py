"""Why a workspace cannot be used, in words: its folder or its database is damaged, closed, or of a newer studio."""

from __future__ import annotations

import errno
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, SQLAlchemyError

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.core.paths import text_name

DAMAGED = ("file is not a database", "malformed", "no such table", "no such column", "file is encrypted")


def folder_refused(home: Path, error: OSError) -> UnusableInput:
    """That the workspace's folder cannot be made or written to."""
    shown, code = text_name(str(home)), "workspace"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        message, code = (
            sentence("The disk of the workspace {folder} is full. Make room on it.", folder=shown),
            "disk-full",
        )
    elif error.errno in (errno.ENOTDIR, errno.EEXIST):
        message = sentence(
            "The workspace cannot be at {folder}, because a file is there or on the way to it. Name another folder.",
            folder=shown,
        )
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        message = sentence(
            "The workspace {folder} may not be written to. Let this account write there, or name another folder.",
            folder=shown,
        )
    else:
        message = sentence(
            "The workspace {folder} cannot be used ({problem}). Name another folder.",
            folder=shown,
            problem=error.strerror or type(error).__name__,
        )
    return UnusableInput(message, code=code, file=shown)


def database_refused(url: str, error: SQLAlchemyError) -> UnusableInput:
    """That the database cannot be opened."""
    if isinstance(error, ArgumentError):
        return UnusableInput(
            sentence("TLCORE_DATABASE_URL is not the address of a database that the studio knows."), code="database"
        )
    if found := database_damaged(url, error):
        return found
    place = make_url(url)
    if place.get_backend_name() != "sqlite":
        return UnusableInput(
            sentence(
                "The database at {place} cannot be reached: {problem}",
                place=place.render_as_string(hide_password=True),
                problem=_first_line(error),
            ),
            code="database",
        )
    file = text_name(place.database or "")
    if "locked" in _first_line(error):
        message = sentence(
            "The database {file} of the workspace is held by another program. Try again later.", file=file
        )
    elif "full" in _first_line(error):
        message = sentence(
            "The disk of the workspace {folder} is full. Make room on it.", folder=str(Path(file).parent)
        )
    else:
        message = sentence(
            "The database {file} of the workspace cannot be opened ({problem}). It must be a file that this account "
            "may write to, in a folder where it may make files.",
            file=file,
            problem=_first_line(error),
        )
    return UnusableInput(message, code="database", file=file)


def database_damaged(url: str, error: SQLAlchemyError) -> UnusableInput | None:
    """That the workspace's own database cannot be read, or written to; None for any other error of a database."""
    if not isinstance(error, DatabaseError) or not url.startswith("sqlite"):
        return None
    file, problem = text_name(make_url(url).database or ""), _first_line(error)
    if any(mark in problem for mark in DAMAGED):
        message = sentence(
            "The database {file} of the workspace is damaged and cannot be read. Put back a copy from a backup, or "
            "move it away, with its -wal and -shm, to begin with an empty one; the files of datasets and runs stay.",
            file=file,
        )
    elif "readonly database" in problem:
        message = sentence("The database {file} of the workspace may not be written to by this account.", file=file)
    else:
        return None
    return UnusableInput(message, code="database", file=file)


def newer(home: Path) -> UnusableInput:
    """That a newer studio has changed the database."""
    shown = text_name(str(home))
    return UnusableInput(
        sentence(
            "The workspace {folder} was last used by a newer version of the studio. Update this one.", folder=shown
        ),
        code="workspace-newer",
        file=shown,
    )


def _first_line(error: SQLAlchemyError) -> str:
    problem = getattr(error, "orig", None) or error
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0][:300]
