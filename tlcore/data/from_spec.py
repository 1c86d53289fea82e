"""The data of a Spec: opened from the workspace, or read, checked, split and stored."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence, t
from tlcore.data.confirm import confirm
from tlcore.data.dataset import BARE, Dataset
from tlcore.data.staging import stage

if TYPE_CHECKING:
    from tlcore.core.spec_parts import Data
    from tlcore.store.store import Store


def read(data: Data, *, task: Any, store: Store, owner: str, progress: Any = None, resolved: bool = False) -> Dataset:
    """The dataset of a Spec: from the workspace by its fingerprint, else staged and confirmed from its path.

    ``resolved`` is as in `open_tree`. Raises UnusableInput with the first error of the check, naming file and row.
    """
    if data.dataset is not None:
        found = Dataset.open(store, data.dataset, owner)
        if found.info.task.startswith(BARE):
            raise UnusableInput(
                sentence("The set {name} has no labels to learn from.", name=found.info.name), code="dataset"
            )
        return found
    assert data.path is not None  # Data has a fingerprint or a path
    folder = store.home / "tmp" / f"read-{secrets.token_hex(6)}"
    try:
        staged = stage(
            data.path,
            task=task,
            folder=folder,
            columns=data.columns,
            group=data.group,
            progress=progress,
            resolved=resolved,
        )
        return confirm(
            staged, store, split=data.split, corrections=data.corrections, name=staged.info.name, owner=owner
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check(
    path: str | Path,
    task: Any,
    *,
    columns: Mapping[str, str] | None = None,
    group: str | None = None,
    progress: Any = None,
) -> dict[str, Any]:
    """The output of ``tlcore check`` as JSON values in the current language; nothing is stored.

    Keys: usable, n, labels {label: count}, splits {split: count}, findings, set_aside. Raises UnusableInput where the
    upload cannot be read at all.
    """
    with tempfile.TemporaryDirectory(prefix="tlcore-check-") as folder:
        staged = stage(path, task=task, folder=Path(folder), columns=columns, group=group, progress=progress)
        return {
            "usable": staged.usable,
            "n": len(staged.rows),
            "labels": staged.counts,
            "splits": staged.info.splits,
            "findings": [
                {
                    "level": f.level,
                    "code": f.code,
                    "message": t(f.sentence),
                    "fix": t(f.fix) if f.fix else None,
                    "count": f.count,
                    "examples": f.examples,
                }
                for f in staged.findings
            ],
            "set_aside": [{"file": a.file, "row": a.row, "reason": t(a.reason)} for a in staged.set_aside()],
        }
