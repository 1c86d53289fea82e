"""Splits a long text into blocks of full paragraphs, each about as long as a network's input."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

AIM, MOST = 500, 700  # characters: a block ends after the paragraph that reaches AIM, never beyond MOST
ENDS = re.compile(r"(?<=[.!?…。])[\"'”’)]*\s+")


def blocks(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str, bool]]:
    """Yield (number of the first line, text, whether the text ends with it) per block.

    ``lines`` are numbered lines without line ends. Empty lines separate paragraphs. A line longer than a block is cut
    after a sentence, else between words, else anywhere.
    """
    held: tuple[int, str] | None = None
    for block in _blocks(lines):
        if held:
            yield *held, False
        held = block
    if held:
        yield *held, True


def _blocks(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    waiting: list[str] = []
    first, size = 0, 0
    for number, line in lines:
        line = line.rstrip()
        for piece in _pieces(line) if len(line) > MOST else (line,):
            if waiting and (size + len(piece) > MOST or (size >= AIM and not waiting[-1])):
                yield from _told(first, waiting)
                waiting, size = [], 0
            if piece or waiting:  # a block does not begin with an empty line
                first = first if waiting else number
                waiting.append(piece)
                size += len(piece) + 1
    yield from _told(first, waiting)


def _told(first: int, lines: list[str]) -> Iterator[tuple[int, str]]:
    text = "\n".join(lines).strip("\n")
    if text.strip():
        yield first, text


def _pieces(line: str) -> Iterator[str]:
    """A long line in pieces of at most ``MOST`` characters."""
    while len(line) > MOST:
        ends = [match.end() for match in ENDS.finditer(line, 0, MOST + 1) if match.end() <= MOST]
        at = ends[-1] if ends else line.rfind(" ", 1, MOST) + 1 or MOST
        yield line[:at].rstrip()
        line = line[at:]
    yield line
