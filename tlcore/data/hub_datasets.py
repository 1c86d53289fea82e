"""Datasets on the Hugging Face hub, by name: checked with a short timeout, then streamed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.paths import is_there
from tlcore.data.readers.contract import split_name

if TYPE_CHECKING:
    from tlcore.core.uploads.file_tree import Tree
    from tlcore.data.tables.rows import Rows, Table

SECONDS = 3.0
PART = r"[^\W_][\w.-]*"  # starts with a letter or digit, which excludes "." and ".."
NAME = re.compile(rf"(?P<name>{PART}(/{PART})?)(/(?P<config>{PART}))?(@(?P<revision>[\w./-]+))?")


def load(tree: Tree) -> Mapping[str, Any]:
    """The parts of the dataset ``tree.hub``, by name, as streams.

    Read from the local cache where the machine is set offline. Raises UnusableInput where there is no such dataset, or
    the hub cannot be reached.
    """
    match = NAME.fullmatch(tree.hub or "")
    if not match:
        raise refuse(
            sentence("{name} is no name of a dataset; write hf://owner/name.", name=tree.hub), tree, "hub-name"
        )
    if is_there(Path(match["name"])):  # `datasets` would read that path instead
        raise refuse(
            sentence(
                "A file or folder named {name} lies where the studio runs, and would be read instead of the dataset.",
                name=match["name"],
            ),
            tree,
            "hub-name",
        )
    return _load(tree, match["name"], match["config"], match["revision"])


def _load(tree: Tree, name: str, config: str | None, revision: str | None) -> Mapping[str, Any]:
    import datasets
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    offline = constants.HF_HUB_OFFLINE
    if not offline:
        try:
            HfApi().dataset_info(name, revision=revision, timeout=SECONDS)
        except RepositoryNotFoundError:
            raise refuse(
                sentence(
                    "The hub has no dataset {name}, or it needs a token (HF_TOKEN) that may read it.",
                    name=name,
                ),
                tree,
                "hub-missing",
            ) from None
        except HFValidationError:
            raise refuse(
                sentence("{name} is no name of a dataset; write hf://owner/name.", name=name), tree, "hub-name"
            ) from None
        except HfHubHTTPError as error:
            raise refuse(
                sentence(
                    "The hub did not hand out {name}: {problem}",
                    name=name,
                    problem=str(error).splitlines()[0][:200],
                ),
                tree,
                "hub-unreachable",
            ) from None
        except Exception:
            raise refuse(
                sentence("The hub cannot be reached from this machine; give a folder, a zip or a table instead."),
                tree,
                "hub-unreachable",
            ) from None
    try:
        found = datasets.load_dataset(name, config, revision=revision, streaming=not offline)
    except Exception as error:
        raise refuse(
            sentence(
                "The dataset {name} cannot be read: {problem}",
                name=name,
                problem=(str(error).strip().splitlines() or [type(error).__name__])[0][:300],
            ),
            tree,
            "hub-unreadable",
        ) from None
    return dict(found)


def left_out(part: str) -> Finding:
    """A note that a part of the dataset belongs to no split and was left out."""
    return Finding(
        level="note",
        code="hub-split",
        examples=[part],
        sentence=sentence(
            "The part {part} of the dataset is neither train, validation nor test and was left out.", part=part
        ),
    )


def tables(tree: Tree) -> Iterator[tuple[Table, str | None] | Finding]:
    """Yield (table, its split or None) for each part of the dataset. Raises UnusableInput as `load` does."""
    parts = load(tree)
    named = {part: split_name(part) for part in parts}
    by_split = len([split for split in named.values() if split]) > 1
    for part, rows in parts.items():
        if by_split and named[part] is None:
            yield left_out(part)
        else:
            yield _table(tree, part, rows), named[part] if by_split else None


def _table(tree: Tree, part: str, rows: Any) -> Table:
    """One part of a dataset as a table. Image and audio columns are dropped without being decoded."""
    import datasets

    from tlcore.data.tables.rows import Table

    rows, features = resolved(rows)
    heavy = (datasets.Image, datasets.Audio)
    columns = [name for name, feature in features.items() if not isinstance(feature, heavy)]
    coded = {name: getattr(features[name], "feature", features[name]) for name in columns}  # also for lists of labels
    classes = {name: list(one.names) for name, one in coded.items() if isinstance(one, datasets.ClassLabel)}
    kept = rows.select_columns(columns)
    return Table(f"{tree.origin.removeprefix('hf://')}/{part}", columns, lambda: _cells(tree, part, kept), classes)


def resolved(rows: Any) -> tuple[Any, Mapping[str, Any]]:
    """The rows and their features. A stream may know its features only after its first rows are read."""
    if rows.features is None and hasattr(rows, "_resolve_features"):
        rows = rows._resolve_features()
    return rows, rows.features or {}


def _cells(tree: Tree, part: str, rows: Any) -> Rows:
    for number, cells in numbered(tree, part, rows):
        yield number, cells, None


def numbered(tree: Tree, part: str, rows: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (row number from 1, cells) for each row. Raises UnusableInput where the stream breaks off."""
    number, stream = 0, iter(rows)
    while True:
        try:
            cells = next(stream, None)
        except Exception as error:
            raise refuse(
                sentence(
                    "Reading the dataset stopped at row {row} of {part}: {problem}",
                    row=number + 1,
                    part=part,
                    problem=(str(error).strip().splitlines() or [type(error).__name__])[0][:300],
                ),
                tree,
                "hub-unreadable",
            ) from None
        if cells is None:
            return
        number += 1
        yield number, cells


def refuse(message: Sentence, tree: Tree, code: str) -> UnusableInput:
    return UnusableInput(message, code=code, file=tree.origin)
