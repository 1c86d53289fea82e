"""Reader of a CSV, TSV, Excel or Parquet table of labels and image files, or with the images inside the table."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads.archives import clean, outside
from tlcore.core.uploads.file_tree import Tree, is_picture_name
from tlcore.data.readers.columns import (
    SHEET,
    auxiliary_columns,
    auxiliary_labels,
    chosen,
    mapping_finding,
    short,
    split_of_file,
)
from tlcore.data.readers.contract import label_problem, split_name, tidy_label
from tlcore.data.tables.rows import Table, open_table
from tlcore.modalities.contract import RawRow

# Common names of each column, best first; compared without case, blanks and underscores.
NAMES = {
    "image": (
        "image",
        "file",
        "filename",
        "filepath",
        "path",
        "imagepath",
        "imagefile",
        "imagename",
        "picture",
        "img",
        "photo",
        "imageid",
        "fname",
    ),
    "label": (
        "label",
        "labels",
        "class",
        "category",
        "target",
        "classname",
        "labelname",
        "species",
        "diagnosis",
        "y",
    ),
    "split": ("split", "set", "subset", "partition", "fold"),
    "group": ("group", "groupid", "patient", "patientid", "product", "productid", "subject", "subjectid"),
}


class ImageTable:
    id = "image-table"
    title = sentence("A table of files and labels")
    what = sentence(
        "A CSV or Parquet table with a column of picture files and a column of labels, beside the pictures."
    )
    suffixes: tuple[str, ...] = ()
    example = ""

    def matches(self, tree: Tree, columns: Mapping[str, str]) -> bool:
        if tree.table or (columns and tree.tables):
            return True
        return any(_fits(tree, name) for name in tree.tables)

    def read(
        self, tree: Tree, columns: Mapping[str, str], group: str | None
    ) -> Iterator[RawRow | RejectedRow | Finding]:
        names = [n for n in tree.tables if tree.table or columns or _fits(tree, n)]
        stems = {name: split_of_file(name) for name in names}
        if len(names) > 1 and not all(stems.values()):
            names = names[:1]
        by_split = len(names) > 1
        pictures = _Pictures(tree)
        for name in names:
            table = open_table(tree.entries[name], name, columns.get(SHEET))
            mapped = _map(table, columns, group)
            also = auxiliary_columns(table, columns)
            yield mapping_finding(name, mapped)
            for number, cells, problem in table.rows():
                row = problem or _row(name, cells, number, mapped, pictures, stems[name] if by_split else None)
                if isinstance(row, Sentence):
                    file = short(str(cells.get(mapped["image"], "")))
                    yield RejectedRow(file=file or name, row=number, reason=row)
                else:
                    yield replace(row, more=auxiliary_labels(cells, also)) if also else row
        for name in tree.entries:
            if name not in names and name not in pictures.asked and tree.table is None:
                yield RejectedRow(file=name, reason=sentence("No row of the table names it."))


class _Pictures:
    """Finds the file of a cell: relative to the table, from the root, or by its file name where that is unique."""

    def __init__(self, tree: Tree):
        self.tree, self.asked = tree, set[str]()
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for name in tree.entries:
            if is_picture_name(name):
                base = name.rsplit("/", 1)[-1].lower()
                self._by_name[base].append(name)
                self._by_name[os.path.splitext(base)[0]].append(name)

    def name_of(self, path: object, table: str, number: int) -> str:
        """A unique name for an image inside the table."""
        name = clean(str(path or ""))
        if not name or outside(name) or name in self.asked:
            name = f"{table}#{number}"
        self.asked.add(name)
        return name

    def find(self, cell: str, table: str) -> str | Sentence:
        """The entry's name, or the reason there is none."""
        if "://" in cell:
            return sentence("It is an address on the web; pictures must be in the upload.")
        if outside(cell):
            return sentence("The path points outside of the upload; give the path inside of it.")
        name, folder = clean(cell), table.rpartition("/")[0]
        for candidate in (f"{folder}/{name}" if folder else name, name):
            if candidate in self.tree.entries:
                self.asked.add(candidate)
                return candidate
        found = set(self._by_name.get(name.rsplit("/", 1)[-1].lower(), ()))
        if len(found) == 1:
            self.asked |= found
            return found.pop()
        if found:
            return sentence("Several files of the upload have this name; give the path.")
        return sentence("The file is not in the upload.")


def _row(
    table: str,
    cells: dict[str, Any],
    number: int,
    mapped: dict[str, str],
    pictures: _Pictures,
    split: str | None,
) -> RawRow | Sentence:
    """One row of the table as an example, or the reason it is unusable."""
    cell, label = cells.get(mapped["image"]), tidy_label(cells.get(mapped["label"]))
    if problem := label_problem(label):
        return problem
    if "split" in mapped:
        given = tidy_label(cells.get(mapped["split"]))
        split = split_name(given)
        if split is None:
            return sentence("Its split is {split}; it must be train, validation or test.", split=short(given) or "–")
    group = tidy_label(cells.get(mapped["group"])) or None if "group" in mapped else None
    if isinstance(cell, dict) and isinstance(cell.get("bytes"), bytes):
        return RawRow(pictures.name_of(cell.get("path"), table, number), cell["bytes"], label, split, group, number)
    if isinstance(cell, bytes):
        return RawRow(pictures.name_of(None, table, number), cell, label, split, group, number)
    text = cell.strip() if isinstance(cell, str) else tidy_label(cell)
    if not text:
        return sentence("It names no picture.")
    name = pictures.find(text, table)
    if isinstance(name, Sentence):
        return name
    return RawRow(name, pictures.tree.entries[name], label, split, group, number)


def _map(table: Table, columns: Mapping[str, str], group: str | None) -> dict[str, str]:
    return chosen(table, columns, group, NAMES, {"image": sentence("picture"), "label": sentence("label")})


def _fits(tree: Tree, name: str) -> bool:
    """Whether a table that the user did not name lists the images beside it."""
    try:
        table = open_table(tree.entries[name], name)
        mapped = _map(table, {}, None)
    except UnusableInput:
        # Without images beside it the table is the upload; reading it reports the error.
        return not any(is_picture_name(n) for n in tree.entries)
    pictures = _Pictures(tree)
    for number, cells, problem in table.rows():
        if problem is None and isinstance(_row(name, cells, number, {**mapped}, pictures, None), RawRow):
            return True
        if number > 200:
            break
    return not any(is_picture_name(n) for n in tree.entries)


READER = ImageTable()
