"""Tables with one JSON object per line, or one JSON list of objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence

LOOKED_AT = 200  # rows whose keys give the columns
LARGEST_LIST = 50_000_000  # characters of a file with one list
NOT_AN_OBJECT = sentence("The line is not a JSON object.")
Records = Iterator[tuple[int, dict[str, Any], Sentence | None]]


def records(open_text: Callable[[], TextIO], name: str) -> Records:
    """Yield (line, cells, problem or None) for each non-empty line; for a list, for each entry by its number from 1.

    Raises UnusableInput for a list that is too long or damaged.
    """
    with open_text() as file:
        start = file.read(1)
        while start and start.isspace():
            start = file.read(1)
        file.seek(0)
        if start == "[":
            yield from _list(file, name)
            return
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                cells = json.loads(line)
            except (ValueError, RecursionError):
                cells = None
            if isinstance(cells, dict):
                yield number, {str(key): value for key, value in cells.items()}, None
            else:
                yield number, {}, NOT_AN_OBJECT


def columns(open_text: Callable[[], TextIO], name: str) -> list[str]:
    """The keys of the first rows, in order of appearance. Raises UnusableInput where no line is an object."""
    found: dict[str, None] = {}
    for place, (_, cells, _) in enumerate(records(open_text, name)):
        found |= dict.fromkeys(cells)
        if place >= LOOKED_AT:
            break
    if not found:
        raise UnusableInput(
            sentence(
                "The file {file} holds no JSON object; each line should be one, such as {example}.",
                file=name,
                example='{"text": "…", "label": "…"}',
            ),
            code="table",
            file=name,
            row=1,
        )
    return list(found)


def _list(file: TextIO, name: str) -> Records:
    text = file.read(LARGEST_LIST + 1)
    if len(text) > LARGEST_LIST:
        raise UnusableInput(
            sentence(
                "The file {file} is one JSON list and larger than {limit} MB; write one object a line instead.",
                file=name,
                limit=LARGEST_LIST // 1_000_000,
            ),
            code="table",
            file=name,
        )
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise UnusableInput(
            sentence("The table {file} is damaged and cannot be read.", file=name), code="table", file=name, row=line
        ) from None
    for number, cells in enumerate(rows, start=1):
        if isinstance(cells, dict):
            yield number, {str(key): value for key, value in cells.items()}, None
        else:
            yield number, {}, NOT_AN_OBJECT
