"""Reader of pairs of source and target texts: a table with two columns, or two line-aligned text files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads.file_tree import SUFFIXES, Tree, suffix
from tlcore.data.readers.columns import SHEET, chosen, mapping_finding, short
from tlcore.data.readers.contract import split_name, tidy_label
from tlcore.data.readers.text_table import MAX_CELL, READ, every_row, of_kind, strays, tidy_text, unclosed
from tlcore.data.tables.rows import MAX_TEXT, Table
from tlcore.data.tables.text_files import opener
from tlcore.modalities.contract import RawText

SOURCES = ("source", "src", "input", "document", "article", "original", "dialogue", "origem", "fonte", "artigo")
TARGETS = (
    "target",
    "tgt",
    "trg",
    "output",
    "translation",
    "summary",
    "highlights",
    "reference",
    "ref",
    "abstract",
    "tradução",
    "traducao",
    "resumo",
    "alvo",
    "destino",
    "sumário",
    "sumario",
)
NAMES = {
    "source": (*SOURCES, "text", "texto", "sourcetext", "entrada", "content", "body"),
    "target": (*TARGETS, "targettext", "saída", "saida", "headline", "tldr"),
    "split": ("split", "set", "subset", "partition", "fold"),
    "group": ("group", "groupid", "doc", "docid", "documentid", "book", "author", "speaker"),
}
TITLES = {"source": sentence("source text"), "target": sentence("target text")}
# Suffixes that denote a language or side in a pair of files; in a zip or folder any 2-3 letter code counts.
SIDES = (".txt", ".en", ".pt", ".de", ".fr", ".es", ".it", ".nl", ".src", ".tgt", ".source", ".target")
PLAIN = ("txt", "tok", "raw")
CODE = re.compile(r"[a-z]{2,3}")
NO_PARTNER = sentence(
    "It is one side of a pair of files, and the other side, of the same name and number of lines, is not there."
)


@dataclass(frozen=True)
class Side:
    """One text file of a pair: the name parts shared with the other file, and the part that differs."""

    stem: tuple[str, ...]
    code: str  # "source", "target", or a language

    @property
    def split(self) -> str | None:
        return next((name for part in self.stem if (name := split_name(part))), None)


class Pairs:
    id = "pairs"
    title = sentence("Pairs of source and target texts")
    what = sentence(
        "A CSV, TSV, Excel, JSON lines or Parquet table with a column of source texts and one of target texts, or two "
        "text files with one text a line, such as train.en and train.pt or source.txt and target.txt; alone or as "
        "train, validation and test; or a dataset of the hub with such columns."
    )
    suffixes = (*READ, *SIDES)
    example = "source,target"

    def matches(self, tree: Tree, columns: Mapping[str, str]) -> bool:
        return tree.hub is not None or bool(of_kind(tree, READ) or _files(tree))

    def read(
        self, tree: Tree, columns: Mapping[str, str], group: str | None
    ) -> Iterator[RawText | RejectedRow | Finding]:
        if tree.hub is not None or of_kind(tree, READ):
            yield from every_row(tree, READ, columns, group, _rows)
        else:
            yield from _lines(tree, columns)


def _rows(
    table: Table, split: str | None, columns: Mapping[str, str], group: str | None
) -> Iterator[RawText | RejectedRow | Finding]:
    mapped = chosen(table, {**_in_order(table, columns, group), **columns}, group, NAMES, TITLES)
    yield mapping_finding(table.name, mapped)
    for number, cells, problem in table.rows():
        row = unclosed(problem, cells) or _row(table.name, cells, number, mapped, split)
        yield RejectedRow(file=table.name, row=number, reason=row) if isinstance(row, Sentence) else row


def _in_order(table: Table, columns: Mapping[str, str], group: str | None) -> dict[str, str]:
    """The columns of a two-column table with unknown names: the first is the source."""
    named = columns.keys() - {SHEET}
    if len(table.columns) != 2:
        return {}
    try:
        chosen(table, columns, group, NAMES, TITLES)
    except UnusableInput:
        rows = [cells for _, cells, problem in islice(table.rows(), 20) if problem is None]
        texts = rows and all(isinstance(cells.get(column), str) for cells in rows for column in table.columns)
        return dict(zip(("source", "target"), table.columns, strict=True)) if texts and not named else {}
    return {}


def _row(
    table: str, cells: dict[str, Any], number: int, mapped: dict[str, str], split: str | None
) -> RawText | Sentence:
    """One row of the table as an example, or the reason it is unusable."""
    if split is None and "split" in mapped:
        split_cell = tidy_label(cells.get(mapped["split"]))
        split = split_name(split_cell)
        if split is None:
            return sentence(
                "Its split is {split}; it must be train, validation or test.", split=short(split_cell) or "–"
            )
    group = tidy_label(cells.get(mapped["group"])) or None if "group" in mapped else None
    return _pair(f"{table}:{number}", cells.get(mapped["source"]), cells.get(mapped["target"]), split, group, number)


def _pair(
    id_: str, source: object, target: object, split: str | None, group: str | None, number: int
) -> RawText | Sentence:
    found: dict[str, str] = {}
    for side, given in (("source", source), ("target", target)):
        if isinstance(given, dict | list | tuple | bytes):
            return sentence("Its {side} is not text but a list or a record.", side=TITLES[side])
        found[side] = tidy_text(given)
        if not found[side]:
            return sentence("Its {side} is empty.", side=TITLES[side])
        if len(found[side]) > MAX_CELL:
            return sentence(
                "Its {side} is longer than {limit} characters. Where that is not so, a quotation mark in it may "
                "never be closed.",
                side=TITLES[side],
                limit=MAX_CELL,
            )
    return RawText(id_, found["source"], "", split, group, number, more={"target": found["target"]})


def _files(tree: Tree) -> dict[str, Side]:
    """The text files of an upload that may be one side of a pair, by name."""
    found = {}
    for name in [tree.table] if tree.table else tree.entries:
        if suffix(name) in SUFFIXES:
            continue
        parts = [part for part in re.split(r"[./_\-\s]+", name.lower()) if part]
        plain = parts[-1] in PLAIN
        while parts and parts[-1] in PLAIN:
            parts.pop()
        for place, part in enumerate(parts):
            if part in SOURCES or part in TARGETS:
                found[name] = Side((*parts[:place], *parts[place + 1 :]), "source" if part in SOURCES else "target")
                break
        else:
            if parts and CODE.fullmatch(parts[-1]) and (len(parts) > 1 or plain) and not split_name(parts[-1]):
                found[name] = Side(tuple(parts[:-1]), parts[-1])
    return found


def _lines(tree: Tree, columns: Mapping[str, str]) -> Iterator[RawText | RejectedRow | Finding]:
    both_files = _files(tree)
    stems: dict[tuple[str, ...], dict[str, str]] = {}
    for name, side in both_files.items():
        stems.setdefault(side.stem, {})[side.code] = name
    wanted = [columns[role].lower().lstrip(".") for role in ("source", "target") if role in columns]
    if len(wanted) == 2:
        stems = {stem: {code: name for code, name in of.items() if code in wanted} for stem, of in stems.items()}
    if crowded := next((of for stem, of in stems.items() if len(of) > 2), None):
        raise UnusableInput(
            sentence(
                "There are more than two languages: {codes}. Say which is the source and which the target.",
                codes=sorted(crowded),
            ),
            code="several-languages",
            file=tree.origin,
        )
    pairs = {stem: of for stem, of in stems.items() if len(of) == 2}
    if not pairs:
        raise UnusableInput(
            sentence(
                "{file} holds no two text files that belong together: their names must differ only in the language or "
                "in source and target, as train.en and train.pt. Files: {files}.",
                file=tree.origin,
                files=[short(name) for name in list(tree.entries)[:10]],
            ),
            code="no-pairs",
            file=tree.origin,
        )
    splits = {stem: Side(stem, "").split for stem in pairs}
    if len(pairs) > 1 and "train" not in splits.values():
        raise UnusableInput(
            sentence(
                "{file} holds several pairs of files, and none is named train: {files}.",
                file=tree.origin,
                files=[" + ".join(of.values()) for of in pairs.values()][:10],
            ),
            code="several-tables",
            file=tree.origin,
        )
    if len(pairs) > 1:
        pairs = {stem: of for stem, of in pairs.items() if splits[stem]}
    read = set()
    for stem, of in pairs.items():
        source, target, sure = _direction(stem, of, wanted, tree.origin)
        yield Finding(
            level="note" if sure else "warning",
            code="columns",
            examples=[of[source], of[target]],
            sentence=sentence(
                "The lines of {source} are the source texts, those of {target} the target texts.",
                source=of[source],
                target=of[target],
            ),
            fix=None if sure else sentence("Where it is the other way round, name source and target under Columns."),
        )
        yield from _aligned(tree, of[source], of[target], splits[stem] if len(pairs) > 1 else None)
        read |= set(of.values())
    for name in tree.entries:
        if name in both_files and name not in read:
            yield RejectedRow(file=name, reason=NO_PARTNER)
    yield from strays(tree, {*read, *both_files})


def _direction(stem: tuple[str, ...], of: Mapping[str, str], wanted: list[str], origin: str) -> tuple[str, str, bool]:
    """Source and target of two codes, and whether the direction is certain.

    It is certain where the user gives it or a name does (source, en-pt). Otherwise it is alphabetical.
    """
    if len(wanted) == 2:
        return wanted[0], wanted[1], True
    codes = sorted(of)
    if "source" in codes or "target" in codes:
        source = "source" if "source" in codes else next(code for code in codes if code != "target")
        return source, next(code for code in codes if code != source), True
    for parts in (list(stem), re.split(r"[./_\-\s]+", origin.lower())):
        places = [parts.index(code) for code in codes if code in parts]
        if len(places) == 2:
            first, second = codes if places[0] < places[1] else reversed(codes)
            return first, second, True
    return codes[0], codes[1], False


def _aligned(tree: Tree, source: str, target: str, split: str | None) -> Iterator[RawText | RejectedRow]:
    openers = [opener(tree.entries[name], MAX_TEXT) for name in (source, target)]
    counts = []
    for open_text in openers:
        with open_text() as file:
            counts.append(sum(1 for _ in file))
    if counts[0] != counts[1]:
        raise UnusableInput(
            sentence(
                "{source} has {n} lines and {target} has {m}; line by line they must belong together.",
                source=source,
                n=counts[0],
                target=target,
                m=counts[1],
            ),
            code="misaligned",
            file=source if counts[0] > counts[1] else target,
            row=min(counts) + 1,
        )
    with openers[0]() as one, openers[1]() as other:
        for number, (ours, theirs) in enumerate(zip(one, other, strict=True), start=1):
            row = _pair(f"{source}:{number}", ours, theirs, split, None, number)
            yield RejectedRow(file=source, row=number, reason=row) if isinstance(row, Sentence) else row


READER = Pairs()
