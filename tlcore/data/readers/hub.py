"""Reader of image datasets on the Hugging Face hub; streamed, so that only images that are kept use disk space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads.archives import LIMITS
from tlcore.core.uploads.file_tree import Tree
from tlcore.data import hub_datasets
from tlcore.data.readers.contract import label_problem, split_name, tidy_label
from tlcore.data.readers.image_table import NAMES
from tlcore.modalities.contract import RawRow


class Hub:
    id = "hub"
    title = sentence("A dataset on the hub")
    what = sentence("hf://owner/name: a dataset of the Hugging Face hub with a column of pictures and one of labels.")
    suffixes: tuple[str, ...] = ()
    example = ""

    def matches(self, tree: Tree, columns: Mapping[str, str]) -> bool:
        return tree.hub is not None

    def read(
        self, tree: Tree, columns: Mapping[str, str], group: str | None
    ) -> Iterator[RawRow | RejectedRow | Finding]:
        sets = hub_datasets.load(tree)
        named = {part: split_name(part) for part in sets}
        by_split = len([s for s in named.values() if s]) > 1
        for part, rows in sets.items():
            if by_split and named[part] is None:
                yield hub_datasets.left_out(part)
                continue
            yield from _rows(tree, part, rows, columns, group, named[part] if by_split else None)


def _rows(
    tree: Tree, part: str, rows: Any, columns: Mapping[str, str], group: str | None, split: str | None
) -> Iterator[RawRow | RejectedRow | Finding]:
    """The rows of one part, with images as bytes and labels as names. Raises UnusableInput."""
    import datasets

    rows, features = hub_datasets.resolved(rows)
    image = _column("image", columns, features, tree, datasets.Image)
    label = _column("label", columns, features, tree, datasets.ClassLabel)
    groups = columns.get("group") or (group if group in features else None)
    names = getattr(features[label], "names", None)
    rows = rows.cast_column(image, datasets.Image(decode=False))
    rows = rows.select_columns([c for c in dict.fromkeys((image, label, groups)) if c])
    for number, cells in hub_datasets.numbered(tree, part, rows):
        if number > LIMITS.entries:
            raise hub_datasets.refuse(
                sentence("The dataset holds more than {limit} pictures.", limit=LIMITS.entries), tree, "too-many-files"
            )
        id, code = f"{part}/{number:06d}", cells[label]
        text = names[code] if names and isinstance(code, int) and 0 <= code < len(names) else code
        shown = "" if names and isinstance(code, int) and code < 0 else tidy_label(text)
        cell = cells[image] or {}
        if problem := label_problem(shown) or _picture_problem(cell):
            yield RejectedRow(file=id, row=number, reason=problem)
            continue
        yield RawRow(id, cell["bytes"], shown, split, tidy_label(cells[groups]) or None if groups else None, number)


def _column(role: str, columns: Mapping[str, str], features: Mapping[str, Any], tree: Tree, kind: type) -> str:
    """The column of a role: as the user specified, else by its type, else by its name. Raises UnusableInput."""
    if role in columns:
        if columns[role] in features:
            return columns[role]
    else:
        by_kind = [name for name, feature in features.items() if isinstance(feature, kind)]
        by_name = [name for name in features if name.lower().replace("_", "") in NAMES[role]]
        for found in ([n for n in by_kind if n in by_name], by_kind, by_name):
            if found:
                return found[0]
    raise hub_datasets.refuse(
        sentence(
            "The dataset has no column for the {role}; its columns are {columns}. Say which one it is.",
            role=sentence("picture") if role == "image" else sentence("label"),
            columns=list(features)[:20],
        ),
        tree,
        "columns",
    )


def _picture_problem(cell: Mapping[str, Any]) -> Sentence | None:
    return None if isinstance(cell.get("bytes"), bytes) else sentence("It names no picture.")


READER = Hub()
