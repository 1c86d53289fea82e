"""A question and its context as windows of tokens, and the best answer from what a network says of them.

These functions stand in a bundle's predict.py as they are here.
"""

from __future__ import annotations

import numpy as np


def windows(tokenizer, pairs, size, overlap, question):
    """Each (question, context) as a list of windows (ids, kinds, places).

    The question comes first, cut after ``question`` tokens; a window has ``size`` tokens at most and shares
    ``overlap`` tokens of the context with the one before. ``kinds`` are token type ids; ``places`` (tokens, 2) where
    each token of the context begins and ends in it, in characters, -1 for every other token.
    """
    tokenizer.no_padding()
    tokenizer.no_truncation()
    asked = tokenizer.encode_batch([one for one, _ in pairs], add_special_tokens=False)
    cut = [
        (one if len(found.ids) <= question else one[: found.offsets[question - 1][1]], context)
        for (one, context), found in zip(pairs, asked)  # noqa: B905
    ]
    tokenizer.enable_truncation(size, stride=overlap, strategy="only_second")
    out = []
    for whole in tokenizer.encode_batch(cut):
        parts = []
        for part in (whole, *whole.overflowing):
            inside = np.array([of == 1 for of in part.sequence_ids], dtype=bool)
            places = np.where(inside[:, None], np.array(part.offsets, dtype=np.int32).reshape(-1, 2), -1)
            parts.append((np.array(part.ids, np.int32), np.array(part.type_ids, np.int8), places.astype(np.int32)))
        out.append(parts)
    return out


def padded(rows, pad):
    """Token ids, mask and kinds, each (n, longest) int64, of windows."""
    longest = max(1, *(len(row[0]) for row in rows)) if rows else 1
    ids = np.full((len(rows), longest), pad, dtype=np.int64)
    mask = np.zeros((len(rows), longest), dtype=np.int64)
    kinds = np.zeros((len(rows), longest), dtype=np.int64)
    for row, one in enumerate(rows):
        ids[row, : len(one[0])] = one[0]
        mask[row, : len(one[0])] = 1
        kinds[row, : len(one[0])] = one[1]
    return ids, mask, kinds


def best_answer(logits, places, longest, no_answer):
    """The best answer of one question: (start, end, none, confidence, best, null).

    ``logits`` and ``places`` hold for each window (tokens, 2). An answer is a span of at most ``longest`` tokens of the
    context, its score the sum of the logits of its first and last token; ``start`` and ``end`` are its characters,
    ``best`` its score. ``null`` is the least sum of the two logits of a window's first token, and there is no answer
    (``none``) where it is above ``best`` by more than ``no_answer``, never where that is None. ``confidence`` is the
    softmax over all spans of all windows, and no answer.
    """
    best, where, null, sums = -1e9, (0, 0), 1e9, []
    for scores, at in zip(logits, places):  # noqa: B905
        scores = np.asarray(scores, dtype=np.float64)
        null = min(null, scores[0].sum())
        inside = np.flatnonzero(at[:, 0] >= 0)
        if not len(inside):
            continue
        first, last = scores[inside, 0], np.concatenate([scores[inside, 1], np.full(longest - 1, -np.inf)])
        band = first[:, None] + np.lib.stride_tricks.sliding_window_view(last, longest)
        begin, more = np.unravel_index(int(band.argmax()), band.shape)
        top = band[begin, more]
        sums.append(top + np.log(np.exp(band - top).sum()))
        if top > best:
            best, where = top, (int(at[inside[begin], 0]), int(at[inside[begin + more], 1]))
    if no_answer is not None:
        sums.append(null - no_answer)
    none = not sums or best < -1e8 or (no_answer is not None and null - no_answer > best)
    chosen = best if not none else (null - no_answer if no_answer is not None else 0.0)
    top = max(sums, default=0.0)
    whole = top + np.log(np.exp(np.array(sums) - top).sum()) if sums else chosen
    return where[0], where[1], bool(none), float(np.exp(min(0.0, chosen - whole))), float(best), float(null)


def said(context, start, end, none):
    """The words of an answer and their place (start, end), blanks at its ends aside; '' where there is none.

    Marks that belong to the last character (an accent of its own, which tokenizers drop) are the answer's too.
    """
    import unicodedata

    while not none and end < len(context) and unicodedata.category(context[end])[0] == "M":
        end += 1
    words = "" if none else context[start:end]
    start += len(words) - len(words.lstrip())
    return words.strip(), (start, start + len(words.strip()))
