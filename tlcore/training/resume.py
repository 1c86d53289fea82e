"""Files that a later attempt may reuse: those written atomically, and folders whose last file exists."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from tlcore.training.shared_phases import SOURCE

LAST = ("result.json", "done.json")  # written last: all files beside and below are complete and final
IN_ONE_STEP = ("checkpoint-*.pt", "once-*.pt", "trial-*.json", "memory.json")


def of_run(folder: Path) -> list[Path]:
    """The finished files of a run, relative to its folder: settings, trained arms, checkpoints, label savings."""
    kept = [Path(name) for name in ("plan.json", "target.json", "processor.json", "label_savings.json")]
    kept = [name for name in kept if (folder / name).is_file()]
    return [*kept, *finished(folder, Path("arms")), *of_savings(folder)]


def of_savings(folder: Path) -> list[Path]:
    """The finished files of label savings, relative to the folder of the run."""
    return list(finished(folder, Path("savings")))


def finished(folder: Path, at: Path = Path()) -> Iterator[Path]:
    """The finished files of trainings below ``folder / at``, relative to ``folder``.

    A folder of weights may be a link to another one; it is returned as one file.
    """
    try:
        entries = list(os.scandir(folder / at))
    except (FileNotFoundError, NotADirectoryError):
        return
    complete = at.name == SOURCE or any(entry.name in LAST for entry in entries)
    for entry in entries:
        if entry.name.startswith(".") or entry.name.endswith(".tmp"):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _everything(folder, at / entry.name) if complete else finished(folder, at / entry.name)
            continue
        in_one_step = any(fnmatch(entry.name, pattern) for pattern in IN_ONE_STEP)
        if in_one_step != complete:  # a complete training no longer needs its checkpoints
            yield at / entry.name


def _everything(folder: Path, at: Path) -> Iterator[Path]:
    for path in (folder / at).rglob("*"):
        if path.is_file():
            yield path.relative_to(folder)
