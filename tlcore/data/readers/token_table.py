"""Reader of entity tables: lists of tokens and tags, a text with entity spans, or one row per token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads.file_tree import Tree
from tlcore.data.readers import entity_tags, text_table
from tlcore.data.readers.columns import chosen, mapping_finding, short
from tlcore.data.readers.contract import tidy_label
from tlcore.data.readers.text_labels import as_list
from tlcore.data.tables.rows import Table
from tlcore.data.tables.workbooks import SUFFIXES
from tlcore.modalities.contract import RawText

LOOKED_AT = 50  # rows used to detect one token per row
REST = {name: text_table.NAMES[name] for name in ("split", "group")}
TAGS = {
    "tokens": ("tokens", "words", "palavras", "token", "word", "palavra"),
    "tags": ("tags", "nertags", "ner", "labels", "iob", "bio", "etiquetas", "nertag", "tag", "label", "etiqueta"),
    "sentence": ("sentenceid", "sentid", "sentence", "sent", "frase", "sentença", "sentenca"),
    **REST,
}
PLACES = {
    "text": text_table.NAMES["text"],
    "entities": ("entities", "spans", "ents", "label", "labels", "annotations", "entidades"),
    **REST,
}


class TokenTable:
    id = "token-table"
    title = sentence("Texts and entities as rows (JSON lines, tables)")
    what = sentence(
        "JSON lines, a JSON list, Parquet, CSV, TSV, Excel or a dataset of the hub: tokens and tags as two lists, or a "
        "text and a list of entities with start, end and label (in characters from 0; the end is the first character "
        "behind it). In a CSV or Excel cell a list is written as in JSON, or tokens and tags with blanks between them. "
        "Or a token and its tag in each row, beside a column that says which sentence they are in."
    )
    suffixes = (".jsonl", ".ndjson", ".json", ".parquet", ".csv", ".tsv", *SUFFIXES)
    example = ""

    def matches(self, tree: Tree, columns: Mapping[str, str]) -> bool:
        return tree.hub is not None or bool(text_table.of_kind(tree, self.suffixes))

    def read(
        self, tree: Tree, columns: Mapping[str, str], group: str | None
    ) -> Iterator[RawText | RejectedRow | Finding]:
        return text_table.every_row(tree, self.suffixes, columns, group, _rows)


def _rows(
    table: Table, split: str | None, columns: Mapping[str, str], group: str | None
) -> Iterator[RawText | RejectedRow | Finding]:
    name = table.name
    mapped = _mapped(table, columns, group)
    single = "tokens" in mapped and _one_each(table, mapped["tokens"])
    if not single:
        mapped.pop("sentence", None)
    elif "sentence" not in mapped:
        raise UnusableInput(
            sentence(
                "Each row of {file} holds one token, and none of its columns ({columns}) is known to tell which "
                "sentence it is in. Say which one does.",
                file=name,
                columns=[short(c) for c in table.columns[:20]],
            ),
            code="columns",
            file=name,
            row=1,
        )
    yield mapping_finding(name, mapped)
    repaired = entity_tags.Repaired()
    yield from (_by_token if single else _by_row)(table, mapped, split, repaired)
    yield from repaired.findings()


def _mapped(table: Table, columns: Mapping[str, str], group: str | None) -> dict[str, str]:
    """The columns of tokens and tags, else of text and entities. Raises UnusableInput where neither pair exists."""
    for names, pair in ((TAGS, ("tokens", "tags")), (PLACES, ("text", "entities"))):
        mapped = chosen(table, {role: name for role, name in columns.items() if role in names}, group, names, {})
        if all(role in mapped for role in pair):
            return mapped
    raise UnusableInput(
        sentence(
            "The table {file} needs a column of tokens and one of tags, or one of texts and one of entities; its "
            "columns are {columns}. Say which ones they are.",
            file=table.name,
            columns=[short(c) for c in table.columns[:20]],
        ),
        code="columns",
        file=table.name,
        row=1,
    )


def _by_row(
    table: Table, mapped: dict[str, str], split: str | None, repaired: entity_tags.Repaired
) -> Iterator[RawText | RejectedRow]:
    """Sentences from a table with one sentence per row."""
    for number, cells, problem in table.rows():
        row = text_table.unclosed(problem, cells) or _row(table.name, cells, number, mapped, split, repaired)
        yield RejectedRow(file=table.name, row=number, reason=row) if isinstance(row, Sentence) else row


def _one_each(table: Table, column: str) -> bool:
    """Whether the first cells of a column hold one token each: no lists and no spaces between tokens."""
    cells = [row.get(column) for _, row, problem in islice(table.rows(), LOOKED_AT) if problem is None]
    words = [str(cell).split() for cell in cells if not isinstance(cell, list | tuple | dict)]
    return len(words) == len(cells) > 1 and all(len(one) <= 1 and not "".join(one).startswith("[") for one in words)


def _by_token(
    table: Table, mapped: dict[str, str], split: str | None, repaired: entity_tags.Repaired
) -> Iterator[RawText | RejectedRow]:
    """Sentences from a table with one token per row.

    A sentence ends where the value of the sentence column changes; an empty cell continues the sentence. A sentence
    with an unusable row is rejected.
    """
    name, key = table.name, ""
    lines: list[entity_tags.Line] = []
    problem: RejectedRow | None = None
    where: tuple[str | None, str | None] = (split, None)
    for number, cells, trouble in table.rows():
        sentence_id = tidy_label(cells.get(mapped["sentence"]))
        if lines and sentence_id and sentence_id != key:
            yield problem or entity_tags.joined_tokens(name, lines, *where, repaired)
            lines, problem = [], None
        key = sentence_id or key
        own = split or text_table.own_split(cells, mapped)
        if trouble or isinstance(own, Sentence):
            reason = trouble or own
            problem = problem or RejectedRow(file=name, row=number, reason=reason)
            own = None
        if not lines:
            where = own, tidy_label(cells.get(mapped["group"])) or None if "group" in mapped else None
        if len(lines) <= entity_tags.MOST_TOKENS:
            lines.append((number, [cells.get(mapped["tokens"]), cells.get(mapped["tags"])]))
    if lines:
        yield problem or entity_tags.joined_tokens(name, lines, *where, repaired)


def _row(
    name: str,
    cells: dict[str, Any],
    number: int,
    mapped: dict[str, str],
    split: str | None,
    repaired: entity_tags.Repaired,
) -> RawText | Sentence:
    if "tokens" in mapped:
        tokens, tags = (_words(cells.get(mapped[role])) for role in ("tokens", "tags"))
        if not isinstance(tokens, list) or not isinstance(tags, list) or not tokens:
            return sentence("Its tokens and tags are no lists, or they are empty.")
        read = entity_tags.from_tags(tokens, tags)
        if isinstance(read, entity_tags.Bad):
            return read.reason
        text, found, count = read
        repaired.add(count, f"{name}:{number}")
    else:
        placed = entity_tags.from_places(cells.get(mapped["text"]), _listed(cells.get(mapped["entities"])))
        if isinstance(placed, Sentence):
            return placed
        text, found = placed
    split = split or text_table.own_split(cells, mapped)
    if isinstance(split, Sentence):
        return split
    group = tidy_label(cells.get(mapped["group"])) or None if "group" in mapped else None
    return entity_tags.row_of(name, number, text, found, split, group)


def _listed(cell: Any) -> Any:
    """The list in a cell, written as JSON or Python.

    An empty cell is an empty list. Anything else is returned as it is.
    """
    if not isinstance(cell, str):
        return cell
    stripped = cell.strip()
    found = as_list(stripped, text_table.MAX_CELL) if stripped else []
    return cell if found is None else found


def _words(cell: Any) -> Any:
    """`_listed` for tokens and tags, which may also be separated by spaces."""
    found = _listed(cell)
    return found.split() if isinstance(found, str) and not found.startswith("[") else found


READER = TokenTable()
