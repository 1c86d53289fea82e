"""Sentences with entities, from token tags or from character spans; shared by both entity readers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.data.readers.columns import short
from tlcore.data.readers.contract import MAX_LABEL, tidy_label
from tlcore.data.readers.text_table import MAX_CELL
from tlcore.modalities.contract import RawText
from tlcore.runtime.text_spans import pieces, shown

TAG = re.compile(r"O|[BILUES]-\S.*")  # tag schemes BIO, IOB1, BILOU and BIOES
MOST_TOKENS = 2_000  # tokens per sentence
Span = tuple[int, int, str]  # start, end, label
Line = tuple[int, list[Any]]  # line or row number, and cells: the token first, its tag last


@dataclass
class Repaired:
    """Count of entities that begin with an invalid tag (such as I-), and the places of the first ten sentences."""

    count: int = 0
    places: tuple[str, ...] = ()

    def add(self, count: int, place: str) -> None:
        if count:
            self.count += count
            self.places = (*self.places, place)[:10]

    def findings(self) -> Iterator[Finding]:
        if self.count:
            message = sentence(
                "Entities whose first tag is none that begins one (I- as in IOB1, or tags that do not follow on each "
                "other): {n}. Each was read as beginning there.",
                n=self.count,
            )
            yield Finding(
                level="note", code="tags-repaired", count=self.count, examples=list(self.places), sentence=message
            )


@dataclass(frozen=True)
class Bad:
    """Why tags are unusable, and the index of the token in its sentence."""

    reason: Sentence
    place: int = 0


def from_tags(tokens: Sequence[Any], tags: Sequence[Any]) -> tuple[str, list[Span], int] | Bad:
    """The text (tokens joined by spaces), its entities, and how many of them were repaired; or why it is unusable."""
    if len(tokens) != len(tags):
        return Bad(
            sentence(
                "It has {tokens} tokens and {tags} tags; each token needs one.", tokens=len(tokens), tags=len(tags)
            )
        )
    if len(tokens) > MOST_TOKENS:
        return Bad(
            sentence("Its sentence has more than {most} tokens; an empty line parts sentences.", most=MOST_TOKENS)
        )
    words: list[str] = []
    found: list[Span] = []
    inside, repaired, at = False, 0, 0
    for place, (token, tag) in enumerate(zip(tokens, tags, strict=True)):
        word = _plain(token)
        if word is None or not pieces(word):
            return Bad(sentence("A token of its sentence is empty, or no text."), place)
        if isinstance(tag, int | float):
            return Bad(sentence("Its tags are numbers; names are needed, such as B-PERSON, I-PERSON and O."), place)
        name = tidy_label(tag) if isinstance(tag, str) else ""
        if not TAG.fullmatch(name):
            return Bad(
                sentence("The tag {tag} is none of O, B-…, I-… (or L-, U-, E-, S-).", tag=short(name) or "–"), place
            )
        kind, _, label = name.partition("-")
        if len(label) > MAX_LABEL:
            return Bad(sentence("Its label is longer than {limit} characters.", limit=MAX_LABEL), place)
        if kind in "ILE" and inside and found[-1][2] == label:
            found[-1] = (found[-1][0], at + len(word), label)
        elif kind != "O":
            found.append((at, at + len(word), label))
            repaired += kind in "ILE"
        inside = kind in "BI"
        words.append(word)
        at += len(word) + 1
    return " ".join(words), found, repaired


def from_places(text: Any, given: Any) -> tuple[str, list[Span]] | Sentence:
    """A text and its entities from character spans, checked against the text; or the reason they are unusable."""
    if not isinstance(text, str):
        return sentence("Its text is not text but a list or a record.")
    whole = text.replace("\x00", " ").encode("utf-8", "replace").decode("utf-8")
    if not whole.strip():
        return sentence("It has no text.")
    if given is None:
        given = []
    if not isinstance(given, list | tuple):
        return sentence("Its entities are no list.")
    before = len(whole) - len(whole.lstrip())
    starts, ends = (set(places) for places in zip(*pieces(whole), strict=True))
    found: list[Span] = []
    for one in given:
        read = _place(one)
        if read is None:
            return sentence(
                "An entity needs a start, an end and a label, such as {example}.",
                example='{"start": 0, "end": 3, "label": "person"}',
            )
        start, end, label, quoted = read
        if not 0 <= start < end <= len(whole):
            return sentence(
                "The entity {label} from {start} to {end} is outside of its text of {n} characters.",
                label=short(label),
                start=start,
                end=end,
                n=len(whole),
            )
        if quoted is not None and quoted != text[start:end]:
            return sentence(
                "The entity {label} from {start} to {end} should be {said}, but there the text says {found}.",
                label=short(label),
                start=start,
                end=end,
                said=short(quoted),
                found=short(text[start:end]),
            )
        inside = whole[start:end]
        start, end = start + len(inside) - len(inside.lstrip()), end - (len(inside) - len(inside.rstrip()))
        if start >= end or not label or len(label) > MAX_LABEL:
            return sentence(
                "An entity is empty, or its label is empty or longer than {limit} characters.", limit=MAX_LABEL
            )
        if start not in starts or end not in ends:
            return sentence(
                "The entity {said} begins or ends in the middle of a word; entities are whole words.",
                said=short(whole[start:end]),
            )
        found.append((start - before, end - before, label))
    found.sort()
    for (_, end, first), (start, _, second) in pairwise(found):
        if start < end:
            return sentence(
                "The entities {first} and {second} overlap at character {start}; only one can be learned there.",
                first=short(first),
                second=short(second),
                start=start,
            )
    return whole.strip(), found


def row_of(
    name: str, number: int, text: str, found: Sequence[Span], split: str | None, group: str | None
) -> RawText | Sentence:
    """One sentence as an example. ``entities`` holds its spans as JSON, ``marked`` the readable form."""
    if len(text) > MAX_CELL:
        return sentence("Its text is longer than {limit} characters.", limit=MAX_CELL)
    marked = shown(text, found)
    more = {"entities": json.dumps([list(span) for span in found], ensure_ascii=False), "marked": marked}
    return RawText(f"{name}:{number}", text, "", split, group, number, more, truth=marked or "-")


def joined_tokens(
    name: str, lines: Sequence[Line], split: str | None, group: str | None, repaired: Repaired
) -> RawText | RejectedRow:
    """The sentence of these lines, one token per line, or a rejected row with the line number."""
    first = lines[0][0]
    for number, cells in lines:
        if len(cells) < 2:
            return RejectedRow(file=name, row=number, reason=sentence("There is no tag beside the token."))
    read = from_tags([cells[0] for _, cells in lines], [cells[-1] for _, cells in lines])
    if isinstance(read, Bad):
        return RejectedRow(file=name, row=lines[min(read.place, len(lines) - 1)][0], reason=read.reason)
    text, found, count = read
    repaired.add(count, f"{name}:{first}")
    row = row_of(name, first, text, found, split, group)
    return RejectedRow(file=name, row=first, reason=row) if isinstance(row, Sentence) else row


def spans_of(stored: str) -> list[Span]:
    """The entities of a row, from its column ``entities``."""
    return [(start, end, label) for start, end, label in json.loads(stored)]


def _plain(token: Any) -> str | None:
    """A token as one line without outer whitespace; None where it is not text."""
    if isinstance(token, bool) or not isinstance(token, str | int | float):
        return None
    return " ".join(str(token).replace("\x00", " ").encode("utf-8", "replace").decode("utf-8").split())


def _place(one: Any) -> tuple[int, int, str, str | None] | None:
    """Start, end, label and, if given, the text of an entity; None where the record is invalid."""
    if isinstance(one, list | tuple) and len(one) == 3:
        one = {"start": one[0], "end": one[1], "label": one[2]}
    if not isinstance(one, dict):
        return None
    start, end, label = (
        next((one[name] for name in names if name in one), None)
        for names in (("start", "start_offset", "begin"), ("end", "end_offset", "stop"), ("label", "type", "entity"))
    )
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in (start, end))
    if not whole or not isinstance(label, str):
        return None
    quoted = next((one[name] for name in ("text", "value", "word") if isinstance(one.get(name), str)), None)
    return start, end, tidy_label(label), quoted
