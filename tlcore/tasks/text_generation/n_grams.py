"""An n-gram model with backoff: counts of each token after the tokens before it.

Witten and Bell's interpolation (1991, IEEE Transactions on Information Theory 37): for a context seen N times and
followed by T different tokens, P(w | context) = (count + T · P(w | shorter context)) / (N + T), down to the uniform
distribution. It is a proper distribution, and its only setting is the context length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LONGEST = 5  # longest context in tokens
MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Counts:
    """Counts of contexts of one length.

    Per context, sorted by hash: ``contexts`` (hashes), ``places`` (occurrences), ``different`` (distinct next tokens)
    and ``commonest`` (most frequent next token). Per (context, token) pair, sorted by hash: ``pairs`` (hashes) and
    ``times`` (occurrences).
    """

    contexts: np.ndarray
    places: np.ndarray
    different: np.ndarray
    commonest: np.ndarray
    pairs: np.ndarray
    times: np.ndarray


class Counted:
    """Counts of texts for every context length up to ``longest``; ``words`` is the vocabulary size."""

    def __init__(self, ids: np.ndarray, starts: np.ndarray, words: int, longest: int = LONGEST):
        self.words, self.counts = words, []
        hashes = contexts(ids, starts, longest)
        for known, hashed in hashes:
            here = known & _inside(ids, starts)
            self.counts.append(_count(hashed[here], ids[here]))

    def weigh(self, ids: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Losses in nats (lengths, n) and hits (lengths, n) of the tokens of other texts, by maximal context length.

        A hit: the token is the most frequent one after the longest known context.
        """
        chance = np.full(len(ids), 1 / self.words)
        guess = np.full(len(ids), -1, np.int64)
        losses, hits = [], []
        for counts, (known, hashed) in zip(self.counts, contexts(ids, starts, len(self.counts) - 1), strict=True):
            at, found = _find(counts.contexts, hashed)
            found &= known
            pair, seen = _find(counts.pairs, mixed(hashed, ids))
            n, different = counts.places[at], counts.different[at]
            times = np.where(seen & found, counts.times[pair], 0)
            chance = np.where(found, (times + different * chance) / (n + different), chance)
            guess = np.where(found, counts.commonest[at], guess)
            losses.append(-np.log(chance))
            hits.append(guess == ids)
        return np.stack(losses), np.stack(hits)


def contexts(ids: np.ndarray, starts: np.ndarray, longest: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each length from 0: whether a token has that many before it in its text, and their 64-bit hash."""
    begins = np.repeat(starts[:-1], np.diff(starts))
    place = np.arange(len(ids)) - begins
    hashed = np.zeros(len(ids), np.uint64)
    out = [(np.ones(len(ids), bool), hashed)]
    for length in range(1, longest + 1):
        before = np.zeros(len(ids), np.int64)
        before[length:] = ids[:-length] if length < len(ids) else 0
        hashed = mixed(hashed, before)
        out.append((place >= length, hashed))
    return out


def mixed(hashed: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The hash extended by one more token (finaliser of splitmix64)."""
    with np.errstate(over="ignore"):
        z = hashed * np.uint64(31) + (ids.astype(np.uint64) + np.uint64(1)) * MIX
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def _inside(ids: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Mask of all tokens but the first of each text, which is not predicted."""
    inside = np.ones(len(ids), bool)
    inside[starts[:-1][starts[:-1] < len(ids)]] = False
    return inside


def _count(hashed: np.ndarray, ids: np.ndarray) -> Counts:
    pairs, first, times = np.unique(mixed(hashed, ids), return_index=True, return_counts=True)
    of, token = hashed[first], ids[first]
    order = np.lexsort((token, -times, of))  # most frequent first in each context; ties by lower id
    of, token, sorted_times = of[order], token[order], times[order]
    known, begin, different = np.unique(of, return_index=True, return_counts=True)
    places = np.add.reduceat(sorted_times, begin) if len(begin) else np.zeros(0, np.int64)
    return Counts(known, places, different, token[begin], pairs, times)


def _find(known: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The index of each wanted value in a sorted array, and whether it is present."""
    at = np.minimum(np.searchsorted(known, wanted), max(0, len(known) - 1))
    return at, known[at] == wanted
