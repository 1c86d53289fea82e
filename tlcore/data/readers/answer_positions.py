"""Answer spans in contexts: given positions are checked; missing or wrong ones are searched for."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tlcore.core.i18n import Sentence, sentence

MAX_CONTEXT, MAX_QUESTION = 100_000, 2_000  # characters


@dataclass(frozen=True)
class Placed:
    """A question and its answer spans (start, end) in the context, in characters; none if unanswerable."""

    context: str
    question: str
    spans: list[tuple[int, int]]
    moved: bool = False  # an answer is not at the given position
    dropped: bool = False  # one of several answers is not in the context
    several: bool = False  # no position given, and several matches


def listed(value: Any, start: Any) -> list[tuple[str, Any]] | Sentence:
    """The answers in a cell as (text, start or None), or the reason they are unusable.

    Accepts a text, a list of texts or of records with ``text`` and ``answer_start``, one record of two lists (as on the
    hub), or any of these as JSON.
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    if value is None or value != value:
        return []
    if isinstance(value, dict):
        texts, starts = value.get("text"), value.get("answer_start", value.get("start", start))
        if isinstance(texts, list):
            return _paired(texts, starts)
        return _paired([] if texts is None else [texts], [starts])
    if isinstance(value, list):
        if any(isinstance(one, dict) for one in value):
            flat = [listed(one, None) for one in value if one]
            bad = next((one for one in flat if isinstance(one, Sentence)), None)
            return bad or [pair for one in flat if not isinstance(one, Sentence) for pair in one]
        return _paired(value, start)
    return _paired([value], [start])


def placed(context: Any, question: Any, answers: list[tuple[str, Any]]) -> Placed | Sentence:
    """The question with its answer spans in the context, or the reason it is unusable."""
    if not all(value is None or isinstance(value, str | int | float) for value in (context, question)):
        return sentence("Its context or its question is not text but a list or a record.")
    text, asked = _text(context), _text(question).strip()
    before = len(text) - len(text.lstrip())
    text = text.strip()
    if not text:
        return sentence("Its context is empty.")
    if not asked:
        return sentence("Its question is empty.")
    if len(text) > MAX_CONTEXT:
        return sentence("Its context is longer than {limit} characters.", limit=MAX_CONTEXT)
    if len(asked) > MAX_QUESTION:
        return sentence("Its question is longer than {limit} characters.", limit=MAX_QUESTION)
    spans: list[tuple[int, int]] = []
    moved = several = False
    lost: list[str] = []
    for words, given in answers:
        words = _text(words).strip()
        start = _whole(given)
        if start is not None and start < 0:
            return sentence("The start of its answer, {start}, is not a whole number.", start=str(given)[:40])
        if not words:
            continue
        place = None if start is None else start - before
        if place is not None and place >= 0 and text.startswith(words, place):
            spans.append((place, place + len(words)))
            continue
        found = occurrences(text, words)
        if not found:
            lost.append(words)
            continue
        moved = moved or place is not None
        several = several or (place is None and len(found) > 1)
        spans.append(min(found, key=lambda span: abs(span[0] - (place or 0))))
    if lost and not spans:
        return sentence("Its answer “{answer}” stands nowhere in its context.", answer=lost[0][:80])
    return Placed(text, asked, list(dict.fromkeys(spans)), moved, bool(lost), several)


def occurrences(text: str, words: str) -> list[tuple[int, int]]:
    """All spans of an answer in a context: exact matches, else matches ignoring case and whitespace."""
    if sum(map(len, words.split())) > len(text):
        return []  # avoids building a huge pattern
    pattern = re.escape(words)
    exact = [match.span() for match in re.finditer(pattern, text)]
    if exact:
        return exact
    loose = r"\s+".join(map(re.escape, words.split()))
    return [match.span() for match in re.finditer(loose, text, re.IGNORECASE)]


def _paired(texts: list[Any], starts: Any) -> list[tuple[str, Any]] | Sentence:
    if not isinstance(starts, list):
        starts = [starts] * len(texts) if len(texts) < 2 else [None] * len(texts)
    if len(starts) != len(texts):
        starts = [None] * len(texts)
    if any(isinstance(one, dict | list) for one in texts):
        return sentence("Its answer is not text but a list or a record.")
    return [(one, start) for one, start in zip(texts, starts, strict=True) if one is not None and one == one]


def _text(value: Any) -> str:
    """A cell as text of the same length: NUL becomes a space, characters invalid in UTF-8 become “?”."""
    if value is None or value != value:
        return ""
    text = str(value).replace("\x00", " ")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _whole(value: Any) -> int | None:
    """A start position as an int; None where none is given, -1 where it is not a whole number.

    A negative start is out of range and becomes ``MAX_CONTEXT``, which is beyond every text.
    """
    if value is None or value != value or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = float(value) if not isinstance(value, bool) else -1.5
    except (TypeError, ValueError):
        return -1
    if not number.is_integer():
        return -1
    return int(number) if number >= 0 else MAX_CONTEXT
