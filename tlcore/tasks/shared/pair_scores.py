"""Scores of generated texts from additive per-example counts, so that the bootstrap is exact and fast."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

CHARACTERS, WORDS = 6, 4  # n-gram orders of chrF and BLEU
CHRF = 3 * CHARACTERS  # columns: hypothesis, reference and matching n-grams for each order
BETA = 2  # recall counts twice as much as precision
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Scoring:
    """``counts`` maps (texts, references) to per-example counts (n, S); ``metrics`` maps sums (draws, S) to metrics,
    headline first.
    """

    counts: Callable[[Sequence[str], Sequence[str]], np.ndarray]
    metrics: Callable[[np.ndarray], dict[str, np.ndarray]]


def translation_counts(written: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """sacrebleu's statistics for chrF (Popović 2015) and BLEU with tokenizer 13a (Papineni et al. 2002), (n, 28)."""
    from sacrebleu.metrics import BLEU, CHRF

    columns = [
        metric._extract_corpus_statistics(list(written), [list(references)])
        for metric in (CHRF(char_order=CHARACTERS), BLEU(max_ngram_order=WORDS))
    ]
    return np.hstack([np.asarray(one, np.float64).reshape(len(written), -1) for one in columns])


def translation_metrics(sums: np.ndarray) -> dict[str, np.ndarray]:
    """chrF and BLEU in 0-1 from sums (draws, 28): sacrebleu's formulas, vectorised over draws."""
    return {"chrf": _chrf(sums[:, :CHRF]), "bleu": _bleu(sums[:, CHRF:])}


def _chrf(sums: np.ndarray) -> np.ndarray:
    written, reference, common = (sums[:, place::3] for place in range(3))
    counted = (written > 0) & (reference > 0)  # orders for which both sides are long enough
    orders = np.maximum(counted.sum(axis=1), 1)
    precision = np.where(counted, common / np.maximum(written, 1), 0).sum(axis=1) / orders
    recall = np.where(counted, common / np.maximum(reference, 1), 0).sum(axis=1) / orders
    below = BETA**2 * precision + recall
    return np.where(below > 0, (1 + BETA**2) * precision * recall / np.where(below > 0, below, 1), 0.0)


def _bleu(sums: np.ndarray) -> np.ndarray:
    length, reference = sums[:, 0], sums[:, 1]
    correct, total = sums[:, 2 : 2 + WORDS], sums[:, 2 + WORDS :]
    with np.errstate(divide="ignore", invalid="ignore"):
        brevity = np.where(length < reference, np.exp(1 - reference / length), 1.0)
        # NIST smoothing: an order without a match counts as half a match, the next one as a quarter …
        halved = np.cumprod(np.where(correct == 0, 2.0, 1.0), axis=1)
        precision = np.where(correct > 0, correct / total, 1 / (halved * total))
        logs = np.where(total > 0, np.log(precision), -np.inf)
        found = brevity * np.exp(logs.mean(axis=1))
    return np.where(correct.sum(axis=1) > 0, np.nan_to_num(found), 0.0)


def summary_counts(written: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """ROUGE-L, ROUGE-1 and ROUGE-2 (F1; Lin 2004) of each text, and 1: (n, 4).

    Words are runs of letters and digits of any language, case-folded and not stemmed.
    """
    pairs = zip(written, references, strict=True)
    rows = [[*_rouge(words(ours), words(theirs)), 1.0] for ours, theirs in pairs]
    return np.array(rows, np.float64).reshape(-1, 4)


def summary_metrics(sums: np.ndarray) -> dict[str, np.ndarray]:
    """ROUGE means over texts, from sums (draws, 4): ROUGE is a mean of scores, not a score of sums."""
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums[:, :3] / sums[:, 3:]
    return dict(zip(("rouge-l", "rouge-1", "rouge-2"), means.T, strict=True))


def words(text: str) -> list[str]:
    return WORD.findall(unicodedata.normalize("NFC", text).casefold())


def _rouge(ours: list[str], theirs: list[str]) -> tuple[float, float, float]:
    def common(n: int) -> float:
        a, b = (Counter(zip(*(side[i:] for i in range(n)), strict=False)) for side in (ours, theirs))
        return _f1(sum((a & b).values()), sum(a.values()), sum(b.values()))

    return _f1(longest_common(ours, theirs), len(ours), len(theirs)), common(1), common(2)


def _f1(common: int, ours: int, theirs: int) -> float:
    return 2 * common / (ours + theirs) if common else 0.0


def longest_common(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """Length of the longest common subsequence, by dynamic programming with one row."""
    row = [0] * (len(theirs) + 1)
    for word in ours:
        before = 0
        for place, other in enumerate(theirs, start=1):
            before, row[place] = row[place], before + 1 if word == other else max(row[place], row[place - 1])
    return row[-1]


TRANSLATION = Scoring(translation_counts, translation_metrics)
SUMMARY = Scoring(summary_counts, summary_metrics)
