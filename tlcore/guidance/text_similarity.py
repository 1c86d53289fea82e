"""Similarity of texts to a language model's training data, without access to those data.

* ``fertility``: tokens per word of the source's tokenizer. A word of a known language or domain is one or two tokens;
  an unknown word is split into many (Rust et al. 2021, arXiv 2012.15613). A character without a token counts as one.
* ``surprise``: pseudo-perplexity under the source's masked-language-modelling head (Salazar et al. 2020, arXiv
  1910.14659). 15 % of the tokens are masked at once instead of one at a time. It is in nats per word, so that
  tokenizers with small tokens have no advantage. Left out if the source has no such head.

Both use a logarithmic scale measured through the same source: 0 is generated text (words of random letters), 1 is
ordinary English or Portuguese, whichever the source reads better. The ordinary texts are those of the sample
`data.samples.feedback`, 60 in each language.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from math import exp, log
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.guidance.similarity import DRAWS, Part, between, part

if TYPE_CHECKING:
    from tlcore.models.loading import OpenSource

MOST = 256  # texts measured, drawn at random if there are more
LONGEST = 128  # tokens (or words) measured in a text
AT_ONCE = 32  # batch size
HIDDEN = 0.15  # share of the tokens masked at once (Devlin et al. 2019)
SIGNS = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff"  # Thai, Japanese, Chinese: no spaces between words
WORDS = re.compile(rf"[{SIGNS}]|[^\W{SIGNS}]+")  # a run of letters and digits, or one such sign


def parts(source: OpenSource, texts: Sequence[str]) -> list[Part]:
    """Similarity parts of these texts under the source.

    Empty if the source is no language model, or if the texts have no spaces between words.
    """
    if source.modality != "text" or not len(texts):
        return []
    rng = np.random.default_rng(0)
    chosen = [texts[i] for i in np.sort(rng.permutation(len(texts))[:MOST])]
    if _without_spaces(chosen):
        return []  # tokenizers split such texts into single signs whether or not the source knows the language
    reader = _Reader(source)
    found = [_on_scale("fertility", reader.pieces, chosen, rng)]
    if (model := reader.guesser()) is not None:
        found.append(_on_scale("surprise", functools.partial(reader.surprise, model), chosen, rng))
    return [one for one in found if one is not None]


@functools.cache
def ordinary() -> dict[str, list[str]]:
    """Ordinary texts, by language."""
    from tlcore.data.samples import feedback

    groups = (feedback.POSITIVE, feedback.NEGATIVE, feedback.NEUTRAL)
    return {
        "english": [text for group in groups for text in group[: len(group) // 2]],
        "portuguese": [text for group in groups for text in group[len(group) // 2 :]],
    }


@functools.cache
def made_by_code(n: int = 60) -> list[str]:
    """Texts of random letters, with word lengths of the ordinary texts."""
    rng = np.random.default_rng(0)
    lengths = [len(word) for texts in ordinary().values() for text in texts for word in WORDS.findall(text)]
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return [" ".join("".join(rng.choice(letters, k)) for k in rng.choice(lengths, 10)) for _ in range(n)]


def _on_scale(id: str, measure: Any, texts: list[str], rng: np.random.Generator) -> Part | None:
    """A part from ``measure``, which returns (amount, words) for each text, (n, 2 or 4); the raw value is sum / sum.

    None if the texts have no words, or if the source does not read ordinary text better than random letters.
    """
    known = {language: _ratio(measure(some)) for language, some in ordinary().items()}
    near, reference_level = min(known.values()), _ratio(measure(made_by_code()))
    amounts = measure(texts)
    if not near < reference_level or not amounts[:, 1].sum():
        return None
    weights = rng.multinomial(len(texts), np.full(len(texts), 1 / len(texts)), size=DRAWS)
    drawn = weights @ amounts[:, :2]
    ratios = drawn[:, 0] / np.maximum(drawn[:, 1], 1e-9)
    here = _ratio(amounts)
    more = {} if amounts.shape[1] == 2 else {"perplexity": exp(min(_ratio(amounts[:, 2:]), 100.0))}
    return part(
        id,
        between(log(here), log(reference_level), log(near)),
        between(np.log(ratios), log(reference_level), log(near)),
        here=here,
        far=reference_level,
        near=near,
        texts=len(texts),
        **known,
        **more,
    )


def _without_spaces(texts: Sequence[str]) -> bool:
    signs, letters = (sum(len(re.findall(patterns, text)) for text in texts) for patterns in (f"[{SIGNS}]", r"\w"))
    return 2 * signs > letters


def _ratio(amounts: np.ndarray) -> float:
    return float(amounts[:, 0].sum() / amounts[:, 1].sum())


class _Reader:
    """A source's tokenizer and, if present, its masked-language-modelling head."""

    def __init__(self, source: OpenSource):
        from tlcore.models import tokenization

        tokenizer_json = tokenization.read(source.folder)
        self.source = source
        longest = min(LONGEST, int(source.preprocess["input_size"]))
        self.whole, self.cut = (
            tokenization.open_tokenizer(tokenizer_json, 8_192),
            tokenization.open_tokenizer(tokenizer_json, longest),
        )
        self.unknown, self.hidden, self.special = tokenization.specials(tokenizer_json)

    def pieces(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens and words of each text, (n, 2); punctuation is not counted."""
        words = [WORDS.findall(text)[:LONGEST] for text in texts]
        found = self.whole.encode_batch([" " + " ".join(some) for some in words], add_special_tokens=False)
        pieces = [
            sum(end - start if i == self.unknown else 1 for i, (start, end) in zip(one.ids, one.offsets, strict=True))
            for one in found
        ]
        return np.array([(n, len(some)) for n, some in zip(pieces, words, strict=True)], np.float64)

    def guesser(self) -> Any:
        """The source with its masked-language-modelling head; None if it has none."""
        from tlcore.models.adapters.transformers_text import with_masked_head

        return None if self.hidden is None else with_masked_head(self.source)

    def surprise(self, model: Any, texts: Sequence[str]) -> np.ndarray:
        """Per text (n, 4): surprise in nats and words of the text, then summed loss and number of its masked tokens."""
        import torch
        from torch.nn.functional import cross_entropy

        rng, out = np.random.default_rng(0), np.zeros((len(texts), 4))
        found = self.cut.encode_batch(list(texts))
        order = np.argsort([len(one.ids) for one in found])
        for start in range(0, len(found), AT_ONCE):
            rows = order[start : start + AT_ONCE]
            shape = len(rows), max(len(found[row].ids) for row in rows)
            ids, seen = np.full(shape, int(self.source.preprocess["pad"]), np.int64), np.zeros(shape, np.int64)
            asked, own = np.zeros(shape, bool), np.zeros(len(rows))
            for at, row in enumerate(rows):
                token_ids = np.array(found[row].ids, np.int64)
                ids[at, : len(token_ids)], seen[at, : len(token_ids)] = token_ids, 1
                places = np.flatnonzero(~np.isin(token_ids, self.special))
                own[at] = len(places)
                asked[at, rng.permutation(places)[: max(1, round(HIDDEN * len(places)))]] = True
            given = torch.from_numpy(np.where(asked, self.hidden, ids))
            with torch.inference_mode():
                logits = model(input_ids=given, attention_mask=torch.from_numpy(seen)).logits.float()
                each = cross_entropy(logits.flatten(0, 1), torch.from_numpy(ids).flatten(), reduction="none")
            loss, hidden = (each.numpy().reshape(shape) * asked).sum(axis=1), asked.sum(axis=1)
            words = [
                len(WORDS.findall(texts[row][: max(end for _, end in found[row].offsets)])) if own[at] else 0
                for at, row in enumerate(rows)
            ]
            out[rows] = np.stack([loss * own / np.maximum(hidden, 1), words, loss, hidden], axis=1)
        return out
