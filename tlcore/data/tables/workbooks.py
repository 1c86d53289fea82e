"""Excel workbooks (.xlsx, .xlsm): one sheet, read row by row; values only, never formulas, macros or links."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads import memory
from tlcore.core.uploads.archives import Archive, Limits
from tlcore.data.tables import file_signatures
from tlcore.data.tables.ragged_rows import ragged

if TYPE_CHECKING:
    from tlcore.core.uploads.file_tree import Entry

SUFFIXES = (".xlsx", ".xlsm")
MOST_ROWS, MOST_COLUMNS = 1_048_576, 16_384  # limits of an Excel sheet
# The strings of a workbook are held in memory. Sheets compress better than images, so the ratio is higher.
LIMITS = Limits(entries=10_000, total=800_000_000, file=400_000_000, ratio=150.0, ratio_from=20_000_000)
IN_A_ZIP = 300_000_000  # bytes of a workbook inside a zip
ERRORS = frozenset({"#N/A", "#NAME?", "#VALUE!", "#REF!", "#DIV/0!", "#NUM!", "#NULL!"})  # values of failed formulas
SAVE = sentence("Open it where it can be opened, and save it as an Excel workbook (.xlsx) or as CSV.")


class Sheet:
    """One sheet: ``header`` and ``rows``. ``sheets`` lists all sheet names, the one read first.

    Formulas are read as the value stored when the workbook was saved; a failed formula counts as empty. Raises
    UnusableInput.
    """

    def __init__(self, entry: Entry, name: str, sheet: str | None = None):
        self.name = name
        if not file_signatures.first(entry, 4).startswith(file_signatures.ZIP):
            file_signatures.refuse(entry, name, SAVE)
            raise _damaged(name)
        self._open = entry.open or self._copied(entry)
        Archive(Path(name), LIMITS, opened=self._open()).close()  # rejects a zip bomb before unpacking
        with self._opened() as book:
            names = [one.title for one in book.worksheets]
            if sheet is not None and sheet not in names:
                raise UnusableInput(
                    sentence(
                        "The workbook {file} has no sheet {sheet}; its sheets are {sheets}.",
                        file=name,
                        sheet=sheet[:120],
                        sheets=names[:20],
                    ),
                    code="sheet",
                    file=name,
                )
            if not names:
                raise _damaged(name)
            self._sheet = sheet or names[0]
            self.sheets = [self._sheet, *(other for other in names if other != self._sheet)]
            self.header = self._header(book)

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any], Sentence | None]]:
        """Yield (row number as in Excel, cells by column, problem or None) of non-empty rows. Raises UnusableInput."""
        number, width = 1, len(columns) + 2  # wide enough to detect a row longer than the header
        with self._opened() as book:
            try:
                for read in self._cells(book, 2, MOST_ROWS, width):
                    number += 1
                    cells = [*read[: _filled(read)]]
                    if cells:
                        cells = [None if isinstance(cell, str) and cell in ERRORS else cell for cell in cells]
                        cells += [None] * (len(columns) - len(cells))
                        yield number, dict(zip(columns, cells, strict=False)), ragged(_told(cells), len(columns))
            except _Unreadable:
                raise UnusableInput(
                    sentence("The table {file} cannot be read from row {row} on.", file=self.name, row=number + 1),
                    code="table",
                    file=self.name,
                    row=number + 1,
                ) from None

    def _header(self, book: Any) -> list[str]:
        try:
            first = next(self._cells(book, 1, 1, MOST_COLUMNS), ())
        except _Unreadable:
            raise _damaged(self.name) from None
        return _told(first[: _filled(first)])

    def _cells(self, book: Any, first: int, last: int, width: int) -> Iterator[tuple[Any, ...]]:
        """Rows of values. The size stated in the sheet is not trusted. Raises _Unreadable."""
        try:
            yield from book[self._sheet].iter_rows(first, last, 1, width, values_only=True)
        except MemoryError:
            raise memory.not_enough(self.name) from None
        except Exception as error:  # openpyxl and its parser may raise anything on untrusted bytes
            raise _Unreadable from error

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        from openpyxl import load_workbook

        with self._open() as file:
            try:
                book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            except MemoryError:
                raise memory.not_enough(self.name) from None
            except Exception:  # as above
                raise _damaged(self.name) from None
            with contextlib.closing(book):
                yield book

    def _copied(self, entry: Entry) -> Callable[[], BinaryIO]:
        """Copy a workbook from inside a zip to a temporary file, which is deleted with this object."""
        self._copy = tempfile.TemporaryDirectory(prefix="tlcore-sheet-")
        path = Path(self._copy.name) / "workbook"
        path.write_bytes(entry.read(IN_A_ZIP))
        return lambda: path.open("rb")


class _Unreadable(Exception):
    """A sheet that cannot be read further."""


def _told(cells: Any) -> list[str]:
    return ["" if cell is None else str(cell) for cell in cells]


def _filled(cells: Any) -> int:
    """The number of cells up to the last non-empty one."""
    return next((i for i in range(len(cells), 0, -1) if cells[i - 1] is not None), 0)


def _damaged(name: str) -> UnusableInput:
    return UnusableInput(
        sentence("The workbook {file} is damaged and cannot be read. {advice}", file=name, advice=SAVE),
        code="table",
        file=name,
    )
