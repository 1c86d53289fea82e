"""Question answering: splits a question and its context into token windows, and decodes the best answer span.

These functions are copied unchanged into a bundle's predict.py.
"""

from __future__ import annotations

import numpy as np


def windows(tokenizer, pairs, size, overlap, question):
    """Each (question, context) as a list of windows (ids, kinds, places).

    A window has at most ``size`` tokens: the question, truncated to ``question`` tokens, then a part of the context.
    Consecutive windows share ``overlap`` context tokens. ``ids`` and ``kinds`` (token type ids) are (tokens,);
    ``places`` (tokens, 2) are the character offsets (start, end) of context tokens, -1 for all other tokens.
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
    """Token ids, attention mask and token type ids of n windows, padded to (n, longest) int64."""
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

    ``logits`` and ``places`` have one array (tokens, 2) per window. An answer is a span of at most ``longest`` context
    tokens; its score is the start logit of its first token plus the end logit of its last token. ``start`` and ``end``
    are its characters, ``best`` is its score. ``null`` is the minimum over windows of the sum of both logits of the
    first token. There is no answer (``none``) if ``null`` exceeds ``best`` by more than ``no_answer``; if ``no_answer``
    is None, only if there is no span. ``confidence`` is a softmax over all spans of all windows and, unless
    ``no_answer`` is None, no answer.
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
    """The text of an answer and its position (start, end), without surrounding blanks; '' if there is no answer.

    Combining marks after the last character (such as a separate accent, which tokenizers drop) are included.
    """
    import unicodedata

    while not none and end < len(context) and unicodedata.category(context[end])[0] == "M":
        end += 1
    words = "" if none else context[start:end]
    start += len(words) - len(words.lstrip())
    return words.strip(), (start, start + len(words.strip()))
