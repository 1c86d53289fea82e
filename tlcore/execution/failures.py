"""Why a job failed, in words that a person can act on. The traceback goes to the log."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core import limits, machine
from tlcore.core.errors import RunFailed, StudioError, UnusableInput
from tlcore.core.i18n import Sentence, sentence

if TYPE_CHECKING:
    from tlcore.store import Store
    from tlcore.store.tables import Job

FULL = 64 * 2**20  # bytes; with less than this free, a failed write is taken for a full disk


def explained(error: BaseException, home: Path, model: str | None = None) -> StudioError:
    """The failure as a StudioError; ``home`` is the workspace, whose disk may be what is full, and ``model`` the name
    of the source model that the work uses, where there is one.
    """
    explicit: BaseException | None = error
    while explicit is not None:
        if isinstance(explicit, StudioError):
            return explicit
        explicit = explicit.__cause__
    causes = list(_causes(error))
    if short := [cause for cause in causes if machine.out_of_memory(cause)]:
        limit = limits.own_memory()
        if limit is not None and not any(machine.of_gpu(cause) for cause in short):
            return memory_exceeded(limit, model)
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
    if any(machine.panicked(cause) and "regex" in str(cause).lower() for cause in causes):
        return UnusableInput(
            _with_model(
                sentence(
                    "The tokenizer of the source model could not cut one of the texts: its regular expression needs "
                    "too many steps for it. Choose another source model."
                ),
                model,
            ),
            code="source-tokenizer",
            file="tokenizer.json",
        )
    if any(machine.panicked(cause) for cause in causes):
        return UnusableInput(
            _with_model(
                sentence(
                    "A library ended inside while it read the source model's tokenizer or weights, which may be "
                    "damaged. Choose another source model, or bring this one again."
                ),
                model,
            ),
            code="source-unusable",
        )
    if any(type(cause).__name__ == "SafetensorError" for cause in causes):
        return UnusableInput(
            _with_model(
                sentence(
                    "A file of weights is damaged or cut off, and cannot be read. Download or copy the model once more."
                ),
                model,
            ),
            code="source-weights",
            file="model.safetensors",
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


def memory_exceeded(limit: int, model: str | None = None) -> StudioError:
    """A process that needed more than ``limit`` bytes, the most that one job may take on this machine."""
    return RunFailed(
        _with_model(
            sentence(
                "This needed more memory than the {gigabytes} GB that one job may take on this machine, so it was "
                "ended. Choose a smaller picture size, shorter texts or a smaller source model, or ask whoever looks "
                "after this server to allow more.",
                gigabytes=round(limit / limits.GB, 1),
            ),
            model,
        ),
        code="memory-limit",
    )


def killed_for_memory(model: str | None = None) -> StudioError:
    """A process that the kernel ended because the memory of the whole machine was used up."""
    return RunFailed(
        _with_model(
            sentence(
                "The memory of this machine was used up, and its system ended the work. Choose a smaller picture size "
                "or a smaller source model, or wait until other work on this machine is done; then let it go on."
            ),
            model,
        ),
        code="out-of-memory",
    )


def time_exceeded(seconds: float, model: str | None = None) -> StudioError:
    """A process that was not done after ``seconds``, the most that one attempt may take."""
    return RunFailed(
        _with_model(
            sentence(
                "This was not done within {hours} hours, the most that one attempt may take here, so it was ended. A "
                "run can go on from its checkpoint: let it go on. Whoever looks after this server can allow more time.",
                hours=round(seconds / 3600, 2),
            ),
            model,
        ),
        code="time-limit",
    )


def model_of(store: Store, job: Job) -> str | None:
    """The name of the source model that a job works with; None where it works with none, or with several."""
    ref: Any = None
    with contextlib.suppress(Exception):  # the name only completes a sentence about another failure
        asked = job.input or {}
        if job.kind == "rank":
            return None
        if model := asked.get("model"):
            found = store.models.get(str(model))
            return found.name if found else None
        spec = asked.get("spec")
        ref = asked.get("source") or (spec.get("source") if isinstance(spec, dict) else None)
        if ref is None and (run := store.runs.get(str(asked.get("run") or job.id))):
            ref = run.spec.get("source")
        from tlcore import models

        return models.find(str(ref), store).title if ref else None
    return str(ref) if ref else None


def _with_model(message: Sentence, model: str | None) -> Sentence:
    if not model:
        return message
    return sentence("{problem} It was working with the model {model}.", problem=message, model=model)


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
