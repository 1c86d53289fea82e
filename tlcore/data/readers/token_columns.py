"""Reader of CoNLL files: a token and its tag on each line, an empty line between sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import sentence
from tlcore.core.uploads.file_tree import Tree
from tlcore.data.readers import entity_tags, text_table
from tlcore.data.tables.rows import MAX_TEXT
from tlcore.data.tables.text_files import opener
from tlcore.modalities.contract import RawText

DOCUMENT = "-DOCSTART-"
FEWEST_DOCUMENTS = 10  # with fewer documents, sentences are not grouped by document


class TokenColumns:
    id = "token-columns"
    title = sentence("Tokens and tags in columns (CoNLL)")
    what = sentence(
        "A CoNLL, BIO or TXT file with a token and its tag on each line (the last column is the tag: O, B-person, "
        "I-person) and an empty line between sentences."
    )
    suffixes = (".conll", ".bio", ".iob", ".iob2", ".conll2003", ".txt")
    example = "Ana B-person\nlives O\nin O\nLisbon B-place"

    def matches(self, tree: Tree, columns: Mapping[str, str]) -> bool:
        return bool(text_table.of_kind(tree, self.suffixes))

    def read(
        self, tree: Tree, columns: Mapping[str, str], group: str | None
    ) -> Iterator[RawText | RejectedRow | Finding]:
        splits = text_table.by_split(tree, self.suffixes)
        for name, split in splits.items():
            yield from _sentences(tree, name, split)
        yield from text_table.strays(tree, splits)


def _sentences(tree: Tree, name: str, split: str | None) -> Iterator[RawText | RejectedRow | Finding]:
    open_text = opener(tree.entries[name], MAX_TEXT)
    with open_text() as file:
        documents = sum(line.startswith(DOCUMENT) for line in file)
    repaired = entity_tags.Repaired()
    document = 0
    waiting: list[entity_tags.Line] = []
    with open_text() as file:
        for number, line in enumerate(file, start=1):
            cells = [cell.strip() for cell in (line.split("\t") if "\t" in line else line.split())]
            if any(cells) and cells[0] != DOCUMENT:
                if (
                    not (line.startswith("#") and not entity_tags.TAG.fullmatch(cells[-1]))
                    and len(waiting) <= entity_tags.MOST_TOKENS
                ):
                    waiting.append((number, cells))
                continue
            yield from _flush(name, waiting, split, document if documents >= FEWEST_DOCUMENTS else None, repaired)
            waiting = []
            document += bool(cells) and cells[0] == DOCUMENT
    yield from _flush(name, waiting, split, document if documents >= FEWEST_DOCUMENTS else None, repaired)
    yield from repaired.findings()


def _flush(
    name: str, lines: list[entity_tags.Line], split: str | None, document: int | None, repaired: entity_tags.Repaired
) -> Iterator[RawText | RejectedRow]:
    """The sentence of these lines. A first column that numbers the tokens is dropped."""
    if not lines:
        return
    numbered = len(lines[0][1]) > 2 and [cells[0] for _, cells in lines] == [str(i + 1) for i in range(len(lines))]
    numbered_cells = [(number, cells[numbered:]) for number, cells in lines]
    yield entity_tags.joined_tokens(
        name, numbered_cells, split, None if document is None else f"{name}:{document}", repaired
    )


READER = TokenColumns()
