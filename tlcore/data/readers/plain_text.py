"""Reader of plain text: one file or many, in blocks of paragraphs; names such as train or test give the split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads.file_tree import Entry, Tree
from tlcore.data.readers.contract import split_name
from tlcore.data.readers.text_blocks import blocks
from tlcore.data.readers.text_table import of_kind, tidy_text
from tlcore.data.tables.text_files import opener
from tlcore.modalities.contract import RawText

LONGEST_LINE = 100_000  # characters
LARGEST = 300_000_000  # bytes of a file inside a zip
LOOKED_AT = 20_000  # characters checked to detect files that are not text
STRANGE = 0.02  # above this share of control or undecodable characters it is not text
NOT_PLAIN = sentence("It is not a plain text.")


class PlainText:
    id = "plain-text"
    title = sentence("Plain text files")
    what = sentence(
        "One plain text file (TXT, Markdown) or many; it is read in blocks of paragraphs. Files or folders named "
        "train, validation and test keep that split."
    )
    suffixes = (".txt", ".md", ".text")
    example = ""

    def matches(self, tree: Tree, columns: Mapping[str, str]) -> bool:
        return bool(of_kind(tree, self.suffixes))

    def read(
        self, tree: Tree, columns: Mapping[str, str], group: str | None
    ) -> Iterator[RawText | RejectedRow | Finding]:
        names = of_kind(tree, self.suffixes)
        splits = {name: _split(name) for name in names}
        kept = "train" in splits.values() and len(names) > 1
        n = 0
        for name in names:
            problem = _problem(tree.entries[name])
            if problem:
                yield RejectedRow(file=name, reason=problem)
                continue
            rejected: list[RejectedRow] = []
            for row, text, ends in blocks(_lines(tree.entries[name], name, rejected)):
                n += 1
                more = {"document": name, "ends": "yes" if ends else ""}
                yield RawText(f"{name}:{row}", text, "", splits[name] if kept else None, None, row, more)
            yield from rejected
        for name in tree.entries:
            if name not in names:
                yield RejectedRow(file=name, reason=NOT_PLAIN)
        if n:
            yield Finding(
                level="note",
                code="blocks",
                count=n,
                sentence=sentence(
                    "The texts were read as {n} blocks of whole paragraphs; files: {files}.", n=n, files=len(names)
                ),
            )


def _split(name: str) -> str | None:
    """The split denoted by a file's name or by a folder that contains it."""
    path = PurePosixPath(name)
    return next((split for part in (path.stem, *path.parts[:-1]) if (split := split_name(part))), None)


def _problem(entry: Entry) -> Sentence | None:
    """The reason a file is not text, from its first characters; None where it is text."""
    try:
        with opener(entry, LARGEST)() as file:
            start = file.read(LOOKED_AT)
    except UnusableInput as error:
        return error.sentence
    if not start.strip("\x00\ufeff \r\n\t"):
        return sentence("The file is empty.")
    strange = sum(c == "\ufffd" or (c < " " and c not in "\n\r\t\f") for c in start)
    return sentence("It is not text, whatever its name says.") if strange > STRANGE * len(start) else None


def _lines(entry: Entry, name: str, rejected: list[RejectedRow]) -> Iterator[tuple[int, str]]:
    """Numbered lines. Lines longer than ``LONGEST_LINE`` are appended to ``rejected`` and yielded as ''."""
    with opener(entry, LARGEST)() as file:
        for number, line in enumerate(file, start=1):
            if len(line) > LONGEST_LINE:
                reason = sentence(
                    "The line is longer than {limit} characters; texts are expected in lines and paragraphs.",
                    limit=LONGEST_LINE,
                )
                rejected.append(RejectedRow(file=name, row=number, reason=reason))
                yield number, ""
            else:
                indent = line[: len(line) - len(line.lstrip(" \t"))] if line.strip() else ""
                yield number, indent + tidy_text(line.lstrip("\ufeff"))


READER = PlainText()
