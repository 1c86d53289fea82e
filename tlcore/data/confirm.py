"""From a checked upload to a dataset: labels are corrected, rows split once, fingerprinted and stored."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from filelock import FileLock

from tlcore.core import atomic_files
from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.spec_parts import Split
from tlcore.data import splits
from tlcore.data.checks import class_labels
from tlcore.data.dataset import SPLITS, Dataset, DatasetInfo, OwnerDetails, SharedInfo, fingerprint
from tlcore.data.label_corrections import corrected, read_corrections
from tlcore.data.staging import Staged

if TYPE_CHECKING:
    from tlcore.store.store import Store


def confirm(
    staged: Staged,
    store: Store,
    *,
    split: Split,
    corrections: Mapping[str, str] | str | Path | None,
    name: str,
    owner: str,
) -> Dataset:
    """Create a dataset from a checked upload and record it in the store.

    ``corrections`` maps files to labels, or is a CSV with the columns file and label: see `corrected`. Raises
    UnusableInput with the first remaining error.
    """
    corrections = read_corrections(corrections)
    findings = staged.recheck(corrections)
    refuse(findings, staged.set_aside())
    rows = corrected(staged.rows, corrections, staged.task.corrects)
    rows["split"], split_sentence = splits.divide(
        rows, split, lambda rows, split: staged.task.split(rows, split)["split"]
    )
    if problem := class_labels.split_problem(rows):
        refuse([problem])
    rows = _ordered(rows)
    info = _info(
        staged.info.task, name or staged.info.name, staged.origin, rows, findings, staged.info.set_aside, split_sentence
    )
    return place(info, rows, [staged.folder / "files"], staged.set_aside(), store, owner)


def relabel(
    dataset: Dataset, corrections: Mapping[str, str] | str | Path, task: Any, store: Store, owner: str
) -> Dataset:
    """A new dataset of the same ``task`` with corrected labels and the same split. The old dataset is unchanged.

    Raises UnusableInput.
    """
    rows = corrected(dataset.rows, read_corrections(corrections), task.corrects)
    old = dataset.info
    stale = {f.code for f in [*task.check(dataset.rows.assign(split=None)), *task.check(dataset.rows)]}
    findings = [f for f in old.findings if f.code not in stale]
    fresh = task.check(rows)
    refuse(fresh)
    if problem := class_labels.split_problem(rows):
        refuse([problem])
    info = _info(old.task, old.name, old.origin, rows, [*fresh, *findings], old.set_aside, old.split_said)
    return place(info, rows, [dataset.folder / "files"], dataset.set_aside(), store, owner)


def refuse(findings: list[Finding], rejected: list[RejectedRow] | None = None) -> None:
    """Raise UnusableInput for the first error among findings, with its fix.

    The error names file and row where one of its examples is a rejected row.
    """
    rows = {item.file: item.row for item in rejected or ()}
    for finding in findings:
        if finding.level == "error":
            message = finding.sentence
            if finding.fix:
                message = sentence("{problem} {fix}", problem=finding.sentence, fix=finding.fix)
            file = next((name for name in finding.examples if name in rows), None)
            raise UnusableInput(message, code=finding.code, file=file, row=rows.get(file) if file else None)


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows sorted by split and id, so that the stored order does not depend on the layout of the upload."""
    rank = rows["split"].map({name: at for at, name in enumerate(SPLITS)})
    return (
        rows.assign(_rank=rank).sort_values(["_rank", "id"], kind="stable").drop(columns="_rank").reset_index(drop=True)
    )


def _info(
    task: str,
    name: str,
    origin: str,
    rows: pd.DataFrame,
    findings: list[Finding],
    set_aside: int,
    split_sentence: Sentence,
) -> DatasetInfo:
    return DatasetInfo(
        fingerprint=fingerprint(task, rows),
        task=task,
        name=name.strip()[:200] or "untitled",
        origin=origin,
        n={s: int((rows["split"] == s).sum()) for s in SPLITS},
        labels=[label for label in sorted(rows["label"].unique()) if label],
        findings=findings,
        set_aside=set_aside,
        split_said=split_sentence,
        grouped=bool(rows["group"].notna().any()),
    )


def place(
    info: DatasetInfo,
    rows: pd.DataFrame,
    files: Sequence[Path],
    rejected_rows: list[RejectedRow],
    store: Store,
    owner: str,
    parts: Sequence[str] = (),
) -> Dataset:
    """Build the dataset folder in a temporary place and move it to its final place atomically.

    An existing identical dataset is used as it is. Each payload is in one of the folders ``files``. Details that belong
    to the owner go into the owner's row of the database. ``parts`` are the fingerprints of the datasets it was joined
    from.
    """
    details = OwnerDetails(
        origin=info.origin,
        findings=info.findings,
        rejected_rows=rejected_rows,
        split_said=info.split_said,
        parts=[*parts],
    )
    final, build = store.datasets.folder(info.fingerprint), None
    try:
        while True:
            if build is None and not _placed(final):
                build = _build(info, rows, files, store)
            with placing(store):
                if not _placed(final):
                    if build is None:  # deleted a moment ago
                        continue
                    final.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(build, final)
                store.datasets.add(info, owner, details.model_dump(mode="json"))
                return Dataset(final, store.datasets.get(info.fingerprint, owner))
    finally:
        if build is not None:
            shutil.rmtree(build, ignore_errors=True)


def placing(store: Store) -> FileLock:
    """Lock for storing or deleting a dataset, so that no database row is left without its folder."""
    return FileLock(store.home / ".datasets.lock")


def _placed(folder: Path) -> bool:
    return (folder / "dataset.json").exists()


def _build(info: DatasetInfo, rows: pd.DataFrame, files: Sequence[Path], store: Store) -> Path:
    """Build the folder of a dataset in ``tmp``. Removes it on failure."""
    build = store.home / "tmp" / f"dataset-{info.fingerprint}-{secrets.token_hex(4)}"
    build.mkdir(parents=True)
    try:
        for file in rows["file"].unique() if "file" in rows else ():
            held = next((folder for folder in files if (folder / file).exists()), files[0])
            _link(held / file, build / "files" / file)
        rows.to_parquet(build / "rows.parquet", index=False)
        shared = SharedInfo.model_validate(info.model_dump())
        atomic_files.write(build / "dataset.json", shared.model_dump_json(indent=1))
    except BaseException:
        shutil.rmtree(build, ignore_errors=True)
        raise
    return build


def _link(source: Path, target: Path) -> None:
    """Hard-link the file where the file system allows it, else copy it. Neither file is written to again."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
