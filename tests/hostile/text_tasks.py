"""The same harm to an upload of every task on texts: what is wrong with a row or a file, and what must come of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass

import text_models

N = 30
HUGE = "y" * 10_000_000
FORMULA = "=cmd|' /C calc'!A0"
ACCENTS = "não é ruim"  # the same in Windows-1252, not in UTF-8


@dataclass(frozen=True)
class Sound:
    """A table of ``N`` sound rows for a task: ``row(i, words)`` says the words in its text; the text is in the column
    ``text``, and without what the column ``needed`` holds a row cannot be used, as ``said`` tells.
    """

    task: str
    columns: tuple[str, ...]
    row: Callable[[int, str], tuple[str, ...]]
    needed: str
    said: str

    @property
    def text(self) -> int:
        return 0

    def rows(self) -> list[tuple[str, ...]]:
        return [self.row(i, WORDS[i]) for i in range(N)]

    def changed(self, column: str | int, value: str) -> tuple[str, ...]:
        """One more row with that value in a column."""
        place = column if isinstance(column, int) else self.columns.index(column)
        row = list(self.row(N, "quite another one"))
        row[place] = value
        return tuple(row)


WORDS = [f"{text} {i}" for i, (text, _) in enumerate(text_models.sentences(N))]
SOUND = {
    "classification": Sound(
        "text-classification", ("text", "label"), lambda i, said: (said, ("a", "b")[i % 2]), "label", "no label"
    ),
    "sentiment": Sound(
        "sentiment-analysis", ("text", "label"), lambda i, said: (said, ("good", "bad")[i % 2]), "label", "no label"
    ),
    "several labels": Sound(
        "multi-label-text-classification",
        ("text", "labels"),
        lambda i, said: (said, ("a", "b", "a;b")[i % 3]),
        "text",
        "no text",
    ),
    "entities": Sound(
        "token-classification",
        ("tokens", "tags"),
        lambda i, said: (said, " ".join(["B-x", *["O"] * (len(said.split()) - 1)])),
        "tags",
        "tokens and 0 tags",
    ),
    "questions": Sound(
        "question-answering",
        ("context", "question", "answer"),
        lambda i, said: (said, f"which {i}?", said.split()[0]),
        "question",
        "question is empty",
    ),
    "translation": Sound(
        "translation",
        ("source", "target"),
        lambda i, said: (said, f"o {i} {said[::-1]}"),
        "target",
        "target text is empty",
    ),
    "summaries": Sound(
        "summarization",
        ("document", "summary"),
        lambda i, said: (f"{said} and more of it", f"s {i}"),
        "summary",
        "target text is empty",
    ),
    "completions": Sound(
        "text-generation", ("prompt", "completion"), lambda i, said: (said, f"so {i}"), "completion", "no completion"
    ),
}


def table(sound: Sound, *more: tuple[str, ...]) -> bytes:
    """The sound rows as a CSV and these after them: the first of them is row N + 2."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([sound.columns, *sound.rows(), *more])
    return out.getvalue().encode()


def json_lines(*rows: object) -> bytes:
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()
