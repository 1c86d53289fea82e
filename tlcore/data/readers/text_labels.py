"""Reader of a table of multi-label texts: labels in one cell with a separator, or as a list."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads.file_tree import Tree
from tlcore.data.readers import text_table
from tlcore.data.readers.columns import chosen, mapping_finding, short
from tlcore.data.readers.contract import label_problem, tidy_label
from tlcore.data.tables.rows import Table
from tlcore.modalities.contract import RawText

BETWEEN = "; "  # separator of labels in the dataset and in predictions
LOOKED_AT = 5_000  # rows used to detect the separator
MOST = 100  # labels per text
LONGEST_LIST = 10_000  # characters
NAMES = {
    **text_table.NAMES,
    "label": (
        "labels",
        "label",
        "tags",
        "rótulos",
        "rotulos",
        "etiquetas",
        "categories",
        "categorias",
        "topics",
        "tópicos",
        "topicos",
        "genres",
        "gêneros",
        "generos",
        "emotions",
        "emoções",
        "classes",
        *text_table.NAMES["label"],
    ),
}


class TextLabels:
    id = "text-labels"
    title = sentence("A table of texts, each with its labels")
    what = sentence(
        "A CSV, TSV, Excel, JSON lines or Parquet table with a column of texts and a column of labels: several in one "
        "cell with semicolons or bars between them, or a list; an empty cell says that none of the labels fits."
    )
    suffixes = text_table.READ
    example = "text,labels"

    def matches(self, tree: Tree, columns: Mapping[str, str]) -> bool:
        return tree.hub is not None or bool(text_table.of_kind(tree, self.suffixes))

    def read(
        self, tree: Tree, columns: Mapping[str, str], group: str | None
    ) -> Iterator[RawText | RejectedRow | Finding]:
        return text_table.every_row(tree, self.suffixes, columns, group, _rows)


def _rows(
    table: Table, split: str | None, columns: Mapping[str, str], group: str | None
) -> Iterator[RawText | RejectedRow | Finding]:
    name = table.name
    mapped = chosen(table, columns, group, NAMES, text_table.TITLES)
    yield mapping_finding(name, mapped)
    separator = _separator(table, mapped["label"])
    if separator:
        message = sentence("Labels of a text are read as separated by {separator}.", separator=separator)
        yield Finding(level="note", code="separator", examples=[name], sentence=message)
    for number, cells, problem in table.rows():
        row = text_table.unclosed(problem, cells) or _row(name, cells, number, mapped, split, separator)
        yield RejectedRow(file=name, row=number, reason=row) if isinstance(row, Sentence) else row


def _row(
    table: str, cells: dict[str, Any], number: int, mapped: dict[str, str], split: str | None, separator: str | None
) -> RawText | Sentence:
    labels = labels_of(cells.get(mapped["label"]), separator)
    if isinstance(labels, Sentence):
        return labels
    row = text_table.row_of(table, {**cells, mapped["label"]: "-"}, number, mapped, split)
    if isinstance(row, Sentence):
        return row
    joined = BETWEEN.join(labels)
    return replace(row, label="", more={"labels": joined}, truth=joined or "-")


def labels_of(value: Any, separator: str | None) -> list[str] | Sentence:
    """The labels of a cell, unique and sorted, or the reason they are unusable."""
    found = _listed(value)
    if found is None:
        text = tidy_label(value)
        found = text.split(separator) if separator else [text]
    if len(found) > MOST:
        return sentence("It has {n} labels; at most {most} are read.", n=len(found), most=MOST)
    labels = set()
    for one in found:
        if isinstance(one, dict | list | tuple | bytes):
            return sentence("Its list of labels holds something that is no label.")
        label = tidy_label(one)
        if BETWEEN.strip() in label:
            return sentence(
                "Its label {label} holds a semicolon, which stands between labels here.", label=short(label)
            )
        if label and (problem := label_problem(label)):
            return problem
        labels.add(label)
    return sorted(labels - {""})


def _listed(value: Any) -> list[Any] | None:
    """The cell as a list: a list, or one written as JSON or Python; None for anything else."""
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, dict | bytes):
        return [value]
    return as_list(str(value).strip(), LONGEST_LIST)


def as_list(text: str, longest: int) -> list[Any] | None:
    """A list written as JSON or Python; None for anything else, and for text over ``longest`` characters."""
    if not text.startswith("[") or not text.endswith("]") or len(text) > longest:
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list):
            return found
    return None


def _separator(table: Table, column: str) -> str | None:
    """The separator of labels in a column: ``;`` or ``|`` (the one in more cells), else ``,``, else None.

    The comma counts only where the parts repeat across cells, as labels do and sentences do not.
    """
    cells = [
        tidy_label(row.get(column))
        for _, row, problem in islice(table.rows(), LOOKED_AT)
        if problem is None and _listed(row.get(column)) is None
    ]
    count = {mark: sum(mark in cell for cell in cells) for mark in ";|,"}
    if count[";"] or count["|"]:
        return ";" if count[";"] >= count["|"] else "|"
    parts = [part.strip() for cell in cells if cell for part in cell.split(",")]
    return "," if count[","] and 2 * len(set(parts)) <= len(parts) else None


READER = TextLabels()
