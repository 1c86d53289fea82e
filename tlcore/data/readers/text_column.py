"""Reader of a table with one column of texts, for language modelling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads.file_tree import Tree
from tlcore.data.readers.columns import chosen, mapping_finding, short
from tlcore.data.readers.contract import split_name, tidy_label
from tlcore.data.readers.text_blocks import blocks
from tlcore.data.readers.text_table import MAX_CELL, NAMES, READ, every_row, of_kind, tidy_text, unclosed
from tlcore.data.tables.rows import Table
from tlcore.modalities.contract import RawText

COLUMNS = {role: names for role, names in NAMES.items() if role != "label"}
TITLES = {"text": sentence("text")}


class TextColumn:
    id = "text-column"
    title = sentence("A table with a column of texts")
    what = sentence(
        "A CSV, TSV, Excel, JSON lines or Parquet table with a column of texts, alone or as files named train, "
        "validation and test; or a dataset of the hub with such a column. A long text is read in blocks of paragraphs."
    )
    suffixes = READ
    example = "text"

    def matches(self, tree: Tree, columns: Mapping[str, str]) -> bool:
        return tree.hub is not None or bool(of_kind(tree, READ))

    def read(
        self, tree: Tree, columns: Mapping[str, str], group: str | None
    ) -> Iterator[RawText | RejectedRow | Finding]:
        return every_row(tree, READ, columns, group, _rows, least=1)


def _rows(
    table: Table, split: str | None, columns: Mapping[str, str], group: str | None
) -> Iterator[RawText | RejectedRow | Finding]:
    given = columns if len(table.columns) > 1 else {"text": table.columns[0]}
    mapped = chosen(table, given, group, COLUMNS, TITLES)
    yield mapping_finding(table.name, mapped)
    for number, cells, problem in table.rows():
        rows = unclosed(problem, cells) or rows_of(table.name, cells, number, mapped, split)
        if isinstance(rows, Sentence):
            yield RejectedRow(file=table.name, row=number, reason=rows)
        else:
            yield from rows


def rows_of(
    table: str, cells: dict[str, Any], number: int, mapped: Mapping[str, str], split: str | None
) -> list[RawText] | Sentence:
    """The blocks of one row of the table, or the reason it is unusable."""
    given = cells.get(mapped["text"])
    if isinstance(given, dict | list | tuple | bytes):
        return sentence("Its text is not text but a list or a record.")
    text = tidy_text(given)
    if not text:
        return sentence("It has no text.")
    if len(text) > MAX_CELL:
        return sentence(
            "Its text is longer than {limit} characters. Where that is not so, a quotation mark in it may never be "
            "closed.",
            limit=MAX_CELL,
        )
    found = whose(cells, mapped, split)
    if isinstance(found, Sentence):
        return found
    document = f"{table}:{number}"
    return [
        RawText(
            document if place == 1 else f"{document}#{place}",
            block,
            "",
            *found,
            number,
            {"document": document, "ends": "yes" if ends else ""},
        )
        for place, (_, block, ends) in enumerate(blocks(enumerate(text.split("\n"))), start=1)
    ]


def whose(
    cells: Mapping[str, Any], mapped: Mapping[str, str], split: str | None
) -> tuple[str | None, str | None] | Sentence:
    """Split and group of a row, or the reason its split is invalid."""
    if split is None and "split" in mapped:
        split_cell = tidy_label(cells.get(mapped["split"]))
        split = split_name(split_cell)
        if split is None:
            return sentence(
                "Its split is {split}; it must be train, validation or test.", split=short(split_cell) or "–"
            )
    return split, (tidy_label(cells.get(mapped["group"])) or None if "group" in mapped else None)


READER = TextColumn()
