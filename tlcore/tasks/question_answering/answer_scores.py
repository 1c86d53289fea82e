"""Scores of extractive answers: exact match and word F1.

As in SQuAD's official script (Rajpurkar et al. 2016, arXiv 1606.05250; 2018, arXiv 1806.03822). For Portuguese
questions Portuguese articles are ignored too.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from tlcore.evaluation.records import Records

ARTICLES = {"en": ("a", "an", "the"), "pt": ("a", "an", "the", "o", "os", "as", "um", "uma", "uns", "umas")}
PUNCTUATION = str.maketrans("", "", string.punctuation)
# Words that distinguish the two languages; words of both ("a", "do", "as", "no") are in neither list.
TELLING = {
    "pt": frozenset(
        (
            "o",
            "os",
            "um",
            "uma",
            "de",
            "da",
            "dos",
            "das",
            "em",
            "na",
            "nos",
            "nas",
            "que",
            "qual",
            "quais",
            "quem",
            "quando",
            "quanto",
            "quantos",
            "quantas",
            "onde",
            "como",
            "por",
            "para",
            "com",
            "é",
            "foi",
            "são",
            "não",
            "ao",
            "à",
            "pelo",
            "pela",
            "seu",
            "sua",
            "e",
            "ou",
            "se",
            "mais",
            "até",
        )
    ),
    "en": frozenset(
        (
            "the",
            "an",
            "of",
            "in",
            "is",
            "was",
            "were",
            "are",
            "what",
            "which",
            "who",
            "when",
            "where",
            "how",
            "why",
            "to",
            "and",
            "or",
            "not",
            "did",
            "does",
            "for",
            "with",
            "by",
            "on",
            "at",
            "from",
            "it",
            "many",
            "much",
            "be",
            "been",
            "that",
            "this",
        )
    ),
}


def language(text: str) -> str:
    """``pt`` or ``en``, by the function words of a text; ``en`` on a tie."""
    words = re.findall(r"\w+", text.lower())
    portuguese, english = (sum(word in TELLING[name] for word in words) for name in ("pt", "en"))
    return "pt" if portuguese > english else "en"


def normalised(text: str, lang: str = "en") -> str:
    """An answer prepared for comparison: lower case, no punctuation, no articles, single blanks.

    ``lang`` is the language whose articles are dropped: a key of `ARTICLES`.
    """
    return " ".join(_articles(lang).sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact(predicted: str, true: str, lang: str = "en") -> float:
    """1 where both are equal once `normalised`, else 0."""
    return float(normalised(predicted, lang) == normalised(true, lang))


def f1(predicted: str, true: str, lang: str = "en") -> float:
    """F1 of words; where one side has no words, 1 if neither has, else 0."""
    ours, theirs = normalised(predicted, lang).split(), normalised(true, lang).split()
    if not ours or not theirs:
        return float(ours == theirs)
    common = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * common / (len(ours) + len(theirs))


def best(predicted: str, truths: Sequence[str], lang: str = "en") -> tuple[float, float]:
    """Maximum F1 and maximum exact match over the true answers; without a true answer the empty answer is right."""
    kept = [one for one in truths if normalised(one, lang)] or [""]
    return max(f1(predicted, one, lang) for one in kept), max(exact(predicted, one, lang) for one in kept)


def records(predicted: Sequence[str], examples: Any) -> Records:
    """For each question its scores, the prediction (``said``), and whether it is ``answerable``.

    A group is one resampling unit.
    """
    scores = [
        best(one, truths, scored)
        for one, truths, scored in zip(predicted, examples.truths, examples.languages, strict=True)
    ]
    scored = np.array(scores, dtype=np.float64).reshape(-1, 2)
    columns = {
        "f1": scored[:, 0],
        "exact": scored[:, 1],
        "said": np.array(list(predicted), dtype=object),
        "answerable": np.array([bool(truths) for truths in examples.truths]),
    }
    return Records(ids=examples.ids, unit=np.asarray(examples.groups), columns=columns)


def aggregate(records: Records, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The mean of each score for each row of weights (draws, n)."""
    weights = np.atleast_2d(weights).astype(np.float64)
    total = weights.sum(axis=1)
    columns: Mapping[str, np.ndarray] = records.columns
    with np.errstate(invalid="ignore", divide="ignore"):
        return {"f1": (weights @ columns["f1"]) / total, "exact-match": (weights @ columns["exact"]) / total}


@cache
def _articles(lang: str) -> re.Pattern[str]:
    return re.compile(rf"\b({'|'.join(ARTICLES[lang])})\b")
