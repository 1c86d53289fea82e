"""Tables from anywhere: CSV or TSV in any usual encoding and separator, and Parquet; read row by row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tlcore.data.trees import Entry, suffix
from tlcore.errors import UnusableInput
from tlcore.words import Sentence, say

MAX_TABLE = 2_000_000_000
MAX_TEXT = 300_000_000
SEPARATORS = (",", ";", "\t", "|")


@dataclass
class Table:
    """A table's name and columns; ``rows()`` yields (row number as a spreadsheet counts, cells, problem or
    None).
    """

    name: str
    columns: list[str]
    classes: dict[str, list[str]] = field(default_factory=dict)  # names of a coded column, as the hub's Parquet keeps
    _text: str | None = None
    _separator: str = ","
    _parquet: Any = None

    def rows(self) -> Iterator[tuple[int, dict[str, Any], Sentence | None]]:
        if self._text is None:
            yield from self._parquet_rows()
            return
        reader = csv.reader(io.StringIO(self._text, newline=""), delimiter=self._separator)
        next(reader)
        number = 1
        try:
            for cells in reader:
                number += 1
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) > len(self.columns) and not any(c.strip() for c in cells[len(self.columns) :]):
                    cells = cells[: len(self.columns)]
                problem = None
                if len(cells) != len(self.columns):
                    problem = say(
                        "The row has {n} cells where the header has {columns}.",
                        n=len(cells),
                        columns=len(self.columns),
                    )
                yield number, dict(zip(self.columns, cells, strict=False)), problem
        except csv.Error:
            raise UnusableInput(
                say("The table {file} cannot be read from row {row} on.", file=self.name, row=number + 1),
                code="table",
                file=self.name,
                row=number + 1,
            ) from None

    def _parquet_rows(self) -> Iterator[tuple[int, dict[str, Any], Sentence | None]]:
        number = 1
        try:
            for batch in self._parquet.iter_batches(batch_size=64):
                for cells in batch.to_pylist():
                    number += 1
                    for column, names in self.classes.items():
                        code = cells.get(column)
                        if isinstance(code, int) and 0 <= code < len(names):
                            cells[column] = names[code]
                    yield number, cells, None
        except (OSError, ValueError, NotImplementedError):
            raise _damaged(self.name) from None


def open_table(entry: Entry, name: str) -> Table:
    """The table's header read. Raises UnusableInput with code ``table`` where it is none."""
    if suffix(name) == ".parquet":
        return _open_parquet(entry, name)
    data = entry.read(MAX_TEXT)
    text = _decode(data)
    if not text.strip():
        raise UnusableInput(say("The table {file} is empty.", file=name), code="table", file=name)
    separator = "\t" if suffix(name) == ".tsv" else _separator(text)
    try:
        header = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    except csv.Error:
        raise _damaged(name) from None
    columns = [cell.strip() for cell in header]
    while columns and not columns[-1]:
        columns.pop()
    if len(set(columns)) != len(columns):
        twice = next(c for c in columns if columns.count(c) > 1)
        raise UnusableInput(
            say("The table {file} has two columns named {column}.", file=name, column=twice or "–"),
            code="table",
            file=name,
            row=1,
        )
    if len(columns) < 2 or len(columns) > 10_000:
        raise UnusableInput(
            say(
                "The table {file} needs a header row with at least two columns, one for the file and one "
                "for the label.",
                file=name,
            ),
            code="table",
            file=name,
            row=1,
        )
    return Table(name, columns, _text=text, _separator=separator)


def _open_parquet(entry: Entry, name: str) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        source = pa.memory_map(str(entry.path)) if entry.path else pa.BufferReader(entry.read(MAX_TABLE))
        file = pq.ParquetFile(source)
        return Table(name, list(file.schema_arrow.names), _classes(file.schema_arrow.metadata), _parquet=file)
    except UnusableInput:
        raise
    except (pa.ArrowException, OSError, ValueError):
        raise _damaged(name) from None


def _classes(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """The class names that ``datasets`` writes into a Parquet file's schema."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        found = {
            c: f.get("names") for c, f in features.items() if isinstance(f, dict) and f.get("_type") == "ClassLabel"
        }
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}
    return {c: [str(n) for n in names] for c, names in found.items() if isinstance(names, list)}


def _damaged(name: str) -> UnusableInput:
    return UnusableInput(say("The table {file} is damaged and cannot be read.", file=name), code="table", file=name)


def _decode(data: bytes) -> str:
    """Text in the encoding it seems to be in: UTF-8 with or without mark, UTF-16 with one, else Windows'
    Western.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _separator(text: str) -> str:
    """The separator that gives the first rows the most columns with the fewest ragged ones."""
    sample = text[:65_536]
    if len(text) > len(sample):
        sample = sample.rpartition("\n")[0] or sample

    def score(separator: str) -> tuple[float, int]:
        try:
            rows = [
                r
                for _, r in zip(
                    range(50), csv.reader(io.StringIO(sample, newline=""), delimiter=separator), strict=False
                )
                if r
            ]
        except csv.Error:
            return (0.0, 0)
        width = len(rows[0]) if rows else 0
        return (sum(len(r) == width for r in rows) / len(rows) if width > 1 else 0.0, width)

    return max(SEPARATORS, key=lambda s: (score(s)[0] > 0, score(s)[0] > 0.5, score(s)[1]))
