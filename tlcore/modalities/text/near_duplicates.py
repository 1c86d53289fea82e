"""Near-duplicate texts: MinHash over pairs of neighbouring words, with LSH banding.

Sources: Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3. A million short texts take
about a minute and half a gigabyte.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

HASHES, BANDS = 64, 16  # 16 bands of 4: pairs with Jaccard 0.7 are compared at 98 %, 0.3 at 12 %
ALIKE = 0.7  # least Jaccard similarity of the word pairs, estimated from 64 hashes
LONGEST = 2_000  # characters of a text that are hashed, about 300 words
AT_ONCE = 20_000  # texts per batch
BY = np.uint64(0x9E3779B97F4A7C15)  # base of the word hash; odd, so invertible mod 2^64, as `_words` needs
NOT_WORDS = r"[^\pL\pM\pN]+"


def clusters(texts: pd.Series) -> np.ndarray:
    """For each text the position of the text it nearly duplicates (that one points to itself), or -1; (n,) int."""
    return grouped(signatures(texts))


def signatures(texts: pd.Series) -> np.ndarray:
    """MinHash signature of each text: the minimum of each hash over its word pairs, (n, 64) uint32.

    A text without words gets values from its position instead.
    """
    out = np.empty((len(texts), HASHES), np.uint32)
    rng = np.random.default_rng(0)
    times = rng.integers(0, 2**63, HASHES, np.uint64) * np.uint64(2) + np.uint64(1)
    plus = rng.integers(0, 2**63, HASHES, np.uint64)
    for start in range(0, len(texts), AT_ONCE):
        pairs, begins = _pairs(texts.iloc[start : start + AT_ONCE])
        part = out[start : start + len(begins)]
        empty = np.diff(np.append(begins, len(pairs))) == 0
        filled = begins[~empty]
        for h in range(HASHES):
            if len(filled):
                hashed = ((pairs * times[h] + plus[h]) >> np.uint64(32)).astype(np.uint32)
                part[~empty, h] = np.minimum.reduceat(hashed, filled)
        part[empty] = (np.arange(start, start + len(begins), dtype=np.uint32)[empty, None] + 1) * np.uint32(2654435761)
    return out


def grouped(minima: np.ndarray) -> np.ndarray:
    """Clusters from MinHash signatures ``minima`` (n, 64); see `clusters` for the result.

    Texts with the same key in a band are compared with the first of them only. Chains are followed to the first text.
    """
    n = len(minima)
    leader = np.full(n, -1)
    for rows in np.split(np.arange(HASHES), BANDS):
        # Members are skipped in later bands: 100,000 copies of a text cost one comparison each.
        free = np.flatnonzero((leader < 0) | (leader == np.arange(n)))
        key = np.zeros(len(free), np.uint64)
        for h in rows:
            key = _mixed(key ^ minima[free, h].astype(np.uint64))
        order = np.argsort(key, kind="stable")
        free, key = free[order], key[order]
        new = np.append(True, key[1:] != key[:-1]) if len(key) else np.zeros(0, bool)
        first = free[new][np.cumsum(new) - 1]
        for a, b in _compared(first[~new], free[~new], minima):
            leader[b], leader[a] = a, np.where(leader[a] < 0, a, leader[a])
    while True:  # a leader may itself belong to an earlier leader
        known = leader >= 0
        further = leader.copy()
        further[known] = leader[leader[known]]
        if np.array_equal(further, leader):
            return leader
        leader = further


def _compared(a: np.ndarray, b: np.ndarray, minima: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The pairs (a[i] < b[i]) whose signatures agree in at least the share ``ALIKE`` of hashes."""
    for start in range(0, len(a), AT_ONCE):
        i, j = a[start : start + AT_ONCE], b[start : start + AT_ONCE]
        same = (minima[i] == minima[j]).mean(axis=1) >= ALIKE
        yield i[same], j[same]


def _pairs(texts: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of the pairs of neighbouring words, flat, and where the pairs of each text begin (n,).

    The start and the end of a text count as words.
    """
    plain = pc.utf8_lower(pc.utf8_slice_codeunits(pa.array(texts, pa.large_string()), 0, LONGEST))
    plain = pc.utf8_trim(pc.replace_substring_regex(plain, NOT_WORDS, " "), " ")
    words = pc.split_pattern(plain, " ")
    offsets, flat = words.offsets.to_numpy(), words.values
    counts = np.diff(offsets)
    hashed = _words(flat)
    counts = counts - (np.add.reduceat(np.append(hashed == 0, 0), offsets[:-1]) * (counts > 0))  # "" is not a word
    whole = np.flatnonzero(hashed)
    begins = np.append(0, np.cumsum(counts))
    # The words of each text with a 0 at both ends: one pair more than words.
    spread = np.zeros(len(whole) + 2 * len(counts), np.uint64)
    text = np.repeat(np.arange(len(counts)), counts)
    spread[np.arange(len(whole)) + 2 * text + 1] = hashed[whole]
    pairs = _mixed(spread[:-1] * np.uint64(3) + spread[1:])
    keep = np.ones(len(spread), bool)
    keep[begins[1:] + 2 * np.arange(1, len(counts) + 1) - 1] = False  # drops pairs across two texts
    none = np.flatnonzero(counts == 0)
    keep[begins[none] + 2 * none] = False
    kept = np.flatnonzero(keep[:-1])
    return pairs[kept], np.append(0, np.cumsum(np.where(counts > 0, counts + 1, 0)))[:-1].astype(np.intp)


def _words(words: pa.Array) -> np.ndarray:
    """A hash of each word, (n,) uint64; 0 for the empty word."""
    offsets = np.frombuffer(words.buffers()[1], np.int64)[words.offset : words.offset + len(words) + 1]
    data = np.frombuffer(words.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    offsets = offsets - offsets[0]
    powers = np.cumprod(np.append(np.uint64(1), np.full(len(data), BY, np.uint64)), dtype=np.uint64)
    sums = np.append(np.uint64(0), np.cumsum((data.astype(np.uint64) + np.uint64(1)) * powers[:-1], dtype=np.uint64))
    inverse = np.uint64(pow(int(BY), -1, 2**64))
    back = np.cumprod(np.append(np.uint64(1), np.full(len(data), inverse, np.uint64)), dtype=np.uint64)
    found = (sums[offsets[1:]] - sums[offsets[:-1]]) * back[offsets[:-1]]
    return np.where(offsets[1:] > offsets[:-1], _mixed(found) | np.uint64(1), np.uint64(0))


def _mixed(x: np.ndarray) -> np.ndarray:
    """Bit mixing (splitmix64): similar inputs give unrelated outputs."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
