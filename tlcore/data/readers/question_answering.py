"""Reader of extractive question answering: SQuAD JSON, or a table with one question per row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads.file_tree import Tree
from tlcore.data.readers import answer_positions, squad_json
from tlcore.data.readers.columns import SHEET, chosen, mapping_finding, short
from tlcore.data.readers.contract import tidy_label
from tlcore.data.readers.text_table import by_split, of_kind, other_sheets, own_split, strays, unclosed
from tlcore.data.tables.rows import open_table
from tlcore.modalities.contract import RawText

READ = (".csv", ".json", ".jsonl", ".ndjson", ".tsv", ".xlsx", ".xlsm", ".parquet")
ARTICLES = 100  # with at least so many articles, groups are articles; with fewer, contexts
ARTICLE = "title"
BEGINS = 32  # characters of a context used in its name
NAMES = {
    "context": (
        "context",
        "contexto",
        "passage",
        "passagem",
        "paragraph",
        "parágrafo",
        "paragrafo",
        "text",
        "texto",
        "document",
        "documento",
    ),
    "question": ("question", "pergunta", "questão", "questao", "query", "q"),
    "answer": ("answers", "answer", "resposta", "respostas", "answertext", "a"),
    "answer_start": ("answerstart", "start", "início", "inicio", "offset", "startposition"),
    "is_impossible": ("isimpossible", "impossible", "unanswerable", "semresposta"),
    "split": ("split", "set", "subset", "partition", "fold"),
    "article": (ARTICLE, "título", "titulo", "article", "artigo"),
    "group": ("group", "groupid", "grupo"),
}
TITLES = {"context": sentence("context"), "question": sentence("question"), "answer": sentence("answer")}
RANKS = {"test": 0, "validation": 1, "train": 2}  # priority where a context is in two splits: lowest wins
YES = ("1", "true", "yes", "y", "sim", "s", "verdadeiro")
Item = RawText | RejectedRow | Finding


@dataclass
class _Seen:
    """Results of the first pass: split, group and name of each context, all articles, and answer problems."""

    rank: dict[str, int] = field(default_factory=dict)
    unit: dict[str, str | None] = field(default_factory=dict)  # group of the first row with the context
    named: dict[str, str] = field(default_factory=dict)  # readable name of a context
    articles: set[str] = field(default_factory=set)
    moved: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    several: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Row:
    """One question as uploaded."""

    context: str
    question: str
    answers: list[tuple[str, Any]] | Sentence  # (text, start), or the reason they are unusable
    impossible: bool | None
    article: str | None
    group: str | None
    split: str | Sentence | None


class QuestionAnswering:
    id = "question-answering"
    title = sentence("Questions and answers on texts")
    what = sentence(
        "SQuAD's JSON (version 1 or 2), or a CSV, TSV, Excel, JSON lines or Parquet table with the columns context, "
        "question and answer, alone or as files named train, validation and test. No answer means that the context "
        "gives none."
    )

    suffixes = READ
    example = "context,question,answer"

    def matches(self, tree: Tree, columns: Mapping[str, str]) -> bool:
        return bool(of_kind(tree, READ))

    def read(self, tree: Tree, columns: Mapping[str, str], group: str | None) -> Iterator[Item]:
        """Two passes: the first finds the splits and articles of each context."""
        names = by_split(tree, READ)
        seen = _Seen()
        for item in _found(tree, names, columns, group, None):
            if isinstance(item, RawText):
                key = _key(item.text)
                rank = RANKS.get(item.split or "", 2)
                seen.rank[key] = min(rank, seen.rank.get(key, rank))
                seen.unit.setdefault(key, item.group)
                seen.named.setdefault(key, _named(item))
                if item.more[ARTICLE]:
                    seen.articles.add(item.more[ARTICLE])
        for item in _found(tree, names, columns, group, seen):
            yield _settled(item, seen, group) if isinstance(item, RawText) else item
        yield from _noticed(seen)
        yield from strays(tree, names)


def _found(
    tree: Tree, names: Mapping[str, str | None], columns: Mapping[str, str], group: str | None, seen: _Seen | None
) -> Iterator[Item]:
    """Yield every question of the upload with its answer spans. ``group`` is the user's own, if any.

    Problems of answers are recorded in ``seen``, unless it is None.
    """
    for name, split in names.items():
        articles = squad_json.articles(tree.entries[name], name)
        rows: Iterator[tuple[int, _Row | Sentence] | RejectedRow | Finding]
        if articles is None:
            rows = _of_table(tree, name, columns, group)
        else:
            if group not in (None, ARTICLE):
                raise UnusableInput(
                    sentence("There is no column {group} to keep together.", group=short(group)),
                    code="group",
                    file=name,
                )
            rows = _of_articles(articles, name)
        for item in rows:
            if not isinstance(item, tuple):
                yield item
                continue
            number, row = item
            made = row if isinstance(row, Sentence) else _example(name, number, row, split, seen)
            yield RejectedRow(file=name, row=number, reason=made) if isinstance(made, Sentence) else made


def _of_table(
    tree: Tree, name: str, columns: Mapping[str, str], group: str | None
) -> Iterator[tuple[int, _Row | Sentence] | Finding]:
    table = open_table(tree.entries[name], name, columns.get(SHEET))
    mapped = chosen(table, columns, group, NAMES, TITLES)
    if group and mapped.get("group") != group:
        raise UnusableInput(
            sentence("There is no column {group} to keep together.", group=short(group)), code="group", file=name, row=1
        )
    yield mapping_finding(name, mapped)
    yield from other_sheets(table)
    for number, cells, problem in table.rows():
        given = {role: cells.get(column) for role, column in mapped.items()}
        marked = tidy_label(given.get("is_impossible")).lower()
        yield (
            number,
            unclosed(problem, cells)
            or _Row(
                given["context"],
                given["question"],
                answer_positions.listed(given["answer"], given.get("answer_start")),
                marked in YES if marked else None,
                tidy_label(given.get("article")) or None,
                tidy_label(given.get("group")) or None,
                own_split(cells, mapped),
            ),
        )


def _of_articles(articles: list[Any], name: str) -> Iterator[tuple[int, _Row | Sentence] | RejectedRow]:
    """The questions of SQuAD articles, numbered from 1 in order of appearance."""
    number = 0
    for item in squad_json.questions(articles):
        if isinstance(item, Sentence):
            yield RejectedRow(file=name, reason=item)
            continue
        number += 1
        title, context, asked = item
        marked = asked.get("is_impossible")
        answers = answer_positions.listed(asked.get("answers", asked.get("answer")), None)
        if marked is False and answers == []:
            answers = sentence("It has no answer, and is not marked as impossible to answer.")
        yield (
            number,
            _Row(
                context,
                asked.get("question"),
                answers,
                marked if isinstance(marked, bool) else None,
                tidy_label(title) or None,
                None,
                None,
            ),
        )


def _example(name: str, number: int, row: _Row, split: str | None, seen: _Seen | None) -> RawText | Sentence:
    """One question with its answer spans in the context, or the reason it is unusable."""
    if isinstance(row.split, Sentence):
        return row.split
    if isinstance(row.answers, Sentence):
        return row.answers
    if row.impossible and row.answers:
        return sentence("It is marked as impossible to answer, and has an answer.")
    made = answer_positions.placed(row.context, row.question, row.answers)
    if isinstance(made, Sentence):
        return made
    place = f"{name}:{number}"
    if seen is not None:
        for noticed, where in ((made.moved, seen.moved), (made.dropped, seen.dropped), (made.several, seen.several)):
            if noticed:
                where.append(place)
    more = {
        "question": made.question,
        "answer": made.context[slice(*made.spans[0])] if made.spans else "",
        "answerable": "yes" if made.spans else "no",
        "spans": json.dumps(made.spans),
        ARTICLE: row.article or "",
    }
    return RawText(
        place, made.context, "", split or row.split, row.group, number, more, f"{made.question}\x1f{made.context}"
    )


def _settled(item: RawText, seen: _Seen, group: str | None) -> RawText | RejectedRow:
    """The example with its group, so that a context is never in two splits or two groups.

    A row whose context is also in a preferred split (test, then validation, then train) is rejected.
    """
    key = _key(item.text)
    if item.split and RANKS[item.split] > seen.rank[key]:
        other = next(split for split, rank in RANKS.items() if rank == seen.rank[key])
        return RejectedRow(
            file=item.id.rpartition(":")[0],
            row=item.row,
            reason=sentence("Its context is in the {split} set too; there it stays.", split=other),
        )
    by_article = group == ARTICLE or len(seen.articles) >= ARTICLES
    article = item.more[ARTICLE] if by_article else ""
    unit = seen.unit[key] or article or seen.named[key]
    return RawText(item.id, item.text, "", item.split, unit, item.row, item.more, item.same)


def _named(item: RawText) -> str:
    """A readable name of a context: its beginning and the id of its first row."""
    words = short(" ".join(item.text[: 2 * BEGINS].split()))
    return f"{words if len(words) <= BEGINS else words[: BEGINS - 1] + '…'} ({item.id})"


def _noticed(seen: _Seen) -> Iterator[Finding]:
    for code, level, where, message in (
        (
            "answers-moved",
            "warning",
            seen.moved,
            sentence(
                "Questions with an answer that does not stand where the data say; the nearest place in the context "
                "where it does stand was taken: {n}.",
                n=len(seen.moved),
            ),
        ),
        (
            "answers-dropped",
            "warning",
            seen.dropped,
            sentence(
                "Questions of whose several answers some stand nowhere in the context; the others are used: {n}.",
                n=len(seen.dropped),
            ),
        ),
        (
            "answers-several-places",
            "note",
            seen.several,
            sentence(
                "Questions without a place of the answer, which stands in several places of the context; the first was "
                "taken: {n}.",
                n=len(seen.several),
            ),
        ),
    ):
        if where:
            yield Finding(level=level, code=code, count=len(where), examples=where[:10], sentence=message)


def _key(context: str) -> str:
    """A hash of a context, ignoring case and whitespace."""
    return hashlib.blake2b(" ".join(context.casefold().split()).encode(), digest_size=8).hexdigest()


READER = QuestionAnswering()
