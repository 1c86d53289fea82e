"""The auxiliary datasets of a Spec, for strategies that use more than labelled examples of the target task."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from tlcore import modalities
from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding
from tlcore.core.i18n import sentence
from tlcore.core.registry import pick
from tlcore.core.spec_parts import Data, is_fingerprint
from tlcore.core.uploads import memory
from tlcore.core.uploads.archives import require_free_space
from tlcore.core.uploads.file_tree import open_tree
from tlcore.data.confirm import place
from tlcore.data.dataset import BARE, SPLITS, Dataset, DatasetInfo, fingerprint
from tlcore.data.from_spec import read
from tlcore.data.unlabelled import KINDS

if TYPE_CHECKING:
    from tlcore.store.store import Store

NAMES = ("unlabelled", "extra")  # fields of `spec_parts.Data`, and names of streams in a plan


def read_all(
    data: Data, names: Iterable[str], *, task: Any, store: Store, owner: str, progress: Any = None
) -> dict[str, Dataset]:
    """The auxiliary datasets among ``names`` that a Spec gives, by name. Raises UnusableInput."""
    given = {name: getattr(data, name) for name in names}
    how = {"task": task, "store": store, "owner": owner, "columns": data.columns, "progress": progress}
    return {name: read_set(name, describe, **how) for name, describe in given.items() if describe is not None}


def read_set(
    name: str,
    given: str,
    *,
    task: Any,
    store: Store,
    owner: str,
    columns: Mapping[str, str] | None = None,
    progress: Any = None,
    resolved: bool = False,
) -> Dataset:
    """One auxiliary dataset: from the workspace by its fingerprint, else read from a path.

    ``resolved`` is as in `open_tree`. Raises UnusableInput.
    """
    if is_fingerprint(given):
        return Dataset.open(store, given, owner)
    if name == "unlabelled":
        return unlabelled(
            given, task=task, store=store, owner=owner, columns=columns, progress=progress, resolved=resolved
        )
    describe = Data(path=given, columns=dict(columns or {}))
    return read(describe, task=task, store=store, owner=owner, progress=progress, resolved=resolved)


def opened(data: Data, store: Store, owner: str) -> dict[str, Dataset]:
    """The auxiliary datasets of a Spec that are already in the workspace. Reads no upload. Raises UnusableInput."""
    given = {name: getattr(data, name) for name in NAMES}
    return {
        name: Dataset.open(store, describe, owner)
        for name, describe in given.items()
        if describe and is_fingerprint(describe)
    }


def unlabelled(
    source: str,
    *,
    task: Any,
    store: Store,
    owner: str,
    columns: Mapping[str, str] | None = None,
    name: str | None = None,
    progress: Any = None,
    resolved: bool = False,
) -> Dataset:
    """An unlabelled dataset of the workspace: all examples are in the training split, without duplicates.

    It serves every task of the same modality. Raises UnusableInput where no example can be used.
    """
    modality = modalities.of(task)
    reader = pick(KINDS, modality.id, what="kind of example without labels")
    folder = store.home / "tmp" / f"read-{secrets.token_hex(6)}"
    (folder / "files").mkdir(parents=True)
    try:
        with open_tree(source, alone=reader.suffixes, resolved=resolved) as tree, memory.named(tree.origin):
            require_free_space(folder, sum(entry.size for entry in tree.entries.values()), tree.origin)
            stream = reader.read(tree, columns or {})
            taken, rejected, findings = modality.ingest(stream, tree, folder / "files", progress)
            origin = tree.origin
        with memory.named(origin):
            rows, rejected, more = modality.check(taken, rejected, None, _Unchecked())
        if rows.empty:
            raise UnusableInput(
                sentence("{file} holds no example that can be used; rejected: {n}.", file=origin, n=len(rejected)),
                code="nothing-usable",
                file=origin,
            )
        rows = rows.assign(split="train").sort_values("id", kind="stable").reset_index(drop=True)
        kind = f"{BARE}{modality.id}"
        info = DatasetInfo(
            fingerprint=fingerprint(kind, rows),
            task=kind,
            name=(name or origin).strip()[:200] or "untitled",
            origin=origin,
            n={**dict.fromkeys(SPLITS, 0), "train": len(rows)},
            findings=[*findings, *more],
            set_aside=len(rejected),
            split_said=sentence("Without labels; all of it is trained on."),
        )
        return place(info, rows, [folder / "files"], rejected, store, owner)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def decontaminate(other: Dataset, own: Dataset, task: Any) -> Dataset:
    """``other`` without the examples that would bias a score.

    Removes training examples of ``other`` that are in the validation or test set of ``own``, and validation and test
    examples of ``other`` that are in the training set of ``own``.
    """
    modality, learned = modalities.of(task), own.rows["split"] == "train"
    evaluated = own.rows["split"].isin(SPLITS[1:])
    train = other.rows[other.rows["split"] == "train"]
    rest = other.rows[other.rows["split"].isin(SPLITS[1:])]
    spoilt = [*train["id"][modality.contaminated(train, own.rows[evaluated])]]
    if len(rest):
        spoilt += [*rest["id"][modality.contaminated(rest, own.rows[learned])]]
    return other.without(spoilt)


def some_left(dataset: Dataset) -> Dataset:
    """The same dataset. Raises UnusableInput where `decontaminate` left fewer than two training examples."""
    if dataset.info.n["train"] < 2:
        raise UnusableInput(
            sentence(
                "Nothing is left of {name} to learn from: its examples are those that the run is evaluated on.",
                name=dataset.info.name,
            ),
            code="no-stream",
        )
    return dataset


def tested_on(dataset: Dataset, test: Dataset, seen: Dataset | None, task: Any, store: Store, owner: str) -> Dataset:
    """``dataset`` with the labelled examples of ``test``, whatever their split, as its test set.

    Leaves out test examples that are in the training or validation set or in the training split of ``seen`` (unlabelled
    data used in training), and those whose label is not in ``dataset``. Raises UnusableInput where none is left.
    """
    own = dataset.rows[dataset.rows["split"] != "test"]
    rows = test.rows.assign(split="test")
    known = rows["label"].isin(set(own["label"]))
    among = modalities.of(task).contaminated
    new = ~among(rows, own) & (~among(rows, seen.split("train")) if seen else True)
    kept = rows[known & new]
    if kept.empty:
        raise UnusableInput(
            sentence(
                "No example of {name} can be used for testing: {seen} of {n} were learned from as well, and {unknown} "
                "have labels that are not among those of the training data.",
                name=test.info.name,
                seen=int((~new).sum()),
                n=len(rows),
                unknown=int((~known).sum()),
            ),
            code="test-set",
        )
    clash = set(own["id"]) & set(kept["id"])
    kept = kept.assign(id=[f"{test.info.name}/{one}" if one in clash else one for one in kept["id"]])
    both = pd.concat([own, kept], ignore_index=True)
    n = {split: int((both["split"] == split).sum()) for split in SPLITS}
    info = dataset.info.model_copy(
        update={
            "fingerprint": fingerprint(dataset.info.task, both),
            "n": n,
            "name": f"{dataset.info.name} → {test.info.name}"[:200],
            "split_said": sentence(
                "Trained and validated on {source}; tested on {target}, another domain.",
                source=dataset.info.name,
                target=test.info.name,
            ),
        }
    )
    files, parts = [dataset.folder / "files", test.folder / "files"], [dataset.fingerprint, test.fingerprint]
    return place(info, both, files, [], store, owner, parts)


def describe(sets: Mapping[str, Dataset]) -> dict[str, dict[str, Any]]:
    """Fingerprint, name and size of each auxiliary dataset, for a Plan and a report."""
    return {
        name: {"fingerprint": one.fingerprint, "name": one.info.name, "n": sum(one.info.n.values())}
        for name, one in sets.items()
    }


def named(plan: Mapping[str, Any], store: Store, owner: str | None = None) -> dict[str, Dataset]:
    """The auxiliary datasets that a Plan names, by name. Raises UnusableInput."""
    return {name: Dataset.open(store, one["fingerprint"], owner) for name, one in plan.get("sets", {}).items()}


class _Unchecked:
    """A task without checks of rows: there are no labels to check."""

    def check(self, rows: pd.DataFrame) -> list[Finding]:
        return []
