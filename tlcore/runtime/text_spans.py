"""Words of a text, their tokens, and its entities. Copied into a bundle's predict.py."""

from __future__ import annotations

import re

import numpy as np


def pieces(text):
    """(start, end) of each word and punctuation mark. Each Chinese or Japanese character is one word."""
    word = (
        r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|(?:(?![\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])[\w\u0300-\u036f])+"
    )
    return [found.span() for found in re.finditer(word + r"|[^\w\s]", text)]


def words_of(text, offsets):
    """The words of a tokenized text, as (index of the first token, start, end).

    ``offsets`` are the (start, end) of each token in the text. Words with the same first token are merged; words
    without a token, because the text was truncated before them, are left out.
    """
    spans = pieces(text)
    if not spans or not len(offsets):
        return []
    ends = np.maximum.accumulate([end for _, end in offsets])
    places = np.searchsorted(ends, [start for start, _ in spans], side="right").tolist()
    found = []
    for place, (start, end) in zip(places, spans):  # noqa: B905
        if place == len(offsets) or offsets[place][0] >= end:
            continue
        if found and found[-1][0] == place:
            found[-1] = (place, found[-1][1], end)
        else:
            found.append((place, start, end))
    return found


def entities(tags, words):
    """Entities (start, end, label) of words with tags B-…, I-… or O.

    As in conlleval, an I- tag without a preceding tag of the same label also starts an entity.
    """
    found, before = [], "O"
    for tag, (_, start, end) in zip(tags, words):  # noqa: B905
        kind, _, label = tag.partition("-")
        if kind == "I" and before.partition("-")[2] == label:
            found[-1] = (found[-1][0], end, label)
        elif kind != "O":
            found.append((start, end, label))
        before = tag
    return found


def shown(text, found):
    """Entities as text, such as ``Ana[person]; Lisbon[place]``."""
    return "; ".join(text[start:end] + "[" + label + "]" for start, end, label in found)
