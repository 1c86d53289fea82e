"""Unlabelled texts: one column of a table, or every line of a text file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import NOT_A_TABLE, Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads.file_tree import MAX_FILE, Tree, suffix
from tlcore.data.readers.columns import chosen, mapping_finding
from tlcore.data.readers.text_table import MAX_CELL, NAMES, READ, tidy_text, unclosed
from tlcore.data.tables.rows import open_table
from tlcore.data.tables.text_files import opener
from tlcore.modalities.contract import RawText

PLAIN = (".txt",)
TEXT = {"text": sentence("text")}


class Texts:
    id = "text"
    what = sentence(
        "A table (CSV, TSV, JSON lines or Parquet) with a column of texts, or a text file with one text a line."
    )
    suffixes = (*READ, *PLAIN)

    def read(self, tree: Tree, columns: Mapping[str, str]) -> Iterator[RawText | RejectedRow | Finding]:
        names = [tree.table] if tree.table else sorted(tree.entries)
        if not any(suffix(name) in self.suffixes for name in names):
            raise UnusableInput(
                sentence("{file} holds no table of texts and no text file.", file=tree.origin),
                code="no-texts",
                file=tree.origin,
            )
        for name in names:
            if suffix(name) in READ:
                yield from _of_table(tree, name, columns)
            elif suffix(name) in PLAIN:
                for number, line in enumerate(opener(tree.entries[name], MAX_FILE)(), 1):
                    if line.strip():
                        yield _row(name, number, line)
            else:
                yield RejectedRow(file=name, reason=NOT_A_TABLE)


def _of_table(tree: Tree, name: str, columns: Mapping[str, str]) -> Iterator[RawText | RejectedRow | Finding]:
    table = open_table(tree.entries[name], name, least=1)
    known = {role: column for role, column in columns.items() if role == "text" and column in table.columns}
    if len(table.columns) == 1:
        known = {"text": table.columns[0]}
    mapped = {"text": chosen(table, known, None, {"text": NAMES["text"]}, TEXT)["text"]}
    yield mapping_finding(name, mapped)
    for number, cells, problem in table.rows():
        if found := unclosed(problem, cells):
            yield RejectedRow(file=name, row=number, reason=found)
        else:
            yield _row(name, number, cells.get(mapped["text"]))


def _row(name: str, number: int, given: Any) -> RawText | RejectedRow:
    def aside(reason: Sentence) -> RejectedRow:
        return RejectedRow(file=name, row=number, reason=reason)

    if isinstance(given, dict | list | tuple | bytes):
        return aside(sentence("Its text is not text but a list or a record."))
    text = tidy_text(given)
    if not text:
        return aside(sentence("It has no text."))
    if len(text) > MAX_CELL:
        return aside(
            sentence(
                "Its text is longer than {limit} characters. Where that is not so, a quotation mark in it "
                "may never be closed.",
                limit=MAX_CELL,
            )
        )
    return RawText(f"{name}:{number}", text, "", row=number)


BARE = Texts()
