"""Reader of a table of texts and labels: CSV, TSV, Excel, JSON lines, Parquet or hub; one file or one per split."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import NOT_A_TABLE, Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads.file_tree import Tree, suffix
from tlcore.data import hub_datasets
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
from tlcore.modalities.contract import RawText

MAX_CELL = 100_000  # characters
MOST_LINES = 20  # lines in a cell of a ragged row
LOOKED_AT = 200  # rows used to identify two columns with unknown names
FEW = 0.5  # most unique values, as a share of rows, in a label column
# Common names of each column, best first; compared without case, blanks and underscores.
NAMES = {
    "text": (
        "text",
        "texto",
        "sentence",
        "frase",
        "content",
        "conteúdo",
        "conteudo",
        "review",
        "avaliação",
        "avaliacao",
        "comment",
        "comentário",
        "comentario",
        "message",
        "mensagem",
        "tweet",
        "tweettext",
        "utterance",
        "document",
        "documento",
        "body",
        "description",
        "descrição",
        "descricao",
        "question",
        "pergunta",
        "title",
        "título",
    ),
    "label": (
        "label",
        "labels",
        "rótulo",
        "rotulo",
        "class",
        "classe",
        "category",
        "categoria",
        "sentiment",
        "sentimento",
        "polarity",
        "polaridade",
        "target",
        "intent",
        "topic",
        "tópico",
        "classname",
        "labelname",
        "labeltext",
        "y",
    ),
    "split": ("split", "set", "subset", "partition", "fold"),
    "group": ("group", "groupid", "author", "authorid", "user", "userid", "customer", "customerid", "thread"),
}
TITLES = {"text": sentence("text"), "label": sentence("label")}
READ = (".csv", ".tsv", ".xlsx", ".xlsm", ".parquet", ".jsonl", ".ndjson", ".json")

Item = RawText | RejectedRow | Finding


class TextTable:
    id = "text-table"
    title = sentence("A table of texts and labels")
    what = sentence(
        "A CSV, TSV, Excel, JSON lines or Parquet table with a column of texts and a column of labels, alone or as "
        "files named train, validation and test; or a dataset of the hub with such columns."
    )
    suffixes = READ
    example = "text,label"

    def matches(self, tree: Tree, columns: Mapping[str, str]) -> bool:
        return tree.hub is not None or bool(of_kind(tree, READ))

    def read(
        self, tree: Tree, columns: Mapping[str, str], group: str | None
    ) -> Iterator[RawText | RejectedRow | Finding]:
        return every_row(tree, READ, columns, group, _rows)


def _rows(
    table: Table, split: str | None, columns: Mapping[str, str], group: str | None
) -> Iterator[RawText | RejectedRow | Finding]:
    mapped = chosen(table, {**_by_look(table), **columns}, group, NAMES, TITLES)
    also = auxiliary_columns(table, columns)
    yield mapping_finding(table.name, mapped)
    for number, cells, problem in table.rows():
        row = unclosed(problem, cells) or row_of(table.name, cells, number, mapped, split)
        if isinstance(row, Sentence):
            yield RejectedRow(file=table.name, row=number, reason=row)
        else:
            yield replace(row, more=auxiliary_labels(cells, also)) if also else row


def every_row(
    tree: Tree,
    suffixes: Sequence[str],
    columns: Mapping[str, str],
    group: str | None,
    rows: Callable[..., Iterator[Item]],
    least: int = 2,
) -> Iterator[Item]:
    """Yield ``rows(table, split, columns, group)`` of each table of an upload, and what else `tables_of` yields."""
    for item in tables_of(tree, suffixes, columns, least):
        if isinstance(item, RejectedRow | Finding):
            yield item
        else:
            yield from rows(*item, columns, group)


def each_by(
    names: Mapping[str, Any], needed: Mapping[str, Any], row_of: Callable[..., RawText | Sentence]
) -> Callable[..., Iterator[RawText | RejectedRow | Finding]]:
    """A function ``rows`` for `every_row` where each table row is one example.

    A row is rejected where ``row_of(name, cells, number, mapped, split)`` returns a reason.
    """

    def rows(
        table: Table, split: str | None, columns: Mapping[str, str], group: str | None
    ) -> Iterator[RawText | RejectedRow | Finding]:
        mapped = chosen(table, columns, group, names, needed)
        yield mapping_finding(table.name, mapped)
        for number, cells, problem in table.rows():
            row = unclosed(problem, cells) or row_of(table.name, cells, number, mapped, split)
            yield RejectedRow(file=table.name, row=number, reason=row) if isinstance(row, Sentence) else row

    return rows


def tables_of(
    tree: Tree, suffixes: Sequence[str], columns: Mapping[str, str], least: int = 2
) -> Iterator[tuple[Table, str | None] | RejectedRow | Finding]:
    """Yield (table, its split or None) per table of an upload or hub dataset; also rejected files and findings.

    ``columns`` may name the ``sheet`` of a workbook; a table needs ``least`` columns. Raises UnusableInput where it is
    unclear which table to read.
    """
    if tree.hub is not None:
        yield from hub_datasets.tables(tree)
        return
    splits = by_split(tree, suffixes)
    for name, split in splits.items():
        table = open_table(tree.entries[name], name, columns.get(SHEET), least=least)
        yield from other_sheets(table)
        yield table, split
    yield from strays(tree, splits)


def other_sheets(table: Table) -> Iterator[Finding]:
    """A note on which sheet of a workbook was read, where it has several."""
    if len(table.sheets) > 1:
        yield Finding(
            level="note",
            code="sheets",
            sentence=sentence(
                "The workbook {file} has several sheets, and {sheet} was read. The others are: {others}.",
                file=table.name,
                sheet=table.sheets[0],
                others=table.sheets[1:10],
            ),
        )


def of_kind(tree: Tree, suffixes: Sequence[str]) -> list[str]:
    """The names of an upload's files with these suffixes: only the one the user named, if any."""
    return [name for name in ([tree.table] if tree.table else sorted(tree.entries)) if suffix(name) in suffixes]


def by_split(tree: Tree, suffixes: Sequence[str]) -> dict[str, str | None]:
    """The files to read, each with the split in its name: one file (None), or files named train, test and so on.

    Raises UnusableInput where there are several and none is named train.
    """
    names = of_kind(tree, suffixes)
    if len(names) < 2:
        return dict.fromkeys(names)
    stems = {name: split for name in names if (split := split_of_file(name))}
    if "train" not in stems.values():
        raise UnusableInput(
            sentence(
                "{file} holds several tables, and none is named train: {tables}. Upload one, or name them train, "
                "validation and test.",
                file=tree.origin,
                tables=names[:10],
            ),
            code="several-tables",
            file=tree.origin,
        )
    return stems


def strays(tree: Tree, read: Collection[str]) -> Iterator[RejectedRow]:
    """The files that were not read, each with the reason."""
    for name in tree.entries:
        if name not in read:
            yield RejectedRow(file=name, reason=_stray(name))


def unclosed(problem: Sentence | None, cells: Mapping[str, Any]) -> Sentence | None:
    """The problem of a row; where a cell has many lines, the unclosed quotation mark that causes it."""
    if problem and any(str(cell).count("\n") > MOST_LINES for cell in cells.values()):
        return sentence("A quotation mark in it seems never to be closed, so that it takes in the rows that follow.")
    return problem


def row_of(
    table: str, cells: dict[str, Any], number: int, mapped: dict[str, str], split: str | None
) -> RawText | Sentence:
    """One row of the table as an example, or the reason it is unusable."""
    given, label = cells.get(mapped["text"]), cells.get(mapped["label"])
    if isinstance(given, dict | list | tuple | bytes):
        return sentence("Its text is not text but a list or a record.")
    if isinstance(label, dict | list | tuple | bytes):
        return sentence("It has a list or a record for a label; one label a text is needed.")
    text = tidy_text(given)
    if not text:
        return sentence("It has no text.")
    if len(text) > MAX_CELL:
        return sentence(
            "Its text is longer than {limit} characters. Where that is not so, a quotation mark in it may never be "
            "closed.",
            limit=MAX_CELL,
        )
    name = tidy_label(label)
    if problem := label_problem(name):
        return problem
    split = split or own_split(cells, mapped)
    if isinstance(split, Sentence):
        return split
    group = tidy_label(cells.get(mapped["group"])) or None if "group" in mapped else None
    return RawText(f"{table}:{number}", text, name, split, group, number)


def own_split(cells: Mapping[str, Any], mapped: Mapping[str, str]) -> str | Sentence | None:
    """The split in a row's split column; None without such a column, a Sentence where the name is invalid."""
    if "split" not in mapped:
        return None
    split_cell = tidy_label(cells.get(mapped["split"]))
    return split_name(split_cell) or sentence(
        "Its split is {split}; it must be train, validation or test.", split=short(split_cell) or "–"
    )


def tidy_text(value: object) -> str:
    """A cell as text without outer whitespace; '' where there is none. Characters invalid in UTF-8 become “?”."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(value).replace("\x00", "").strip()
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _by_look(table: Table) -> dict[str, str]:
    """Text and label of a two-column table with unknown names: the label column is the one whose values repeat."""
    if len(table.columns) != 2:
        return {}
    try:
        chosen(table, {}, None, NAMES, TITLES)
        return {}
    except UnusableInput:
        pass
    rows = [cells for _, cells, problem in islice(table.rows(), LOOKED_AT) if problem is None]
    values = [[tidy_text(cells.get(column)) for cells in rows] for column in table.columns]
    if len(rows) < 4:
        return {}
    different = [len(set(column)) / len(column) for column in values]
    length = [sum(map(len, column)) for column in values]
    label = 0 if different[0] < different[1] else 1
    if different[label] > FEW or length[label] >= length[1 - label]:
        return {}
    return {"text": table.columns[1 - label], "label": table.columns[label]}


def _stray(name: str) -> Sentence:
    if suffix(name) in (".xls", ".xlsb", ".ods"):
        return sentence("Spreadsheets of this kind are not read; save the sheet as .xlsx or CSV.")
    if suffix(name) in (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz"):
        return sentence("Archives inside of the upload are not opened.")
    if suffix(name) in READ:
        return sentence("It is a table, but not named train, validation or test.")
    return NOT_A_TABLE


READER = TextTable()
