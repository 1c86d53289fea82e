"""Why a job failed, in words that a person can act on. The traceback goes to the log."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tlcore.core import machine
from tlcore.core.errors import RunFailed, StudioError
from tlcore.core.i18n import sentence

FULL = 64 * 2**20  # bytes; with less than this free, a failed write is taken for a full disk


def explained(error: BaseException, home: Path) -> StudioError:
    """The failure as a StudioError; ``home`` is the workspace, whose disk may be what is full."""
    explicit: BaseException | None = error
    while explicit is not None:
        if isinstance(explicit, StudioError):
            return explicit
        explicit = explicit.__cause__
    causes = list(_causes(error))
    if any(machine.out_of_memory(cause) for cause in causes):
        return RunFailed(
            sentence(
                "There was not enough memory for this, even in the smallest steps that were tried. Choose a smaller "
                "picture size or a smaller source model, wait until other work on this machine is done, or use a "
                "machine with more memory; then let the run go on."
            ),
            code="out-of-memory",
        )
    if any(_disk_full(cause, home) for cause in causes):
        return RunFailed(
            sentence(
                "The disk of the workspace is full. Delete projects and datasets that you no longer need, and clear "
                "the cache on the Server page; or ask whoever looks after this server to make room. Then let the run "
                "go on: nothing that was finished is lost."
            ),
            code="disk-full",
        )
    return RunFailed(
        sentence(
            "Something unexpected happened ({kind}). The log has the details; you can let it go on from where it was, "
            "and if it happens again, show the log to whoever looks after this server.",
            kind=type(error).__name__,
        ),
        code="unexpected",
    )


def to_error(error: StudioError) -> dict[str, Any]:
    """What the ``error`` column of a job holds."""
    return {
        "code": error.code,
        "sentence": error.sentence.model_dump(mode="json"),
        "file": error.file,
        "row": error.row,
        "exit_code": error.exit_code,
    }


def ended_again_and_again(attempts: int) -> StudioError:
    """A job whose process ended again and again without getting any further."""
    return RunFailed(
        sentence(
            "The process of this job ended {n} times without getting any further. Most often the machine has too "
            "little memory for it: choose a smaller picture size or source model, or a machine with more memory. "
            "The log has what is known.",
            n=attempts,
        ),
        code="ended-again-and-again",
    )


def database_away(error: BaseException) -> bool:
    """Whether the work ended only because the database could not be reached, so that it can go on later."""
    from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError

    for cause in _causes(error):
        if isinstance(cause, OperationalError | DisconnectionError):
            return "disk is full" not in str(cause) and "no such" not in str(cause)
        if isinstance(cause, DBAPIError) and cause.connection_invalidated:
            return True
    return False


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _disk_full(error: BaseException, home: Path) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    text = str(error)
    if "No space left on device" in text or "database or disk is full" in text:
        return True
    # torch and safetensors report a failed write without its errno.
    wrote = isinstance(error, OSError) or "PytorchStreamWriter" in text or type(error).__name__ == "SafetensorError"
    return wrote and shutil.disk_usage(home).free < FULL
