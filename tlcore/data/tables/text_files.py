"""Text files in common encodings, read line by line: UTF-8, UTF-16 or UTF-32, else Windows-1252 or Latin-1."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO, TextIO

if TYPE_CHECKING:
    from tlcore.core.uploads.file_tree import Entry

PIECE = 1 << 20
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def opener(entry: Entry, limit: int) -> Callable[[], TextIO]:
    """A function that opens the entry's text from the start at each call.

    A separate file is streamed. A file inside a zip is held in memory, at most ``limit`` bytes (else UnusableInput).
    """
    if (opened := entry.open) is not None:
        encoding = encoding_of(_pieces(opened))
        return lambda: io.TextIOWrapper(opened(), encoding=encoding, errors="replace", newline="")
    data = entry.read(limit)
    encoding = encoding_of(data[i : i + PIECE] for i in range(0, len(data), PIECE))
    return lambda: io.TextIOWrapper(io.BytesIO(data), encoding=encoding, errors="replace", newline="")


def encoding_of(pieces: Iterator[bytes]) -> str:
    """The likely encoding of the bytes. Reads all of them, unless the start decides."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    first, utf8, windows = True, True, True
    for piece in pieces:
        if first:
            if found := next((name for mark, name in MARKS if piece.startswith(mark)), None):
                return found
            if found := _unmarked(piece):
                return found
            first = False
        try:
            if utf8:
                decoder.decode(piece)
        except UnicodeDecodeError:
            utf8 = False
        if windows and any(byte in piece for byte in (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")):
            windows = False
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        utf8 = False
    return "utf-8" if utf8 else "cp1252" if windows else "latin-1"


def _unmarked(piece: bytes) -> str | None:
    """Detect UTF-16 without a byte order mark: in Western text most bytes at odd or even positions are zero."""
    even, odd = piece[0:4000:2], piece[1:4000:2]
    if len(odd) < 4:
        return None
    zeros = even.count(0) / len(even), odd.count(0) / len(odd)
    if zeros[1] > 0.6 and zeros[0] < 0.1:
        return "utf-16-le"
    if zeros[0] > 0.6 and zeros[1] < 0.1:
        return "utf-16-be"
    return None


def _pieces(opened: Callable[[], BinaryIO]) -> Iterator[bytes]:
    with opened() as file:
        while piece := file.read(PIECE):
            yield piece
