"""Read tables row by row: CSV or TSV in common encodings and separators, JSON lines, Excel, and Parquet."""

from __future__ import annotations

import csv
import io
import json
import mmap
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, TextIO

from tlcore.core import machine
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads import memory
from tlcore.core.uploads.file_tree import Entry, suffix
from tlcore.data.tables import file_signatures, json_lines
from tlcore.data.tables import workbooks as sheets
from tlcore.data.tables.ragged_rows import ragged
from tlcore.data.tables.text_files import opener

MAX_TABLE = 2_000_000_000
MAX_TEXT = 300_000_000
SEPARATORS = (",", ";", "\t", "|")
JSON_LINES = (".jsonl", ".ndjson", ".json")
MOST_COLUMNS = 10_000
SEPARATOR_LINE = re.compile(r"\ufeff?sep=([,;\t|])(?:\r\n|\r|\n)", re.IGNORECASE)  # as Excel writes it
SAMPLE = 65_536  # characters used to detect separator and quoting
# The default limit of csv is 128 KB; one longer cell would fail the table.
csv.field_size_limit(64_000_000)


Rows = Iterator[tuple[int, dict[str, Any], Sentence | None]]


@dataclass
class Table:
    """A table's name and columns. ``rows()`` yields (row number as in a spreadsheet, cells, problem or None)."""

    name: str
    columns: list[str]
    read: Callable[[], Rows]
    classes: dict[str, list[str]] = field(default_factory=dict)  # class names of a column of class codes, as on the hub
    sheets: list[str] = field(default_factory=list)  # of a workbook: the one read, then the others

    def rows(self) -> Rows:
        with memory.named(self.name):
            for number, cells, problem in self.read():
                for column, names in self.classes.items():
                    code = cells.get(column)
                    cells[column] = [_named(c, names) for c in code] if isinstance(code, list) else _named(code, names)
                yield number, cells, problem


def _named(code: Any, names: Sequence[str]) -> Any:
    """The class name of a class code. None for a negative code: the hub writes -1 where no class is given."""
    if not isinstance(code, int):
        return code
    return names[code] if 0 <= code < len(names) else None if code < 0 else code


def open_table(entry: Entry, name: str, sheet: str | None = None, *, least: int = 2) -> Table:
    """Open a table and read its header. ``sheet`` names the sheet of a workbook (default: the first).

    Raises UnusableInput with code ``table`` where it is not a table or has fewer than ``least`` columns, and with code
    ``out-of-memory`` where memory does not suffice. Its ``rows`` raise the same errors.
    """
    with memory.named(name):
        return _opened_table(entry, name, sheet, least)


def _opened_table(entry: Entry, name: str, sheet: str | None, least: int) -> Table:
    if suffix(name) == ".parquet":
        return _open_parquet(entry, name)
    if suffix(name) in sheets.SUFFIXES:
        book = sheets.Sheet(entry, name, sheet)
        named = header(name, book.header, least)
        return Table(name, named, lambda: book.rows(named), sheets=book.sheets)
    open_text = opener(entry, MAX_TEXT)
    with open_text() as file:
        text = file.read(SAMPLE)
        whole = len(text) < SAMPLE
    if not text.strip():
        raise UnusableInput(sentence("The table {file} is empty.", file=name), code="table", file=name)
    if suffix(name) in JSON_LINES:
        return Table(name, json_lines.columns(open_text, name), lambda: json_lines.records(open_text, name))
    file_signatures.refuse(
        entry, name, sentence("A table is text with commas, semicolons or tabs, JSON lines, or Excel.")
    )
    dialect = _dialect(text if whole else text.rpartition("\n")[0] or text, suffix(name) == ".tsv")
    if separator_line := SEPARATOR_LINE.match(text):
        dialect, open_text = {"delimiter": separator_line[1]}, partial(_after_first_line, open_text)
    try:
        with open_text() as file:
            columns = header(name, next(csv.reader(file, **dialect), []), least)
    except csv.Error:
        raise _damaged(name) from None
    return Table(name, columns, lambda: _text_rows(open_text, dialect, name, columns))


def _after_first_line(open_text: Callable[[], TextIO]) -> TextIO:
    """The text from its second line on. Spreadsheets hide the first line that names the separator."""
    file = open_text()
    file.readline()
    return file


def header(name: str, cells: Sequence[str], least: int = 2) -> list[str]:
    """The column names of a header row. Raises UnusableInput where names repeat, or columns are too few or too many."""
    columns = [cell.strip() for cell in cells]
    while columns and not columns[-1]:
        columns.pop()
    if len(set(columns)) != len(columns):
        twice = next(c for c in columns if columns.count(c) > 1)
        raise UnusableInput(
            sentence("The table {file} has two columns named {column}.", file=name, column=twice[:120] or "–"),
            code="table",
            file=name,
            row=1,
        )
    if len(columns) > MOST_COLUMNS:
        raise UnusableInput(
            sentence(
                "The table {file} has {n} columns; at most {limit} are read.",
                file=name,
                n=len(columns),
                limit=MOST_COLUMNS,
            ),
            code="table",
            file=name,
            row=1,
        )
    if len(columns) < least:
        raise UnusableInput(
            sentence(
                "The table {file} needs a header row with at least two columns, such as one for the example and one "
                "for its label.",
                file=name,
            ),
            code="table",
            file=name,
            row=1,
        )
    return columns


def _text_rows(open_text: Callable[[], TextIO], dialect: dict[str, Any], name: str, columns: list[str]) -> Rows:
    with open_text() as file:
        reader = csv.reader(file, **dialect)
        next(reader)
        number = 1
        try:
            for cells in reader:
                number += 1
                if not any(cell.strip() for cell in cells):
                    continue
                yield number, dict(zip(columns, cells, strict=False)), ragged(cells, len(columns))
        except csv.Error:
            raise UnusableInput(
                sentence("The table {file} cannot be read from row {row} on.", file=name, row=number + 1),
                code="table",
                file=name,
                row=number + 1,
            ) from None


def _open_parquet(entry: Entry, name: str) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        source = pa.BufferReader(_mapped(entry.open) if entry.open else entry.read(MAX_TABLE))
        file = pq.ParquetFile(source)
        columns = list(file.schema_arrow.names)
        return Table(name, columns, lambda: _parquet_rows(file, name), _classes(file.schema_arrow.metadata))
    except UnusableInput:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        if machine.out_of_memory(error):
            raise memory.not_enough(name) from None
        raise _damaged(name) from None


def _mapped(opened: Callable[[], BinaryIO]) -> Any:
    """A memory-mapped file as a buffer, so that only the parts read of a large file are in memory."""
    import pyarrow as pa

    with opened() as file:
        return pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _parquet_rows(file: Any, name: str) -> Rows:
    number = 1
    try:
        for batch in file.iter_batches(batch_size=64):
            for cells in batch.to_pylist():
                number += 1
                yield number, cells, None
    except (OSError, ValueError, NotImplementedError) as error:
        if machine.out_of_memory(error):
            raise memory.not_enough(name) from None
        raise _damaged(name) from None


def _classes(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """Class names that ``datasets`` writes into a Parquet schema, by column; also for lists of labels."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        single = {c: f.get("feature", f) for c, f in features.items() if isinstance(f, dict)}
        found = {c: f.get("names") for c, f in single.items() if isinstance(f, dict) and f.get("_type") == "ClassLabel"}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}
    return {c: [str(n) for n in names] for c, names in found.items() if isinstance(names, list)}


def _damaged(name: str) -> UnusableInput:
    return UnusableInput(
        sentence("The table {file} is damaged and cannot be read.", file=name), code="table", file=name
    )


def _dialect(sample: str, tabs: bool) -> dict[str, Any]:
    """Separator and quoting of a table, as options of ``csv.reader``.

    In tab-separated files quotation marks may be plain text. Quoting is off where that gives no more ragged rows and
    most cells that begin with a quotation mark do not end with one.
    """
    separator = "\t" if tabs else _separator(sample)
    options: dict[str, Any] = {"delimiter": separator}
    plain = {**options, "quoting": csv.QUOTE_NONE}
    if separator == "\t" and '"' in sample and _even(sample, plain)[0] >= _even(sample, options)[0]:
        cells = [cell for line in sample.splitlines() for cell in line.split("\t") if cell.startswith('"')]
        if sum(len(cell) > 1 and cell.endswith('"') for cell in cells) * 2 < len(cells):
            return plain
    return options


def _separator(sample: str) -> str:
    """The separator that gives the first rows the most columns with the fewest ragged rows."""

    def score(separator: str) -> tuple[bool, bool, int]:
        even, width = _even(sample, {"delimiter": separator})
        return even > 0, even > 0.5, width

    return max(SEPARATORS, key=score)


def _even(sample: str, dialect: dict[str, Any]) -> tuple[float, int]:
    """Share of the first rows (up to 50) that are as wide as the header, and its width; share 0 for one column."""
    reader = csv.reader(io.StringIO(sample, newline=""), **dialect)
    try:
        rows = [row for _, row in zip(range(50), reader, strict=False) if row]
    except csv.Error:
        return 0.0, 0
    width = len(rows[0]) if rows else 0
    return (sum(len(row) == width for row in rows) / len(rows) if width > 1 else 0.0), width
