"""Detection of files whose content does not match their name, by their first bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence

if TYPE_CHECKING:
    from tlcore.core.uploads.file_tree import Entry

LARGEST = 300_000_000  # bytes of a file inside a zip
ZIP = b"PK\x03\x04"
PICTURE, WEB, PACKED = sentence("a picture"), sentence("a web page"), sentence("a compressed file")
STARTS: tuple[tuple[bytes, Sentence], ...] = (
    (b"\x89PNG\r\n", PICTURE),
    (b"\xff\xd8\xff", PICTURE),
    (b"GIF8", PICTURE),
    (b"RIFF", sentence("a picture or a sound")),
    (b"II*\x00", PICTURE),
    (b"MM\x00*", PICTURE),
    (b"%PDF", sentence("a PDF")),
    (ZIP, sentence("a zip or an Excel workbook")),
    (b"PAR1", sentence("a Parquet file")),
    (b"\xd0\xcf\x11\xe0", sentence("an old Excel file, or one with a password")),
    (b"SQLite format 3", sentence("a database")),
    (b"\x1f\x8b", PACKED),
    (b"BZh", PACKED),
    (b"\xfd7zXZ", PACKED),
    (b"7z\xbc\xaf", PACKED),
    (b"Rar!", PACKED),
)
PAGES = (b"<!doctype html", b"<html", b"<table", b"<?xml")


def refuse(entry: Entry, name: str, advice: Sentence) -> None:
    """Raise UnusableInput, with ``advice``, where the first bytes show that the file is not a text table."""
    start = first(entry, 512)
    kind = next((said for mark, said in STARTS if start.startswith(mark)), None)
    if kind is None and start.lstrip(b"\xef\xbb\xbf \r\n\t").lower().startswith(PAGES):
        kind = WEB
    if kind is not None:
        raise UnusableInput(
            sentence(
                "{file} is not a table whatever its name says, but {kind}. {advice}",
                file=name,
                kind=kind,
                advice=advice,
            ),
            code="table",
            file=name,
        )


def first(entry: Entry, n: int) -> bytes:
    """The first ``n`` bytes of a file."""
    if entry.open is None:
        return entry.read(LARGEST)[:n]
    with entry.open() as file:
        return file.read(n)
