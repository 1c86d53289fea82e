"""The data of a Spec: found in the workspace, or read, checked, split and kept."""

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
    """The dataset that a Spec means: one of the workspace by its fingerprint, else the path (``resolved`` as in
    `open_tree`), staged and confirmed.

    Raises UnusableInput with the first error of the check, naming file and row.
    """
    if data.dataset is not None:
        found = Dataset.open(store, data.dataset, owner)
        if found.info.task.startswith(BARE):
            raise UnusableInput(
                sentence("The set {name} has no labels to learn from.", name=found.info.name), code="dataset"
            )
        return found
    assert data.path is not None  # Data holds one of the two
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
    """What ``tlcore check`` prints, as JSON values in the current language; nothing is kept.

    Keys: usable, n, labels {label: count}, splits {split: count}, findings, set_aside. Raises UnusableInput
    where the whole cannot be read.
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
